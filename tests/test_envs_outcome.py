"""The ladder: one word at the end, from readings alone."""

import numpy as np
import pytest
from dm_control.utils import transformations

from envs import outcome, spec
from envs.interface import OUTCOMES, SUCCESSES
from envs.outcome import Progress, Readings

REST = Readings(target_lowest_m=0.0, other_raised_m=0.0, hand_on_target=False, station_force_n=0.0)
TOUCHED = Readings(0.0, 0.0, True, 0.0)
LIFTING = Readings(0.05, 0.0, True, 0.0)
UP = Readings(0.15, 0.0, True, 0.0)
OTHER_UP = Readings(0.0, 0.15, False, 0.0)
CRASH = Readings(0.0, 0.0, False, spec.COLLISION_FORCE_N + 1)
LONG = 1000  # more steps than an attempt has


def ended(readings: list[Readings]) -> tuple[str, int]:
    """(word, steps) of an attempt, in the order in which the environment asks."""
    progress = Progress()
    for now in readings:
        progress = outcome.advance(progress, now)
        if outcome.ready_to_hold(progress):
            return "hold", progress.steps
        if (word := outcome.early_failure(progress)) is not None:
            return word, progress.steps
        if outcome.out_of_time(progress):
            return outcome.timeout_word(progress), progress.steps
    raise AssertionError("the attempt did not end")


@pytest.mark.parametrize(
    ("readings", "word", "steps"),
    [
        ([REST] * LONG, "timeout", 300),
        ([REST] * 5 + [TOUCHED] + [REST] * LONG, "missed", 300),
        ([TOUCHED] * LONG, "missed", 300),
        ([LIFTING] + [REST] * LONG, "slipped", 300),
        ([UP] * 9 + [REST] * LONG, "slipped", 300),
        ([REST] * 20 + [UP] * LONG, "hold", 30),
        ([OTHER_UP] * LONG, "wrong_object", 10),
        ([REST] * 3 + [CRASH] + [REST] * LONG, "collision", 4),
        ([REST] * 299 + [CRASH], "collision", 300),
        ([REST] * 290 + [UP] * 10, "hold", 300),
        ([OTHER_UP] * 9 + [Readings(0.0, 0.15, False, spec.COLLISION_FORCE_N + 1)], "collision", 10),
    ],
)
def test_an_attempt_ends_with_the_right_word_in_time(readings, word, steps):
    assert ended(readings) == (word, steps)


def test_the_protocol_s_times_are_whole_steps():
    assert (outcome.UP_STEPS, outcome.ATTEMPT_STEPS, outcome.HOLD_STEPS) == (10, 300, 400)


def test_the_target_must_be_up_for_half_a_second_without_a_break():
    broken = [UP] * 9 + [LIFTING] + [UP] * 9 + [REST] * LONG
    assert ended(broken) == ("slipped", 300)
    assert ended([UP] * 9 + [LIFTING] + [UP] * LONG) == ("hold", 20)


def test_lifting_both_is_no_wrong_object_while_the_target_is_up():
    both = Readings(0.15, 0.15, True, 0.0)
    assert ended([both] * LONG) == ("hold", 10)


def test_the_time_of_the_lift_is_when_the_last_rise_began():
    progress = Progress()
    for now in [REST, UP, REST, UP, UP, UP]:
        progress = outcome.advance(progress, now)
    assert progress.up_since_s == pytest.approx(4 * spec.CONTROL_PERIOD_S)
    assert outcome.advance(progress, REST).up_since_s is None


def test_exactly_the_limit_of_force_is_no_collision_yet():
    at_limit = Readings(0.0, 0.0, False, spec.COLLISION_FORCE_N)
    assert ended([at_limit] * LONG)[0] == "timeout"


@pytest.mark.parametrize(
    ("lowest", "disturbed", "word"),
    [(0.1, False, "success"), (0.1, True, "disturbed"), (0.0999, False, "dropped"), (0.0999, True, "dropped")],
)
def test_the_hold_decides_between_success_disturbed_and_dropped(lowest, disturbed, word):
    assert outcome.hold_word(lowest, disturbed) == word


def test_every_word_that_can_come_up_is_in_the_vocabulary_and_only_two_are_successes():
    words = {"timeout", "missed", "slipped", "wrong_object", "collision", "success", "disturbed", "dropped"}
    assert words == set(OUTCOMES) - {"planner", "error"}
    assert {word for word in OUTCOMES if outcome.is_success(word)} == set(SUCCESSES) == {"success", "disturbed"}
    assert not outcome.is_success(None)


def turned(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    return transformations.axisangle_to_quat(np.asarray(axis, float) * np.radians(degrees))


def test_tilt_is_the_angle_to_the_old_vertical_and_ignores_turning_on_the_spot():
    rng = np.random.default_rng(0)
    for _ in range(50):
        start = transformations.axisangle_to_quat(rng.normal(size=3))
        heading = rng.uniform(0, 2 * np.pi)
        tilt = rng.uniform(0, 180)
        lean = turned((np.cos(heading), np.sin(heading), 0), tilt)
        spin = turned((0, 0, 1), rng.uniform(-180, 180))
        after = transformations.quat_mul(lean, transformations.quat_mul(spin, start))
        sign = rng.choice([-1, 1])  # both quaternions of a rotation mean the same
        (measured,) = outcome.tilt_between_deg(start[None], sign * after[None])
        assert measured == pytest.approx(tilt, abs=1e-4)


def moved(poses: np.ndarray, index: int, shift=(0.0, 0.0, 0.0), turn=(1.0, 0.0, 0.0, 0.0)) -> np.ndarray:
    after = poses.copy()
    after[index, :3] += shift
    after[index, 3:] = transformations.quat_mul(np.asarray(turn), poses[index, 3:])
    return after


@pytest.mark.parametrize(
    ("shift", "turn", "expected"),
    [
        ((0, 0, 0), (1, 0, 0, 0), False),
        ((0.049, 0, 0), (1, 0, 0, 0), False),
        ((0.03, 0.041, 0), (1, 0, 0, 0), True),
        ((0, 0, 0), turned((1, 0, 0), 44), False),
        ((0, 0, 0), turned((1, 1, 0), 44), True),  # not a unit axis: 62 degrees
        ((0, 0, 0), turned((0, 1, 0), 46), True),
        ((0, 0, 0), turned((0, 0, 1), 170), False),
        ((0, 0, -0.06), (1, 0, 0, 0), True),
        ((0, 0, 0.06), (1, 0, 0, 0), True),
    ],
)
@pytest.mark.parametrize("index", [0, 2])
def test_a_neighbour_is_disturbed_when_it_moved_toppled_or_fell(shift, turn, expected, index):
    poses = np.array([[0.5, -0.1, 0.04, *turned((0.2, 0.3, 1), 50)]] * 3)
    after = moved(poses, index, shift, turn)
    assert outcome.neighbour_disturbed(poses, after) is expected
    assert outcome.neighbour_motion_m(poses, after) == pytest.approx(np.linalg.norm(shift))


def test_without_neighbours_nothing_is_disturbed():
    nobody = np.zeros((0, 7))
    assert outcome.neighbour_disturbed(nobody, nobody) is False
    assert outcome.neighbour_motion_m(nobody, nobody) == 0.0
