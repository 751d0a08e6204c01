"""Recording: rows line up with the actions, and the recorded states bring the scene back."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from datagen.record import DemoRecorder, grasps
from datagen.search import CLOSE
from datagen.storage import DemoFile
from envs import spec
from envs.interface import EpisodeResult, Policy
from envs.rollout import run_episode
from envs.sim import STATE_KIND, SimEnv


class Wave(Policy):
    """Moves the fingers to and fro, a little further each time."""

    name = "wave"

    def reset(self, env, seed):
        self.steps = 0

    def act(self, observation):
        action = observation[spec.STATE].copy()
        action[spec.HAND] = 0.5 + 0.4 * np.sin(0.3 * self.steps)
        self.steps += 1
        return action


class Declared(DemoRecorder):
    """Takes the episode for a success."""

    def on_end(self, env, result: EpisodeResult):
        super().on_end(env, replace(result, success=True))


@pytest.fixture(scope="module")
def episode():
    env = SimEnv(suite="seen_objects", obs_mode="rgb", image_size=(64, 48))
    env.reset(seed=0, options={"index": 3})
    return env, env.scene.episode


def test_a_failure_is_not_recorded(tmp_path, episode):
    env, chosen = episode
    file = DemoFile(tmp_path / "demos.h5")
    run_episode(env, Wave(), chosen, observers=[DemoRecorder(file, {})])
    assert file.names() == []


def test_what_is_recorded_is_what_the_policy_saw_and_did_in_its_last_attempt(tmp_path, episode):
    env, chosen = episode
    file = DemoFile(tmp_path / "demos.h5")
    result = run_episode(env, Wave(), chosen, attempts=2, observers=[Declared(file, {"mujoco": "x"})])
    demo = file.read("demo_3")
    steps = env.progress.steps
    assert result.steps > steps  # both attempts were played
    assert demo.actions.shape == (steps, 13)
    assert demo.obs["state"].shape == (steps, 13)
    assert demo.obs["head"].shape == demo.obs["wrist"].shape == (steps, 48, 64, 3)
    assert set(demo.obs) == {"state", "head", "wrist"}
    assert demo.dones.tolist() == [False] * (steps - 1) + [True]
    assert (demo.suite, demo.instruction, demo.versions) == ("seen_objects", chosen.instruction, {"mujoco": "x"})
    assert demo.spec["index"] == 3
    # The policy acts on the state of the same row: its arm targets repeat it.
    np.testing.assert_array_equal(demo.actions[:, spec.ARM], demo.obs["state"][:, spec.ARM])


def test_a_recorded_state_and_action_lead_to_the_next_recorded_state(tmp_path, episode):
    env, chosen = episode
    file = DemoFile(tmp_path / "demos.h5")
    run_episode(env, Wave(), chosen, observers=[Declared(file, {})])
    demo = file.read("demo_3")
    row = 20
    mujoco.mj_setState(env.model, env.data, demo.states[row], STATE_KIND)
    mujoco.mj_forward(env.model, env.data)
    np.testing.assert_array_equal(env.servo.measured(env.data), demo.obs["state"][row])


def test_phases_are_those_that_the_policy_was_in(tmp_path, episode):
    env, chosen = episode
    file, policy = DemoFile(tmp_path / "demos.h5"), Wave()
    run_episode(env, policy, chosen, observers=[Declared(file, {}, lambda: policy.steps % 4)])
    demo = file.read("demo_3")
    assert demo.phases.tolist() == [(step + 1) % 4 for step in range(len(demo.actions))]
    assert demo.attempts == np.count_nonzero(demo.phases == CLOSE) > 1


@pytest.mark.parametrize(
    ("phases", "count"),
    [([-1, -1], 0), ([0, 1, 2, 2, 3], 1), ([2, 2, 3, 0, 1, 2, 3, 3], 2), ([0, 1, 2], 1), ([0, 0], 0)],
)
def test_each_closing_hand_counts_as_a_grasp(phases, count):
    assert grasps(np.array(phases, np.int8)) == count
