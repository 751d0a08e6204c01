"""Planner, masks and controller joined: what acts when, who is asked what, and how it ends."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from agent_parts import BOX, CLOSED, OPEN, BoxMasks, CountingController, Scene, ScriptedPlanner, observation

from envs import spec
from envs.interface import GAVE_UP, HELD
from policy.agent import FINISH_S, Agent, chunk_seed
from policy.masks.privileged import PrivilegedMasks
from policy.planner import PlannerError
from policy.planner.privileged import PrivilegedPlanner

ROOT = Path(__file__).parent.parent


def agent(planner=None, masks=None, controller=None, **settings) -> Agent:
    return Agent(planner or ScriptedPlanner(), masks or BoxMasks(), controller or CountingController(), **settings)


def played(policy, steps: int, state=lambda step: OPEN, seed: int = 7) -> np.ndarray:
    """The actions (steps, 13) of an attempt."""
    policy.reset(Scene(), seed)
    return np.array([policy.act(observation(step, state(step))) for step in range(steps)])


def numbers(actions: np.ndarray) -> list[tuple[int, int]]:
    """(chunk, index) of each action of a CountingController."""
    return [(round(1000 * a[0]), round(1000 * a[1])) for a in actions]


def test_every_sixth_step_a_new_chunk_acts():
    assert numbers(played(agent(), 15)) == [(step // 6, step % 6) for step in range(15)]


def test_with_latency_the_arm_waits_where_it_is_and_the_old_chunk_goes_on():
    actions = played(agent(latency_ms=120), 16)
    np.testing.assert_array_equal(actions[:3], [OPEN] * 3)
    assert numbers(actions[3:]) == [(0, i) for i in range(6)] + [(1, i) for i in range(3, 9)] + [(2, 3)]


def test_an_episode_may_ask_for_more_latency_than_the_agent_has():
    class Slow(Scene):
        latency_ms = 120.0

    slow, quick = agent(latency_ms=50), agent(latency_ms=120)
    for scene, policy in ((Slow(), slow), (Scene(), quick)):
        policy.reset(scene, 7)
    for step in range(16):
        np.testing.assert_array_equal(slow.act(observation(step, OPEN)), quick.act(observation(step, OPEN)))
    slow.reset(Scene(), 7)
    assert numbers([slow.act(observation(step, OPEN)) for step in range(3)])[1:] == [(0, 0), (0, 1)]


def test_actions_are_a_function_of_seed_and_observations_whatever_came_before():
    policy = agent()
    first = played(policy, 20)
    other = played(policy, 20, seed=8)
    again = played(policy, 20)
    fresh = played(agent(), 20)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, fresh)


def test_each_chunk_has_a_seed_of_its_own_that_follows_from_the_attempt_s():
    controller = CountingController()
    played(agent(controller=controller), 13, seed=5)
    assert controller.seeds == [chunk_seed(5, k) for k in range(3)]
    assert len({chunk_seed(seed, k) for seed in range(20) for k in range(50)}) == 1000
    assert all(0 <= chunk_seed(2**32 - 1, k) < 2**32 for k in range(50))


class Watched(Mapping):
    """An observation that notes which pictures are read."""

    def __init__(self, values):
        self.values_, self.read = values, set()

    def __getitem__(self, key):
        self.read.add(key)
        return self.values_[key]

    def __iter__(self):
        return iter(self.values_)

    def __len__(self):
        return len(self.values_)


@pytest.mark.parametrize(("privileged", "between"), [(("masks",), set()), ((), {spec.HEAD})])
def test_pictures_are_read_only_by_who_needs_them(privileged, between):
    policy = agent(masks=BoxMasks(privileged))
    policy.reset(Scene(), 0)
    for step in range(13):
        seen = Watched(observation(step))
        policy.act(seen)
        pictures = seen.read & set(spec.CAMERAS)
        assert pictures == (set(spec.CAMERAS) if step % 6 == 0 else between), step


def test_the_union_of_privileges_is_declared():
    assert agent().privileged == ()
    assert Agent(PrivilegedPlanner(), PrivilegedMasks(), CountingController()).privileged == ("planner", "masks")
    assert Agent(ScriptedPlanner(), PrivilegedMasks(), CountingController()).privileged == ("masks",)


def test_the_planner_is_asked_before_the_first_action():
    planner, controller = ScriptedPlanner(), CountingController()
    policy = agent(planner, controller=controller)
    played(policy, 20)
    assert planner.asked == ["completed", "propose", "locate"]
    (mask,) = controller.begun
    assert mask.sum() == (BOX[2] - BOX[0]) * (BOX[3] - BOX[1])


@pytest.mark.parametrize(
    ("planner", "reason"),
    [
        (ScriptedPlanner(boxes=(None,)), "not visible too often"),
        (ScriptedPlanner(boxes=(PlannerError("no server"),)), "no server"),
        (ScriptedPlanner(proposals=(PlannerError("no words"),)), "no words"),
        (ScriptedPlanner(proposals=(None,)), "nothing left"),
        (ScriptedPlanner(done=(True,)), "prompt fulfilled"),
        (ScriptedPlanner(boxes=((5, 5, 6, 6),)), "at least 4x4"),
    ],
)
def test_a_planner_without_a_target_leaves_the_arm_where_it_is(planner, reason):
    controller = CountingController()
    policy = agent(planner, controller=controller)
    actions = played(policy, 10, lambda step: OPEN + step / 100)
    np.testing.assert_array_equal(actions, [OPEN] * 10)
    assert (policy.verdict, controller.seeds) == (GAVE_UP, [])
    assert reason in policy.reason
    assert planner.asked.count("completed") == 1
    policy.reset(Scene(), 1)
    assert (policy.verdict, policy.reason) == ("", "")


def test_after_the_verdict_held_the_motion_is_finished_and_its_end_held():
    policy, actions, told = agent(ScriptedPlanner(verdicts=(True,))), [], None
    policy.reset(Scene(), 7)
    for step in range(90):
        actions.append(policy.act(observation(step, CLOSED)))
        if told is None and policy.verdict == HELD:
            told = step
    still, chunk = told + round(FINISH_S * spec.CONTROL_HZ), (told - 1) // 6
    assert numbers(actions[: told + 1]) == [
        (min(step // 6, chunk), step - 6 * min(step // 6, chunk)) for step in range(told + 1)
    ]
    assert numbers(actions[told:still]) == [(chunk, step - 6 * chunk) for step in range(told, still)]
    np.testing.assert_array_equal(actions[still:], [actions[still - 1]] * (90 - still))
    assert 0 < FINISH_S < 1
    assert told < 60


def test_three_false_verdicts_make_the_planner_look_again_and_the_controller_keeps_the_first_moment():
    planner, masks, controller = ScriptedPlanner(), BoxMasks(), CountingController()
    policy = agent(planner, masks, controller)
    actions = played(policy, 100, lambda step: CLOSED)
    first = ["completed", "propose", "locate"]
    assert planner.asked[:9] == [*first, "verify", "verify", "verify", *first]
    assert masks.starts >= 2
    assert len(controller.begun) == 1
    assert policy.verdict == ""
    assert numbers(actions) == [(step // 6, step % 6) for step in range(100)]  # it acts on all the while


def test_another_instruction_is_another_first_moment():
    controller = CountingController()
    played(agent(ScriptedPlanner(proposals=("the mug", "the can")), controller=controller), 100, lambda step: CLOSED)
    assert len(controller.begun) == 2


def test_a_planner_that_fails_later_does_not_stop_the_arm():
    planner = ScriptedPlanner(verdicts=(PlannerError("time-out"),))
    policy = agent(planner)
    actions = played(policy, 80, lambda step: CLOSED)
    assert "verify" in planner.asked
    assert policy.verdict == ""
    assert numbers(actions) == [(step // 6, step % 6) for step in range(80)]


def test_what_a_caller_does_to_an_action_is_no_business_of_the_agent():
    policy = agent(ScriptedPlanner(boxes=(None,)))
    policy.reset(Scene(), 0)
    policy.act(observation())[:] = 0
    np.testing.assert_array_equal(policy.act(observation()), OPEN)


def test_a_rehearsal_takes_a_chunk_s_time():
    controller = CountingController()
    assert 0 < agent(controller=controller).rehearse() < 5
    assert len(controller.seeds) == 1


def test_agent_and_remote_load_without_torch_and_without_the_simulator():
    for module in ("policy.agent", "policy.build", "policy.remote"):
        code = (
            f"import sys, {module}\n"
            "sys.exit(', '.join({'mujoco', 'dm_control', 'torch', 'cv2'} & sys.modules.keys()) or None)"
        )
        ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (module, ended.returncode, ended.stderr) == (module, 0, "")
