"""The expert notices a target that is moved, stops smoothly and plans anew; what it moves itself is no news."""

from types import SimpleNamespace

import numpy as np
import pytest

from assets.robots.rm75 import MAX_ACCELERATION_RAD_S2
from datagen.branch import Branch
from datagen.expert import Expert
from datagen.lookout import PACES, REST_STEPS, Lookout
from envs import spec
from envs.episode import make_episode
from envs.rollout import Observer, run_episode
from envs.sim import SimEnv

STEPS = 20


class Copy:
    """A branch in which the target is pushed by 1 mm a step from the tenth step on."""

    scene = SimpleNamespace(object_qpos=[np.arange(7)])

    def target_path(self, actions):
        self.asked = True
        path = np.tile(pose(), (len(actions), 1))
        path[:, 0] += 0.001 * np.maximum(0, np.arange(1, len(actions) + 1) - 10)
        return path


def pose(x: float = 0.0, turn_rad: float = 0.0) -> np.ndarray:
    return np.array([x, 0.0, 0.0, np.cos(turn_rad / 2), 0.0, 0.0, np.sin(turn_rad / 2)])


def lookout(branch=None, slope: float = 0.01) -> Lookout:
    actions = slope * np.repeat(np.arange(1, STEPS + 6)[:, None], spec.ACTION_DIM, axis=1)
    plan = SimpleNamespace(actions=actions, reach_steps=STEPS)
    return Lookout(branch or Copy(), plan, SimpleNamespace(qpos=pose()))


def seen(look: Lookout, steps: int, *last) -> bool:
    """Whether it is news that the target is at `last` after so many steps, in which it has not moved."""
    assert not any(look.is_moved(SimpleNamespace(qpos=pose())) for _ in range(steps - 1))
    return look.is_moved(SimpleNamespace(qpos=pose(*last)))


@pytest.mark.parametrize(
    ("last", "news"), [((0.004,), False), ((0.006,), True), ((0.0, 0.05), False), ((0.0, 0.1), True)]
)
def test_a_few_millimetres_or_degrees_are_news(last, news):
    assert seen(lookout(), 5, *last) is news


def test_what_the_hand_pushes_itself_is_expected_and_the_copy_is_asked_only_then():
    branch = Copy()
    assert not seen(lookout(branch), 20, 0.004)
    assert not hasattr(branch, "asked")
    assert not seen(lookout(branch), 20, 0.010)
    assert seen(lookout(branch), 20, 0.016)


@pytest.mark.parametrize("step", [1, 8, STEPS - 1, STEPS])
def test_it_slows_down_along_the_plan_and_rests(step):
    look = lookout()
    assert seen(look, step, 0.05)
    stop = look.stop()
    assert stop.shape == (len(PACES) + REST_STEPS, spec.ACTION_DIM)
    way = np.diff(np.vstack([np.full(spec.ACTION_DIM, 0.01 * step), stop]), axis=0) / 0.01
    assert way.min() > -1e-9
    assert way[len(PACES) :] == pytest.approx(0.0)
    if step <= STEPS - 3:
        np.testing.assert_allclose(way[: len(PACES), 0], PACES)
    assert stop.max() <= 0.01 * STEPS + 1e-12  # never on into the closing of the hand


class Tape(Observer):
    """The commanded arm in rad, every step."""

    def on_reset(self, env, observation, info):
        self.arm = [env.servo.reference_rad.copy()]

    def on_step(self, env, action, observation, reward, info):
        self.arm.append(env.servo.reference_rad.copy())


@pytest.mark.slow
def test_a_shoved_target_is_grasped_within_seconds_and_no_joint_is_jerked():
    env, tape, expert = SimEnv("disturbance"), Tape(), Expert()
    result = run_episode(env, expert, make_episode("disturbance", 1), observers=[tape])
    assert (result.success, result.shoved) == (True, True)
    assert 1.5 < result.recovery_s < 5.0  # 10 s where it notices only after its grasp has failed
    arm = np.array([tape.arm[0], *tape.arm])
    acceleration = np.diff(arm, 2, axis=0) * spec.CONTROL_HZ**2
    assert (np.abs(acceleration) < 0.5 * MAX_ACCELERATION_RAD_S2).all()


def test_the_copy_says_where_the_target_will_be_without_touching_the_episode():
    env = SimEnv("seen_objects")
    observation, _ = env.reset(options={"index": 0})
    branch = Branch(env.scene)
    branch.snapshot(env.data, env.servo)
    actions = np.repeat(observation[spec.STATE][None].astype(float), 6, axis=0)
    before = env.data.qpos.copy()
    path = branch.target_path(actions)
    np.testing.assert_array_equal(env.data.qpos, before)
    for action, expected in zip(actions, path, strict=True):
        env.step(action)
        np.testing.assert_array_equal(env.data.qpos[env.scene.object_qpos[0]], expected)
