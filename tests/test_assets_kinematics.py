"""The arm's kinematics against the vendor's own library, against MuJoCo and against themselves."""

import mujoco
import numpy as np
import pytest
from Robotic_Arm.rm_robot_interface import Algo, rm_force_type_e, rm_robot_arm_model_e

from assets.robots import kinematics, rm75, station

POSITION_TOLERANCE_M = 0.5e-3
ROTATION_TOLERANCE_RAD = np.deg2rad(0.1)
LOW, HIGH = rm75.JOINT_LIMITS_RAD.T


def _postures(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(LOW, HIGH, size=(count, 7))


def _angle_between(a: np.ndarray, b: np.ndarray) -> float:
    # From the antisymmetric part: acos of the trace would lose half of the digits near zero.
    turn = a.T @ b
    sine = 0.5 * np.linalg.norm([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    return float(np.arctan2(sine, 0.5 * (np.trace(turn) - 1.0)))


def _rotation(quat: np.ndarray) -> np.ndarray:
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, np.asarray(quat, dtype=float))
    return matrix.reshape(3, 3)


def _assert_same_pose(pose: np.ndarray, position: np.ndarray, rotation: np.ndarray) -> None:
    assert np.linalg.norm(pose[:3, 3] - position) < POSITION_TOLERANCE_M
    assert _angle_between(pose[:3, :3], rotation) < ROTATION_TOLERANCE_RAD


@pytest.fixture(scope="module")
def vendor() -> Algo:
    return Algo(rm_robot_arm_model_e.RM_MODEL_RM_75_E, rm_force_type_e.RM_MODEL_RM_SF_E)


@pytest.fixture(scope="module")
def arm() -> mujoco.MjModel:
    return rm75.build().compile()


def test_vendor_agrees_with_forward_and_with_the_compiled_arm(vendor, arm):
    data = mujoco.MjData(arm)
    for q in _postures(1000, seed=1):
        told = np.array(vendor.rm_algo_forward_kinematics(np.rad2deg(q).tolist(), 0))
        position, rotation = told[:3], _rotation(told[3:])
        _assert_same_pose(kinematics.forward(q), position, rotation)
        data.qpos[:] = q
        mujoco.mj_kinematics(arm, data)
        flange = data.site("flange")
        _assert_same_pose(
            np.block([[flange.xmat.reshape(3, 3), flange.xpos[:, None]], [0, 0, 0, 1]]), position, rotation
        )


def test_vendor_euler_angles_are_rz_ry_rx(vendor):
    for q in _postures(20, seed=2):
        told = np.array(vendor.rm_algo_forward_kinematics(np.rad2deg(q).tolist(), 1))
        cos, sin = np.cos(told[3:]), np.sin(told[3:])
        about_x = np.array([[1, 0, 0], [0, cos[0], -sin[0]], [0, sin[0], cos[0]]])
        about_y = np.array([[cos[1], 0, sin[1]], [0, 1, 0], [-sin[1], 0, cos[1]]])
        about_z = np.array([[cos[2], -sin[2], 0], [sin[2], cos[2], 0], [0, 0, 1]])
        _assert_same_pose(kinematics.forward(q), told[:3], about_z @ about_y @ about_x)


def test_station_site_is_base_times_forward():
    model = station.build_station().compile()
    data = mujoco.MjData(model)
    joints = [model.joint(f"arm/joint{i}").qposadr[0] for i in range(1, 8)]
    for q in _postures(100, seed=3):
        data.qpos[joints] = q
        mujoco.mj_kinematics(model, data)
        pose = station.ARM_BASE_IN_WORLD @ kinematics.forward(q)
        np.testing.assert_allclose(data.site("arm/flange").xpos, pose[:3, 3], atol=1e-6)
        np.testing.assert_allclose(data.site("arm/flange").xmat.reshape(3, 3), pose[:3, :3], atol=1e-6)
        hand = pose @ station.HAND_IN_FLANGE
        np.testing.assert_allclose(data.site("hand/frame").xmat.reshape(3, 3), hand[:3, :3], atol=1e-6)


def test_inverse_solutions_all_reach_the_pose_inside_the_limits():
    found = 0
    for q in _postures(200, seed=4):
        pose = kinematics.forward(q)
        solutions = kinematics.inverse(pose)
        assert solutions.shape[1] == 7
        assert np.all(solutions >= LOW - 1e-9)
        assert np.all(solutions <= HIGH + 1e-9)
        for solution in solutions[:: max(1, len(solutions) // 20)]:
            np.testing.assert_allclose(kinematics.forward(solution), pose, atol=1e-9)
        found += bool(len(solutions))
    assert found >= 195  # a random posture may hide between two swivel angles, hardly more


def test_inverse_contains_the_posture_the_pose_came_from():
    for q in _postures(200, seed=5):
        solutions = kinematics.inverse(kinematics.forward(q), np.array([kinematics.swivel_angle(q)]))
        assert np.abs(solutions - q).max(axis=1).min() < 1e-7


def test_the_swivel_grid_contains_a_neighbour_of_every_named_pose():
    for name in ("init", "placement", "return_medium"):
        q = rm75.POSES[name]
        solutions = kinematics.inverse(kinematics.forward(q))
        same_branch = np.all(np.sign(solutions[:, [1, 3, 5]]) == np.sign(q[[1, 3, 5]]), axis=1)
        off = np.array([kinematics.swivel_angle(s) for s in solutions[same_branch]]) - kinematics.swivel_angle(q)
        assert np.abs(off).min() <= np.deg2rad(5.0) + 1e-9, name


def test_all_eight_branches_appear():
    q = np.array([0.3, -1.0, 0.2, -1.3, 0.4, 0.9, 0.5])
    solutions = kinematics.inverse(kinematics.forward(q))
    assert len(np.unique(np.sign(solutions[:, [1, 3, 5]]), axis=0)) == 8


def test_joint_7_comes_with_whole_turns():
    q = np.array([0.3, -1.0, 0.2, -1.3, 0.4, 0.9, 0.5])
    solutions = kinematics.inverse(kinematics.forward(q), np.array([kinematics.swivel_angle(q)]))
    turned = solutions[np.abs(solutions[:, :6] - q[:6]).max(axis=1) < 1e-7, 6]
    np.testing.assert_allclose(np.sort(turned), [0.5 - 2 * np.pi, 0.5], atol=1e-7)


@pytest.mark.parametrize("distance", [0.26 + 0.21, 0.60, 2.0])
def test_unreachable_poses_have_no_solution(distance):
    pose = np.eye(4)
    pose[:3, 3] = kinematics.SHOULDER_IN_BASE + [0.0, 0.0, distance + kinematics.TOOL_M]
    assert kinematics.inverse(pose).shape == (0, 7)


def test_too_close_poses_have_no_solution():
    pose = np.eye(4)
    pose[:3, 3] = kinematics.SHOULDER_IN_BASE + [0.0, 0.01, kinematics.TOOL_M]
    assert kinematics.inverse(pose).shape == (0, 7)


def test_stretched_arm_is_solved_although_the_elbow_has_no_angle():
    q = np.array([0.4, -0.8, 0.0, 0.0, 0.3, 0.7, -0.2])
    pose = kinematics.forward(q)
    solutions = kinematics.inverse(pose)
    assert len(solutions)
    # At the edge of the sphere the elbow angle is the root of a rounding error: 1e-8 rad is all there is.
    np.testing.assert_allclose(kinematics.forward(solutions[0]), pose, atol=1e-7)


def test_swivel_of_the_named_poses():
    # Fitted figures of the published poses: the elbow hangs 36, 47 and 27 deg to the robot's right.
    for name, degrees in (("init", 36), ("placement", 47), ("return_medium", 27)):
        assert np.rad2deg(kinematics.swivel_angle(rm75.POSES[name])) == pytest.approx(degrees, abs=1.0)


def test_up_in_base_is_the_world_up_of_the_station():
    np.testing.assert_allclose(station.ARM_BASE_IN_WORLD[:3, :3] @ kinematics.UP_IN_BASE, [0, 0, 1], atol=1e-5)


def test_swivelling_keeps_shoulder_and_wrist_and_turns_the_elbow():
    pose = kinematics.forward(rm75.POSES["init"])
    for angle in np.linspace(-3, 3, 13):
        for solution in kinematics.inverse(pose, np.array([angle])):
            assert kinematics.swivel_angle(solution) == pytest.approx(angle, abs=1e-8)
