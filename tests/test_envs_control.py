"""Thirteen numbers to actuator targets and back, for both hands."""

import mujoco
import numpy as np
import pytest

from assets.robots.hands import HANDS, get_hand
from assets.robots.rm75 import JOINT_LIMITS_RAD, MAX_SPEED_RAD_S, POSES
from assets.robots.station import build_station
from envs import control, spec
from envs.interface import ActionError
from envs.physics import set_options

RNG_SEED = 7
both_hands = pytest.mark.parametrize("hand", HANDS)


def bare_robot(hand: str) -> tuple[mujoco.MjModel, mujoco.MjData, control.Servo]:
    world = build_station(hand)
    set_options(world)
    model = world.compile()
    data, servo = mujoco.MjData(model), control.Servo(model, get_hand(hand))
    servo.reset(data, POSES["init"], np.ones(spec.HAND_DOF))
    mujoco.mj_forward(model, data)
    return model, data, servo


def action(arm_rad: np.ndarray, opening: np.ndarray) -> np.ndarray:
    return np.concatenate([control.arm_from_rad(arm_rad), opening])


def test_arm_angles_survive_the_round_trip():
    scaled = np.random.default_rng(RNG_SEED).uniform(-1, 1, (1000, 7))
    np.testing.assert_allclose(control.arm_from_rad(control.arm_to_rad(scaled)), scaled, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(control.arm_to_rad(np.ones(7)), [3.1, 2.268, 3.1, 2.355, 3.1, 2.233, 6.28])


@both_hands
def test_hand_openings_survive_the_round_trip(hand):
    hand = get_hand(hand)
    opening = np.random.default_rng(RNG_SEED).uniform(0, 1, (1000, 6))
    angles = control.hand_to_rad(opening, hand)
    np.testing.assert_allclose(control.hand_from_rad(angles, hand), opening, rtol=0, atol=1e-14)
    np.testing.assert_allclose(control.hand_to_rad(np.ones(6), hand), hand.open_rad, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(control.hand_to_rad(np.zeros(6), hand), hand.closed_rad)


def test_every_register_survives_the_round_trip():
    registers = np.arange(control.REGISTER_MAX + 1)
    back = control.hand_to_registers(control.hand_from_registers(registers))
    np.testing.assert_array_equal(back, registers)
    assert np.issubdtype(back.dtype, np.integer)


def test_openings_are_rounded_to_the_nearest_register_and_never_leave_the_range():
    openings = np.array([-0.2, 0.0, 0.00049, 0.00051, 0.5, 0.99951, 1.0, 1.7])
    np.testing.assert_array_equal(control.hand_to_registers(openings), [0, 0, 0, 1, 500, 1000, 1000, 1000])
    some = np.random.default_rng(RNG_SEED).uniform(0, 1, (1000, 6))
    there_and_back = control.hand_from_registers(control.hand_to_registers(some))
    assert np.abs(there_and_back - some).max() <= 0.5 / control.REGISTER_MAX + 1e-12


def test_an_action_inside_the_space_is_left_alone():
    inside = np.random.default_rng(RNG_SEED).uniform(spec.ACTION_LOW, spec.ACTION_HIGH)
    checked = control.check_action(inside)
    np.testing.assert_array_equal(checked, inside)
    assert checked.dtype == np.float64


def test_an_action_outside_the_space_is_clipped_and_the_caller_s_array_is_not():
    wild = np.array([5.0, -5.0] + [0.5] * 5 + [-0.1, 1.1] + [0.5] * 4)
    before = wild.copy()
    checked = control.check_action(wild)
    np.testing.assert_array_equal(checked, [1.0, -1.0] + [0.5] * 5 + [0.0, 1.0] + [0.5] * 4)
    np.testing.assert_array_equal(wild, before)


@pytest.mark.parametrize("shape", [(), (12,), (14,), (1, 13), (13, 1)])
def test_an_action_of_another_shape_is_refused(shape):
    with pytest.raises(ActionError, match=r"shape \(13,\)"):
        control.check_action(np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_action_that_is_no_number_is_refused_by_the_joint_s_name(bad):
    values = np.zeros(13)
    values[[2, 11]] = bad
    with pytest.raises(ActionError, match=r"arm/joint3, hand/thumb_bend"):
        control.check_action(values)


@both_hands
def test_the_state_is_what_the_robot_was_put_to(hand):
    model, data, servo = bare_robot(hand)
    rng = np.random.default_rng(RNG_SEED)
    for _ in range(50):
        arm = rng.uniform(JOINT_LIMITS_RAD[:, 0], JOINT_LIMITS_RAD[:, 1])
        opening = rng.uniform(0, 1, 6)
        servo.reset(data, arm, opening)
        measured = servo.measured(data)
        expected = np.clip(action(arm, opening), spec.ACTION_LOW, spec.ACTION_HIGH)
        assert measured.dtype == np.float32
        np.testing.assert_allclose(measured, expected, rtol=0, atol=1e-6)
        # The driven joints stand where their names say, in the order of the vocabulary.
        named = [data.qpos[model.joint(name).qposadr[0]] for name in get_hand(hand).driven_joints]
        np.testing.assert_allclose(named, control.hand_to_rad(opening, get_hand(hand)))


@both_hands
def test_the_state_never_leaves_the_space(hand):
    _, data, servo = bare_robot(hand)
    rng = np.random.default_rng(RNG_SEED)
    for _ in range(100):
        data.qpos[:] = rng.uniform(-9, 9, len(data.qpos))
        measured = servo.measured(data)
        assert (measured >= spec.ACTION_LOW).all()
        assert (measured <= spec.ACTION_HIGH).all()


@both_hands
def test_coupled_joints_follow_when_the_hand_is_put_somewhere(hand):
    model, data, servo = bare_robot(hand)
    for opening in np.random.default_rng(RNG_SEED).uniform(0, 1, (20, 6)):
        servo.reset(data, POSES["init"], opening)
        mujoco.mj_forward(model, data)
        rows = data.efc_type == mujoco.mjtConstraint.mjCNSTR_EQUALITY
        assert rows.sum() >= 5
        assert np.abs(data.efc_pos[rows]).max() < 1e-9


@both_hands
def test_a_period_lasts_50_ms_and_the_arm_arrives_where_it_is_sent(hand):
    _, data, servo = bare_robot(hand)
    goal = POSES["init"] + np.array([0.1, -0.1, 0.1, 0.1, -0.1, 0.1, 0.2])
    wanted = action(goal, np.array([0.7, 0.6, 0.5, 0.4, 0.8, 0.3]))
    start = data.time
    for _ in range(30):
        servo.run(data, wanted)
    assert data.time - start == pytest.approx(30 * spec.CONTROL_PERIOD_S)
    assert np.abs(data.qpos[servo.arm_qpos] - goal).max() < 0.02
    assert np.abs(servo.measured(data)[spec.HAND] - wanted[spec.HAND]).max() < 0.05


def test_the_reference_is_never_sent_faster_than_the_drive_turns():
    _, data, servo = bare_robot("g0r")
    before = servo.reference_rad
    for _ in range(5):
        servo.run(data, action(POSES["init"] + 2.0, np.ones(6)))
        speed = np.abs(servo.reference_rad - before) / spec.CONTROL_PERIOD_S
        assert (speed <= MAX_SPEED_RAD_S + 1e-9).all()
        assert (speed > 0.99 * MAX_SPEED_RAD_S).any()
        before = servo.reference_rad


def test_the_reference_stops_at_the_joint_limits():
    _, data, servo = bare_robot("g0r")
    for sign, limit in ((1, JOINT_LIMITS_RAD[:, 1]), (-1, JOINT_LIMITS_RAD[:, 0])):
        for _ in range(80):
            servo.run(data, np.concatenate([np.full(7, float(sign)), np.ones(6)]))
        reached = sign * servo.reference_rad
        assert (reached <= sign * limit + 1e-12).all()
        assert (reached >= np.minimum(sign * limit, spec.ARM_SCALE_RAD) - 1e-9).all()
