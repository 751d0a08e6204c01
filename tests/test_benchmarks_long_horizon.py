"""Prompts for several objects, with real physics: the world, the protocol, the figures of each stage."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from assets.objects.library import UNSEEN, get_object
from assets.robots.rm75 import MAX_SPEED_RAD_S, POSES
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
from envs import spec
from envs.control import arm_to_rad
from envs.episode import EpisodeSpec, distributions, make_episode
from envs.interface import EpisodeError, EpisodeResult
from envs.long_horizon import LongHorizonEnv
from envs.prompts import PROMPTS as ASKED
from envs.tray import in_tray, off_table, placing_actions
from policy.agent import Agent
from policy.masks.interface import make_masks
from policy.planner import PlannerError
from policy.planner.privileged import PrivilegedPlanner

SUITE = "long_horizon"
FOOD = 74  # an apple and a lemon, which the expert takes at the first try, and something else
PLAN = Plan(suite=SUITE, version=1, policy="expert", hand="g0r")
GOLDEN = {
    0: "67d25f53cf05685c",
    23: "2850a124d34344df",
    24: "733ae26106abf9a4",
    49: "07a065278fe43325",
    74: "5c6d5a1827206411",
    95: "b9924723462a276a",
}


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


# The suite.


def test_each_prompt_has_its_scenes_with_what_it_asks_for_first():
    parts = distributions()[SUITE].parts
    assert [(part.count, part.source.conditions[0].prompt) for part in parts] == [(24, p.words) for p in ASKED]
    for start, prompt in zip(range(0, 96, 24), ASKED, strict=True):
        for index in (start, start + 1, start + 23):
            episode = make_episode(SUITE, index)
            things = [get_object(o.object_id) for o in episode.objects]
            everything = prompt.name == "clear"
            assert len(things) == 3 if everything else len(things) in (3, 4)
            assert episode.relevant == ((0, 1, 2) if everything else (0, 1))
            assert (episode.instruction, episode.phrasings) == (prompt.words, (prompt.words,))
            assert [prompt.asks_for(t) for t in things] == [i in episode.relevant for i in range(len(things))]
            assert [prompt.may_ask_for(t) for t in things] == [i in episode.relevant for i in range(len(things))]


@pytest.mark.parametrize(
    ("name", "meant", "never", "in_no_scene"),
    [
        ("green", "green", "red", "teal"),  # by the first colour
        ("bottles", "spray bottle", "mug", "soap dispenser"),  # by the noun; a dispenser is also a "pump bottle"
        ("food", "banana", "dumbbell", "milk carton"),
    ],
)
def test_a_prompt_asks_for_what_the_library_says_of_an_object(name, meant, never, in_no_scene):
    prompt = next(p for p in ASKED if p.name == name)
    asked, others = prompt.split(UNSEEN)

    def words(ids):
        return {word for i in ids for word in (get_object(i).noun, get_object(i).colors[0])}

    assert len(asked) >= 24
    assert len(others) >= 100
    assert meant in words(asked)
    assert meant not in words(others)
    assert never in words(others)
    assert in_no_scene not in words(asked) | words(others)


def test_what_is_asked_for_is_plain_data_of_the_episode():
    episode = make_episode(SUITE, 30)
    read = EpisodeSpec.from_dict(json.loads(json.dumps(episode.as_dict())))
    assert (read, read.hash) == (episode, episode.hash)
    assert replace(episode, relevant=(1,)).hash != episode.hash
    assert "relevant" not in make_episode("seen_objects", 0).as_dict()


def test_published_prompts_stay_the_same_to_the_bit():
    assert {index: make_episode(SUITE, index).hash for index in GOLDEN} == GOLDEN


# The world.


def test_the_target_changes_and_the_world_does_not(env):
    episode = make_episode(SUITE, FOOD)
    env.reset(options={"episode": episode})
    model, physics = env.model, env.data.qpos.copy()
    for index in (1, 2, 0):
        seen, info = env.aim(index, f"take number {index}")
        assert env.instruction == seen[spec.INSTRUCTION] == f"take number {index}"
        assert env.scene.objects[0].id == episode.objects[index].object_id
        assert np.array_equal(info["object_poses"][0], env.poses()[index])
        mask = env.truth.target_mask()
        rows, columns = np.nonzero(mask)
        assert env.boxes()[index] == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert env.model is model
    assert np.array_equal(env.data.qpos, physics)


def test_contacts_are_those_of_the_present_target(env):
    env.reset(options={"episode": make_episode(SUITE, FOOD)})
    bodies = env.whole.object_bodies
    for index in (2, 1):
        env.aim(index, "this")
        owner = env.model.geom_bodyid[env.scene.geom_bits // 8 == 1]
        assert set(owner) == {bodies[index]}


def test_what_is_off_the_table_is_no_neighbour(env):
    env.reset(options={"episode": make_episode(SUITE, FOOD)})
    env.data.qpos[env.whole.object_qpos[1][:3]] = (0.24, 0.0, -0.1)
    assert (env.is_off_table(1), env.is_in_tray(1)) == (True, True)
    _, info = env.aim(0, "this")
    assert info["object_count"] == len(env.whole.objects) - 1
    assert 1 not in env.left()


def test_an_episode_with_one_target_is_refused(env):
    with pytest.raises(EpisodeError, match="asks for one object"):
        env.reset(options={"episode": make_episode("unseen_objects", 0)})


def test_free_words_are_understood_by_noun_and_colour(env):
    env.reset(options={"episode": make_episode(SUITE, FOOD)})
    for index, thing in enumerate(env.whole.objects):
        assert env.meant(env.instruction_for(index)) == (index,)
        assert index in env.meant(f"Please reach for that {thing.colors[0]} {thing.noun}, to the left.")
    assert env.meant("Grasp the submarine") == ()


def test_places_are_in_the_tray_or_off_the_table():
    for at, cleared, tray in (
        ((0.45, -0.1, 0.05), False, False),
        ((0.24, 0.0, -0.15), True, True),
        ((0.35, 0.0, 0.03), True, False),  # on the rim
        ((0.8, 0.9, -0.7), True, False),  # on the floor
    ):
        assert (off_table(np.array(at)), in_tray(np.array(at))) == (cleared, tray)


def test_the_way_to_the_tray_keeps_the_grip_and_the_drives_limits():
    start, home, grip, opened = POSES["init"], POSES["init"] + 0.01, np.full(6, 0.2), np.ones(6)
    actions = np.array(list(placing_actions(start, grip, home, opened)))
    arm = np.vstack([start, arm_to_rad(actions[:, spec.ARM])])
    assert (np.abs(np.diff(arm, axis=0)) * spec.CONTROL_HZ <= MAX_SPEED_RAD_S).all()
    over_tray = int(np.abs(arm[1:] - POSES["placement"]).max(axis=1).argmin())
    assert np.allclose(arm[1 + over_tray], POSES["placement"])
    assert np.allclose(actions[:over_tray, spec.HAND], grip)
    assert np.allclose(arm[-1], home)
    assert np.allclose(actions[-1, spec.HAND], opened)
    assert np.abs(arm - POSES["return_medium"]).max(axis=1).min() < 1e-9


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
