"""Inverse kinematics with a preference, and paths timed at 20 Hz."""

import numpy as np
import pytest

from assets.robots import kinematics
from assets.robots.rm75 import JOINT_LIMITS_RAD, MAX_SPEED_RAD_S, POSES
from datagen import motion
from envs import spec


def test_every_posture_puts_the_hand_where_it_was_asked_to_be():
    pose = motion.hand_pose(POSES["init"])
    found = motion.postures(pose)
    assert len(found) > 10
    for q in found:
        np.testing.assert_allclose(motion.hand_pose(q), pose, atol=1e-8)
        assert (q >= JOINT_LIMITS_RAD[:, 0] - 1e-6).all()
        assert (q <= JOINT_LIMITS_RAD[:, 1] + 1e-6).all()


def test_ranked_postures_begin_near_the_present_one():
    start = POSES["init"]
    ranked = motion.ranked_postures(motion.hand_pose(start), start)
    spread = np.linalg.norm((ranked - start) * motion.JOINT_WEIGHTS, axis=1)
    assert spread[0] < np.median(spread)


def test_swivels_of_many_postures_are_those_of_each():
    found = motion.postures(motion.hand_pose(POSES["init"]))
    each = [kinematics.swivel_angle(q) for q in found]
    np.testing.assert_allclose(motion.swivel_angles(found), each, atol=1e-12)
    near = POSES["placement"]
    cost = np.linalg.norm((found - near) * motion.JOINT_WEIGHTS, axis=1)
    cost += motion.SWIVEL_WEIGHT * np.abs(np.array(each) - motion.SWIVEL_RAD)
    np.testing.assert_array_equal(
        motion.ranked_postures(motion.hand_pose(POSES["init"]), near), found[np.argsort(cost, kind="stable")]
    )


def test_a_pose_out_of_reach_has_no_posture():
    pose = np.eye(4)
    pose[:3, 3] = (2.0, 0.0, 0.2)
    assert motion.postures(pose).shape == (0, 7)
    assert motion.nearest_posture(pose, POSES["init"], 1.0) is None
    assert motion.follow_line(POSES["init"], [pose]) is None


def test_following_a_line_never_jumps():
    start = POSES["init"]
    goals = []
    for height in np.linspace(0.01, 0.1, 10):
        pose = motion.hand_pose(start)
        pose[2, 3] += height
        goals.append(pose)
    path = motion.follow_line(start, goals)
    assert path is not None
    assert np.abs(np.diff(np.vstack([start, path]), axis=0)).max() < 0.2
    np.testing.assert_allclose(motion.hand_pose(path[-1]), goals[-1], atol=1e-8)


@pytest.mark.parametrize("least", [10, 60])
def test_a_timed_path_ends_exactly_and_stays_within_the_drives(least):
    waypoints = np.stack([POSES["init"], POSES["return_medium"], POSES["placement"]])
    steps = motion.duration_steps(waypoints, least)
    path = motion.timed(waypoints, steps)
    assert path.shape == (steps, spec.ARM_DOF)
    assert steps >= least
    np.testing.assert_array_equal(path[-1], waypoints[-1])
    speed = np.diff(np.vstack([waypoints[:1], path]), axis=0) * spec.CONTROL_HZ
    assert (np.abs(speed).max(axis=0) <= MAX_SPEED_RAD_S).all()
    assert np.abs(speed).max() <= 1.3 * motion.CRUISE_RAD_S
    acceleration = np.diff(np.vstack([np.zeros((1, 7)), speed, np.zeros((1, 7))]), axis=0) * spec.CONTROL_HZ
    assert np.abs(acceleration).max() <= 3 * motion.ACCELERATION_RAD_S2
