"""Prompts for several objects, with real physics: the protocol, and the figures of each stage."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import stages
from benchmarks.evaluate import Plan
from benchmarks.journal import read_results
from benchmarks.long_horizon import TRIES, run_prompt
from benchmarks.policies import HoldStillPolicy
from benchmarks.published import BY_STAGE, PROMPTS
from benchmarks.run import main
from benchmarks.settled import Settled
from benchmarks.stages import stages_of
from benchmarks.worker import make_runner
from datagen.expert import Expert
from envs.episode import make_episode
from envs.interface import EpisodeResult
from envs.long_horizon import LongHorizonEnv
from envs.prompts import PROMPTS as ASKED
from policy.agent import Agent
from policy.masks.sources import make_masks
from policy.planner import PlannerError
from policy.planner.privileged import PrivilegedPlanner

SUITE = "long_horizon"
FOOD = 74  # an apple and a lemon, which the expert takes at the first try, and something else
SWEPT = 61  # two bottles behind one another
PLAN = Plan(suite=SUITE, version=1, policy="expert", hand="g0r")


@pytest.fixture(scope="module")
def env():
    made = LongHorizonEnv(SUITE)
    yield made
    made.close()


def play(env, policy=None, planner=None, index=FOOD) -> EpisodeResult:
    return run_prompt(env, policy or Expert(), planner or PrivilegedPlanner(), make_episode(SUITE, index))


def figures(row: EpisodeResult) -> dict[str, tuple[int, int] | str]:
    """Stage -> (right, asked) in one row."""
    table = stages_of([row])
    whole = {stage.name: stage.entries[-1] for stage in table.stages}
    return {name: (e.rate.successes, e.rate.n) if e.rate else e.words for name, e in whole.items()}


@pytest.fixture(scope="module")
def done(env):
    return play(env)


# The protocol.


def test_the_expert_puts_away_what_the_prompt_asks_for_and_nothing_else(env, done):
    assert done.outcome == "success"
    assert [(r.held, r.in_tray) for r in done.rounds] == [(True, True), (True, True)]
    assert {r.target for r in done.rounds} == set(done.target.split("+"))
    rest = [i for i in range(done.objects) if i not in make_episode(SUITE, FOOD).relevant]
    assert rest
    assert set(env.on_table()) == set(rest)
    assert env.left() == ()
    one, two = (1, 1), (2, 2)
    assert figures(done) == {
        stages.TASKS: one, stages.ATTEMPTS: "1.00", stages.PROPOSAL: two, stages.BOX: two, stages.GRASP: two,
        stages.TRAY: two, stages.VERIFIED: two, stages.COMPLETION: two, **dict.fromkeys(stages.WITHIN, two),
    }  # fmt: skip


def test_what_is_swept_into_the_tray_was_not_put_away_by_the_hand(env):
    """Here the first bottle knocks the second one over the edge on its way."""
    row = play(env, index=SWEPT)
    assert [each.target for each in row.rounds if each.cleared] == ["spray_05"]
    assert (row.outcome, row.success) == ("disturbed", True)


def test_a_row_does_not_depend_on_what_was_played_before(done):
    run = make_runner(PLAN)
    run(61)
    assert replace(run(FOOD), wall_s=0.0) == replace(done, wall_s=0.0)


class Late(Expert):
    """Sleeps through its first attempts."""

    def __init__(self, naps: int) -> None:
        super().__init__()
        self._naps, self._still = naps, HoldStillPolicy()

    def reset(self, env, seed):
        self._asleep, self._naps = self._naps > 0, self._naps - 1
        self._still.reset(env, seed)
        super().reset(env, seed)

    def act(self, observation):
        return self._still.act(observation) if self._asleep else super().act(observation)


def test_an_object_that_was_missed_is_tried_again(env):
    row = play(env, Late(1))
    assert row.outcome == "success"
    assert [r.grasp for r in row.rounds] == ["timeout", "success", "success"]
    assert row.rounds[0].target == row.rounds[1].target
    shown = figures(row)
    assert (shown[stages.GRASP], shown[stages.ATTEMPTS]) == ((2, 3), "1.50")
    assert [shown[name] for name in stages.WITHIN] == [(1, 2), (2, 2), (2, 2)]
    assert shown[stages.VERIFIED] == shown[stages.COMPLETION] == (3, 3)


def test_an_object_that_is_never_grasped_ends_the_prompt(env):
    row = play(env, HoldStillPolicy())
    assert (row.outcome, len(row.rounds)) == ("timeout", TRIES)
    shown = figures(row)
    assert (shown[stages.TASKS], shown[stages.GRASP], shown[stages.TRAY]) == ((0, 1), (0, 3), (0, 0))
    assert (shown[stages.PROPOSAL], shown[stages.ATTEMPTS]) == ((3, 3), "none")


class Wrong(PrivilegedPlanner):
    """The privileged planner, wrong in what is given: the answer to a question, by the question's name."""

    def __init__(self, **wrong) -> None:
        super().__init__()
        self._wrong = {name: iter(answers) for name, answers in wrong.items()}

    def _said(self, name, *views):
        answer = next(self._wrong.get(name, iter(())), ...)
        if isinstance(answer, Exception):
            raise answer
        return getattr(super(), name)(*views) if answer is ... else answer

    def propose(self, *views):
        return self._said("propose", *views)

    def locate(self, *views):
        return self._said("locate", *views)

    def verify(self, *views):
        return self._said("verify", *views)

    def completed(self, *views):
        return self._said("completed", *views)


def test_a_verdict_that_a_held_object_is_not_held_lets_it_fall(env):
    row = play(env, planner=Wrong(verify=[False]))
    first = row.rounds[0]
    assert (first.held, first.cleared, first.verdicts) == (True, False, (False,))
    assert figures(row)[stages.VERIFIED][0] == len(row.rounds) - 1
    assert figures(row)[stages.TRAY][1] == figures(row)[stages.GRASP][0]
    assert figures(row)[stages.TRAY][0] < figures(row)[stages.TRAY][1]


def test_a_verdict_that_nothing_is_something_costs_a_round(env):
    row = play(env, Late(1), Wrong(verify=[True]))
    assert row.outcome == "success"
    assert [(r.held, r.verdicts) for r in row.rounds] == [(False, (False,)), (True, (True,)), (True, (True,))]


@pytest.mark.parametrize("answers", [[True], [False, True]])
def test_a_completion_that_is_said_too_early_is_the_planner_s_failure(env, answers):
    row = play(env, HoldStillPolicy(), Wrong(completed=answers))
    assert (row.outcome, len(row.rounds)) == ("planner", 1)
    assert figures(row)[stages.COMPLETION] == (0, 1)
    assert figures(row)[stages.TASKS] == (0, 1)


def test_taking_away_what_nobody_asked_for_is_the_planner_s_failure(env):
    env.reset(options={"episode": make_episode(SUITE, FOOD)})
    stranger = env.instruction_for(2)
    row = play(env, planner=Wrong(propose=[stranger]))
    assert row.outcome == "planner"
    assert (row.rounds[0].proposal, row.rounds[0].relevant, row.rounds[0].box) == (False, False, True)
    asked = len(row.rounds)
    assert figures(row)[stages.PROPOSAL] == (asked - 1, asked)


def test_the_hand_goes_for_what_is_in_the_box(env):
    env.reset(options={"episode": make_episode(SUITE, FOOD)})
    first, boxes = env.left()[0], env.boxes()
    other = next(i for i in boxes if i != first)
    row = play(env, HoldStillPolicy(), Wrong(locate=[boxes[other], None]))
    assert (row.rounds[0].proposal, row.rounds[0].box) == (True, False)
    assert row.rounds[0].target == make_episode(SUITE, FOOD).objects[other].object_id
    assert (row.rounds[1].box, row.rounds[1].target, row.rounds[1].grasp) == (False, "", "")
    assert figures(row)[stages.BOX] == (len(row.rounds) - 2, len(row.rounds))


@pytest.mark.parametrize("fault", [{"propose": [None]}, {"propose": [PlannerError("down")]}, {"locate": [None] * 9}])
def test_a_planner_that_gives_up_answers_for_it(env, fault):
    row = play(env, HoldStillPolicy(), Wrong(**fault))
    assert (row.outcome, row.success, row.steps) == ("planner", False, 0)


def test_an_agent_hears_during_a_grasp_what_was_settled_before(env):
    class Asleep:
        config = SimpleNamespace(horizon=8, execute=6)
        begun = 0

        def begin(self, head, mask):
            self.begun += 1
            assert mask.any()

        def predict(self, head, wrist, mask, state, seed):
            return np.repeat(np.asarray(state, np.float32)[None], 8, axis=0)

    asked = Wrong()
    agent = Agent(asked, make_masks("privileged"), Asleep())
    row = play(env, agent, asked)
    assert (row.outcome, len(row.rounds)) == ("timeout", TRIES)
    assert agent.planner is asked
    assert agent.controller.begun == TRIES
    assert figures(row)[stages.PROPOSAL] == figures(row)[stages.BOX] == (3, 3)


def test_what_is_settled_is_said_once():
    asked = Wrong(locate=[(1.0, 2.0, 3.0, 4.0)], verify=[True, False, True])
    truths = iter([True, True, None])
    settled = Settled(asked, "Grasp the mug", (5.0, 6.0, 7.0, 8.0), lambda: next(truths))
    assert settled.propose(None, None, "Clear the table") == "Grasp the mug"
    assert settled.understand(None, "Clear the table").objects == ("Grasp the mug",)
    assert [settled.locate(None, "x") for _ in range(2)] == [(5.0, 6.0, 7.0, 8.0), (1.0, 2.0, 3.0, 4.0)]
    assert [settled.verify(None, None, "x") for _ in range(3)] == [True, False, True]
    assert settled.verdicts == [True, False, True]
    assert settled.completed(None, None, "x") is False


def test_the_privileged_planner_takes_prompts_apart(env):
    planner = PrivilegedPlanner()
    for index, kind in ((0, "abstract"), (FOOD, "objects")):
        env.reset(options={"episode": make_episode(SUITE, index)})
        planner.begin(env)
        left = [env.instruction_for(i) for i in env.left()]
        understood = planner.understand(None, env.instruction)
        assert (understood.kind, list(understood.objects)) == (kind, [] if kind == "abstract" else left)
        assert planner.propose(None, None, env.instruction) == left[0]
        assert [planner.instruction_completed(None, words) for words in (left[0], "gone")] == [False, True]
        assert planner.completed(None, None, env.instruction) is False


# Runs and reports.


def test_published_stages_are_those_of_the_table():
    names = {stages.TASKS, stages.ATTEMPTS, stages.PROPOSAL, stages.BOX, stages.GRASP, stages.COMPLETION}
    assert set(BY_STAGE) == names
    assert (*(p.words for p in ASKED), stages.ALL) == PROMPTS


def test_a_run_prints_and_keeps_the_stages(tmp_path, capsys):
    words = ["--suite", SUITE, "--policy", "hold-still", "--first", str(FOOD), "--episodes", "1", "--workers", "1"]
    assert main([*words, "--out", str(tmp_path / "run"), "--attempts", "3"]) == 0
    said = capsys.readouterr().out
    assert "completion check" in said
    assert "96.3 %" in said
    (row,) = read_results(tmp_path / "run")
    assert [r.grasp for r in row.rounds] == ["timeout"] * TRIES
    assert EpisodeResult.from_dict(row.as_dict()) == row
    page = Path(tmp_path, "run", "report.html").read_text()
    assert "<h2>Stages</h2>" in page
    assert "real robot 94.3 %" in page
    assert "privileged: it reads the planner" in page
    assert main([*words, "--out", str(tmp_path / "no"), "--record", str(tmp_path / "demos.h5")]) == 2
    assert "demonstrations of single grasps" in capsys.readouterr().err
