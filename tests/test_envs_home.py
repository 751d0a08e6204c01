"""The way home: continuous, slow enough, upwards first, and at the start pose with a resting hand in the end."""

import numpy as np
import pytest
from scripted import grasp

from assets.robots.hands import HANDS, get_hand
from assets.robots.rm75 import JOINT_LIMITS_RAD, MAX_SPEED_RAD_S, POSES
from datagen.motion import hand_pose
from envs import spec
from envs.control import arm_from_rad, arm_to_rad
from envs.home import OPEN_STEPS, RISE_M, RISE_STEPS, homing_actions

HOME = POSES["init"]


RNG = np.random.default_rng(2)
ARMS = [*(HOME + RNG.uniform(-0.6, 0.6, (12, 7))), JOINT_LIMITS_RAD[:, 1] * 0.99]  # the last has nowhere to rise to
STATES = [np.concatenate([arm_from_rad(arm), RNG.uniform(0, 1, 6)]) for arm in ARMS]


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("state", STATES, ids=range(len(STATES)))
def test_the_way_is_continuous_and_ends_at_home(state, hand):
    rest = np.asarray(get_hand(hand).rest_action)
    actions = np.array(list(homing_actions(state, HOME, rest)))
    assert (actions >= spec.ACTION_LOW - 1e-6).all()
    assert (actions <= spec.ACTION_HIGH + 1e-6).all()
    path = np.concatenate([arm_to_rad(state[spec.ARM])[None], arm_to_rad(actions[:, spec.ARM])])
    speed = np.abs(np.diff(path, axis=0)) / spec.CONTROL_PERIOD_S
    assert (speed <= MAX_SPEED_RAD_S).all()
    np.testing.assert_allclose(path[-1], HOME, atol=1e-12)
    np.testing.assert_allclose(actions[-1, spec.HAND], rest, atol=1e-12)
    assert len(actions) < 15 * spec.CONTROL_HZ


def test_the_hand_opens_before_the_arm_moves_and_rises_before_it_travels():
    state = grasp()[1][-25].astype(float)  # in the middle of a grasp: near the table, with room above
    actions = np.array(list(homing_actions(state, HOME, np.ones(6))))
    np.testing.assert_allclose(actions[:OPEN_STEPS, spec.ARM], np.tile(state[spec.ARM], (OPEN_STEPS, 1)))
    opening = actions[:OPEN_STEPS, spec.HAND]
    assert (np.diff(opening, axis=0) >= -1e-12).all()
    np.testing.assert_allclose(actions[OPEN_STEPS:, spec.HAND], 1.0)
    rising = [hand_pose(arm_to_rad(a[spec.ARM])) for a in actions[OPEN_STEPS : OPEN_STEPS + RISE_STEPS]]
    start = hand_pose(arm_to_rad(state[spec.ARM]))
    heights = np.array([pose[2, 3] for pose in rising]) - start[2, 3]
    assert heights[-1] >= RISE_M / 4 - 1e-6
    assert heights.min() > -0.01
    sideways = np.array([np.linalg.norm(pose[:2, 3] - start[:2, 3]) for pose in rising])
    assert sideways[-1] < 1e-6
    np.testing.assert_allclose(rising[-1][:3, :3], start[:3, :3], atol=1e-6)
