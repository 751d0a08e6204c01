"""The ladder by real physics: each word that an environment can say is brought about by moving the robot."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from scripted import SUITE, grasp

from assets.robots.station import TABLE_X, TABLE_Y
from datagen.expert import Expert
from datagen.motion import hand_pose
from envs import spec
from envs.control import arm_from_rad
from envs.episode import EpisodeSpec, make_episode
from envs.sim import SimEnv


@pytest.fixture(scope="module")
def env():
    return SimEnv(SUITE)


def start(env: SimEnv, episode: EpisodeSpec) -> None:
    env.reset(seed=0, options={"episode": episode})


def play(env: SimEnv, actions: Iterable[np.ndarray]) -> dict:
    """The last info after the actions, and after holding the last one until the attempt ends."""
    for action in actions:
        if env.outcome is None:
            *_, terminated, truncated, info = env.step(action)
    while env.outcome is None:
        *_, terminated, truncated, info = env.step(action)
    assert truncated == (info["outcome"] in ("timeout", "missed", "slipped"))
    assert terminated == (not truncated)
    return info


def step_until(env: SimEnv, actions: np.ndarray, height_m: float) -> np.ndarray:
    """Play until the target is so high; returns the action that was sent last."""
    for action in actions:
        *_, info = env.step(action)
        if info["target_lowest_m"] > height_m:
            return action
    raise AssertionError("the target did not rise")


def opened(action: np.ndarray) -> np.ndarray:
    return np.concatenate([action[spec.ARM], np.ones(spec.HAND_DOF, np.float32)])


def into_the_table(env: SimEnv) -> np.ndarray:
    """An action that asks for the fingertips well below the table top, from where the arm starts."""
    here, rng = np.asarray(env.scene.episode.arm_start_rad), np.random.default_rng(0)
    while True:
        posture = here + rng.uniform(-0.9, 0.9, spec.ARM_DOF)
        hand = hand_pose(posture)
        x, y, z = hand[:3, 3] + 0.15 * hand[:3, 2]
        if z < -0.08 and TABLE_X[0] < x < TABLE_X[1] and TABLE_Y[0] < y < TABLE_Y[1]:
            return np.concatenate([arm_from_rad(posture), env.servo.measured(env.data)[spec.HAND]])


def test_driving_the_hand_into_the_table_is_a_collision(env):
    start(env, grasp()[0])
    info = play(env, [into_the_table(env)])
    assert info["outcome"] == "collision"
    assert info["max_contact_force_n"] == info["station_force_n"] > spec.COLLISION_FORCE_N
    assert info["time_s"] < 1.0


def test_lifting_a_neighbour_is_the_wrong_object(env):
    episode, actions = grasp()
    first, second, *rest = episode.objects
    swapped = replace(episode, objects=(second, first, *rest))
    start(env, swapped)
    info = play(env, actions)
    assert info["outcome"] == "wrong_object"
    assert info["neighbour_motion_m"] > spec.LIFT_HEIGHT_M
    assert not info["success"]


def test_touching_without_lifting_is_missed(env):
    episode, actions = grasp()
    start(env, episode)
    for action in actions:
        *_, info = env.step(action)
        if info["hand_on_target"]:
            break
    info = play(env, [opened(action)])
    assert info["outcome"] == "missed"
    assert info["target_lowest_m"] < 0.02


def test_letting_go_below_the_height_is_slipped(env):
    episode, actions = grasp()
    start(env, episode)
    info = play(env, [opened(step_until(env, actions, 0.05))])
    assert info["outcome"] == "slipped"


def test_letting_go_during_the_hold_is_dropped(env):
    episode, actions = grasp()
    start(env, episode)
    for action in actions[:-1]:
        env.step(action)
    assert env.progress.up_steps == 9
    info = play(env, [opened(actions[-1])])
    assert info["outcome"] == "dropped"
    assert env.slip_m > 0.0
    assert info["target_lowest_m"] < spec.LIFT_HEIGHT_M
    assert env.data.time < len(actions) * 0.05 + 2.0  # the hold is given up as soon as it is lost


def test_a_success_with_a_neighbour_pushed_away_is_disturbed(env):
    episode, actions = grasp()
    start(env, episode)
    for action in actions[:-3]:
        env.step(action)
    address = env.scene.object_qpos[1]
    env.data.qpos[address[:2]] = [0.75, 0.4]  # a free corner of the table
    info = play(env, actions[-3:])
    assert info["outcome"] == "disturbed"
    assert info["success"]
    assert info["neighbour_motion_m"] > spec.DISTURBED_M


def test_after_a_retry_the_arm_is_home_the_scene_is_as_it_was_left_and_the_clock_starts_again(env):
    episode, actions = grasp()
    start(env, episode)
    play(env, [opened(step_until(env, actions, 0.05))])
    left = env.scene.object_poses(env.data)
    observation, info = env.retry()
    home = np.asarray(episode.arm_start_rad)
    assert np.abs(env.data.qpos[env.servo.arm_qpos] - home).max() < 0.02
    assert np.abs(observation[spec.STATE][spec.HAND] - env.scene.hand.rest_action).max() < 0.05
    assert np.abs(env.data.qvel[env.servo.arm_dof]).max() < 0.05
    assert (info["outcome"], info["time_s"], env.outcome, env.slip_m) == ("", 0.0, None, None)
    assert np.linalg.norm(env.scene.object_poses(env.data) - left, axis=1).max() < 0.05
    assert not np.array_equal(env.scene.object_poses(env.data), env.scene.initial_data().qpos[env.scene.object_qpos])
    expert = Expert()
    expert.reset(env, seed=1)
    steps = 0
    while env.outcome is None:
        observation, *_ = env.step(expert.act(observation))
        steps += 1
    assert env.outcome in ("success", "disturbed")
    assert env.progress.steps == steps


def test_a_neighbour_disturbed_in_an_earlier_attempt_does_not_count_in_the_next(env):
    episode, actions = grasp()
    start(env, episode)
    env.step(actions[0])
    env.data.qpos[env.scene.object_qpos[1][:2]] = [0.75, 0.4]
    *_, info = env.step(actions[1])
    assert info["neighbour_motion_m"] > 0.1
    _, info = env.retry()
    assert info["neighbour_motion_m"] == 0.0
    info = play(env, actions)
    assert info["outcome"] == "success"
    assert make_episode(SUITE, episode.index) == episode
