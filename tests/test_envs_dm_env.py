"""The face for dm_env and dm_control: the same world, accepted by their own tests and by the viewer's runtime."""

import warnings

import dm_env
import numpy as np
import pytest
from absl.testing import absltest
from dm_env import test_utils
from scripted import SUITE, digest, grasp

from envs import spec
from envs.interface import EpisodeError
from envs.sim import SimEnv

with warnings.catch_warnings():
    # dm_control looks for a screen while it is imported, and GLFW warns where there is none.
    warnings.simplefilter("ignore")
    from dm_control.viewer import runtime

    from envs.dm_env import DexClutter, load

SMALL = (64, 48)


@pytest.fixture(autouse=True)
def _a_screen_is_not_needed():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*GLFW.*")
        yield


class ContractOfStates(test_utils.EnvironmentTestMixin, absltest.TestCase):
    """dm_env's own tests, with actions that go beyond the end of an episode."""

    obs_mode, hand, steps = "state", "rh56", 310

    def make_object_under_test(self) -> dm_env.Environment:
        return load(index=2, obs_mode=self.obs_mode, hand=self.hand, image_size=SMALL)

    def make_action_sequence(self):
        for _ in range(self.steps):
            yield self.environment.gym_env.servo.measured(self.environment.gym_env.data)


class ContractOfPictures(ContractOfStates):
    """The same with pictures and the other hand, briefly."""

    obs_mode, hand, steps = "rgb", "g0r", 10


def test_the_specs_say_what_there_is():
    env = load(obs_mode="rgb", image_size=SMALL)
    action = env.action_spec()
    assert (action.shape, action.dtype) == ((13,), np.float32)
    np.testing.assert_array_equal(action.minimum, spec.ACTION_LOW)
    np.testing.assert_array_equal(action.maximum, spec.ACTION_HIGH)
    seen = env.observation_spec()
    assert set(seen) == {"state", "instruction", "head", "wrist"}
    assert (seen["head"].shape, seen["head"].dtype) == ((48, 64, 3), np.uint8)
    assert (seen["head"].minimum, seen["head"].maximum) == (0, 255)
    assert isinstance(seen["instruction"], dm_env.specs.StringArray)
    assert env.control_timestep() == 0.05
    assert "head" not in load().observation_spec()


def test_it_is_the_same_world_as_gymnasium_s_and_looking_at_physics_does_not_change_it():
    episode, actions = grasp()
    env = load(SUITE, index=episode.index, obs_mode="rgb", image_size=SMALL, reward_mode="dense")
    gym_env = SimEnv(SUITE, obs_mode="rgb", image_size=SMALL, reward_mode="dense")
    seen, _ = gym_env.reset(seed=0, options={"index": episode.index})
    assert env.physics.named.data.xpos["target"].shape == (3,)
    assert digest(env.reset().observation) == digest(seen)
    for number, action in enumerate(actions):
        step = env.step(action)
        observation, reward, terminated, _, _ = gym_env.step(action)
        assert digest(step.observation, step.reward) == digest(observation, reward)
        assert step.last() == terminated == (number == len(actions) - 1)
        assert env.physics.data.ptr is env.gym_env.data
    assert (step.reward, step.discount) == (1.0, 0.0)


def test_running_out_of_time_leaves_the_discount_at_one():
    env = load(index=2)
    step = env.reset()
    assert (step.step_type, step.reward, step.discount) == (dm_env.StepType.FIRST, None, None)
    still = step.observation["state"]
    for _ in range(299):
        step = env.step(still)
        assert (step.step_type, step.discount) == (dm_env.StepType.MID, 1.0)
    step = env.step(still)
    assert (step.step_type, step.discount) == (dm_env.StepType.LAST, 1.0)
    assert env.step(still).first()


def test_a_seed_decides_the_order_of_the_episodes_and_an_index_keeps_one():
    one, two = load(seed=5), load(seed=5)
    first = [digest(one.reset().observation) for _ in range(3)]
    assert [digest(two.reset().observation) for _ in range(3)] == first
    assert len(set(first)) == 3
    kept = load(index=4)
    assert len({digest(kept.reset().observation) for _ in range(2)}) == 1


def test_physics_is_the_live_simulation_by_name():
    env = load(index=2)
    physics = env.physics
    env.reset()
    assert env.physics is physics  # the first reset plays what was seen
    assert physics.model.ptr is env.gym_env.model
    physics.named.data.qpos["target"][2] += 0.5
    lifted = env.gym_env.scene.object_poses(env.gym_env.data)[0, 2]
    assert lifted > 0.5
    env.step(env.gym_env.servo.measured(env.gym_env.data))
    assert physics.time() == pytest.approx(0.05)
    assert physics.timestep() == spec.TIMESTEP_S
    picture = physics.render(48, 64, camera_id="outside")
    assert picture.shape == (48, 64, 3)
    assert picture.std() > 10
    env.reset()
    assert env.physics is not physics
    assert env.physics.data.ptr is env.gym_env.data


def test_the_viewer_s_runtime_plays_it_through_the_end_of_an_episode():
    env = load(index=2)
    errors, changes, begun = [], [], []
    played = runtime.Runtime(env, lambda step: step.observation["state"])

    def on_error(message):
        errors.append(message)

    def on_change():
        changes.append(env.physics.data.ptr)

    def on_begin():
        begun.append(env.physics.time())

    played.on_error += on_error
    played.on_physics_changed += on_change
    played.on_episode_begin += on_begin
    for _ in range(5):
        played.tick(0.1, False)
    assert played.get_time() == pytest.approx(0.4, abs=0.11)
    played.tick(0.1, True)  # paused
    played.restart()
    played.tick(0.1, False)
    assert changes == [env.gym_env.data]  # the restart compiled a new model, and the viewer heard of it
    assert begun == [0.0, 0.0]
    while played.state is runtime.State.RUNNING:
        played.tick(0.2, False)
    assert played.state is runtime.State.STOPPED
    assert env.gym_env.outcome == "timeout"
    assert errors == []


def test_it_can_be_closed_twice_and_refuses_what_simenv_refuses():
    env = load(index=2, obs_mode="rgb", image_size=SMALL)
    with env:
        env.reset()
    env.close()
    with pytest.raises(EpisodeError, match="unknown suite"):
        load("nowhere")
    assert isinstance(DexClutter(SimEnv()), dm_env.Environment)
