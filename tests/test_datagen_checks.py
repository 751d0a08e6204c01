"""Invariants of numbers and words: each holds of a good demonstration and breaks on the fault it is meant to find."""

from dataclasses import replace

import numpy as np
import pytest

from assets.objects.library import SEEN, UNSEEN, get_object
from assets.robots.rm75 import MAX_ACCELERATION_RAD_S2, MAX_SPEED_RAD_S
from datagen import checks
from envs import spec

STEPS = 60
LAYOUT = {
    "actions": ((STEPS, 13), "float32"),
    "states": ((STEPS, 399), "float64"),
    "rewards": ((STEPS,), "float32"),
    "dones": ((STEPS,), "bool"),
    "phases": ((STEPS,), "int8"),
    "obs/state": ((STEPS, 13), "float32"),
    "imitate": ((STEPS,), "bool"),
    "obs/head": ((STEPS, 48, 64, 3), "uint8"),
    "obs/wrist": ((STEPS, 48, 64, 3), "uint8"),
    "obs/mask": ((STEPS, 48, 64), "uint8"),
    "obs/box": ((STEPS, 4), "float32"),
}


def smooth(steps=STEPS):
    """Actions of a slow wave of the arm."""
    actions = np.zeros((steps, 13), np.float32)
    actions[:, spec.ARM] = 0.2 * np.sin(np.arange(steps) / 12)[:, None]
    return actions


def follower(actions, shift):
    """The state that repeats the actions `shift` steps later."""
    return np.roll(actions, shift, axis=0) if shift else actions.copy()


def episode(target=SEEN[0], others=(), table="train_plain", lighting="train_side"):
    names = (target, *others)
    return {
        "objects": [
            {"object_id": name, "pos": [0.5, 0.0, 0.1 * i], "quat": [1, 0, 0, 0]} for i, name in enumerate(names)
        ],
        "look": {"table": table, "lighting": lighting, "variant": 3},
        "arm_start_rad": [0.0] * 7,
        "instruction": "take it",
        "index": 5,
    }


def words(**changes):
    facts = {
        "phrasings": ["take it", "give it", "grasp it"],
        "instruction": "take it",
        "expression": "the only one",
        "target": SEEN[0],
        "family": get_object(SEEN[0]).family,
    }
    return facts | changes


def test_a_good_layout_passes_with_and_without_pictures():
    assert checks.layout_fault(LAYOUT, STEPS) == ""
    assert checks.layout_fault({k: v for k, v in LAYOUT.items() if k in checks.COLUMNS}, STEPS) == ""


@pytest.mark.parametrize("key", LAYOUT)
def test_a_wrong_length_dtype_or_shape_is_named(key):
    shape, dtype = LAYOUT[key]
    for wrong in (((STEPS - 1, *shape[1:]), dtype), (shape, "float16"), ((*shape, 2), dtype)):
        fault = checks.layout_fault(LAYOUT | {key: wrong}, STEPS)
        assert fault.startswith(f"{key} has ")
        assert "should be" in fault


@pytest.mark.parametrize("key", checks.COLUMNS)
def test_a_missing_column_is_named(key):
    assert checks.layout_fault({k: v for k, v in LAYOUT.items() if k != key}, STEPS) == f"{key} is missing"


def test_pictures_of_one_demonstration_have_one_size():
    fault = checks.layout_fault(LAYOUT | {"obs/mask": ((STEPS, 24, 32), "uint8")}, STEPS)
    assert fault.startswith("obs/mask has shape (60, 24, 32)")


def test_an_empty_demonstration_is_a_fault():
    assert checks.layout_fault(LAYOUT, 0) == "num_samples is 0"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_counted_and_located(bad):
    columns = {"actions": smooth(), "states": np.zeros((STEPS, 5))}
    assert checks.not_finite(columns) == ""
    columns["states"][7, 2] = bad
    assert checks.not_finite(columns) == "states holds 1 values that are not finite, first at row 7"


@pytest.mark.parametrize(("joint", "value"), [(0, 1.001), (6, -1.001), (7, -0.001), (12, 1.001)])
def test_actions_stay_inside_the_action_space(joint, value):
    actions = smooth()
    assert checks.outside_limits("action", actions) == ""
    actions[4, joint] = value
    fault = checks.outside_limits("action", actions)
    assert fault.startswith(f"action of {spec.ACTION_NAMES[joint]} is {value:g} at step 4")


def test_the_hand_opening_has_no_negative_half():
    actions = smooth()
    actions[:, 7] = -0.5
    assert "outside [0, 1]" in checks.outside_limits("state", actions)


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2, 3, 4, 6])
def test_the_lag_is_found_and_only_a_plausible_one_passes(shift):
    actions = smooth()
    lag = checks.lag_of(actions, follower(actions, shift))
    assert lag.shift == shift
    assert lag.residual_rad < 1e-6
    assert (checks.implausible_lag(lag) == "") == (0 <= shift <= 3)


def test_a_state_that_strays_is_implausible():
    actions = smooth()
    state = follower(actions, 1)
    state[:, spec.ARM] += np.random.default_rng(0).normal(0, 0.05, (STEPS, 7))
    assert "strays" in checks.implausible_lag(checks.lag_of(actions, state))


def test_an_arm_that_stands_still_has_no_lag():
    still = np.zeros((STEPS, 13), np.float32)
    assert checks.lag_of(still, still) is None
    assert checks.implausible_lag(None) == ""


PHASES = np.repeat([0, 1, 2, 3], 10).astype(np.int8)
REGRASP = np.concatenate([PHASES, PHASES])


@pytest.mark.parametrize(
    ("phases", "success", "recovery", "attempts", "fault"),
    [
        (PHASES, True, "none", 1, ""),
        (PHASES[:25], False, "none", 1, ""),
        (REGRASP, True, "miss", 1, ""),
        (REGRASP, True, "none", 2, ""),
        (REGRASP, True, "none", 1, "lift is followed by reach at step 40 without a recovery"),
        (PHASES[10:], True, "none", 1, "the first phase is pregrasp"),
        (PHASES[:25], True, "none", 1, "a success ends in phase close"),
        (np.concatenate([PHASES, PHASES[20:]]), True, "miss", 1, "lift goes back to close at step 40"),
        (np.array([0, 4], np.int8), False, "none", 1, "phases hold 0 to 4"),
        (np.array([0, -1], np.int8), False, "none", 1, "phases hold -1 to 0"),
    ],
)
def test_phases_run_forward_but_for_a_regrasp(phases, success, recovery, attempts, fault):
    found = checks.phase_fault(phases, success, recovery, attempts)
    assert found.startswith(fault)
    assert bool(found) == bool(fault)


def ending(dones=(False, False, True), rewards=(0.0, 0.0, 1.0), success=True, outcome="success"):
    return checks.end_fault(np.array(dones), np.array(rewards, np.float32), success, outcome)


def test_a_demonstration_ends_once_and_is_rewarded_for_success():
    assert ending() == ""
    assert ending(rewards=(0, 0, 0), success=False, outcome="slipped") == ""
    assert "dones are set at steps [1, 2]" in ending(dones=(False, True, True))
    assert "dones are set at steps []" in ending(dones=(False, False, False))
    assert "last reward is 0" in ending(rewards=(0, 0, 0))
    assert "last reward is 1" in ending(success=False, outcome="slipped")
    assert "success is True, yet the outcome is slipped" in ending(outcome="slipped")
    assert "outcome is 'won', should be one of success" in ending(outcome="won")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ""),
        ({"phrasings": ["take it", "take it", "give it"]}, "2 different phrasings"),
        ({"expression": " "}, "expression is empty"),
        ({"instruction": "take that"}, "instruction 'take that' is not that of the scene"),
        ({"target": SEEN[1]}, f"target is '{SEEN[1]}'"),
        ({"family": "spaceship"}, "family is 'spaceship'"),
    ],
)
def test_words_agree_with_the_scene(changes, fault):
    found = checks.words_fault(words(**changes), episode())
    assert found.startswith(fault)
    assert bool(found) == bool(fault)


@pytest.mark.parametrize(
    ("suite", "scene", "found"),
    [
        ("train", episode(), {}),
        ("train", episode(table="white", lighting="white"), {}),
        ("user:blue_mug", episode(target="user_blue_mug"), {}),
        ("train", episode(others=(UNSEEN[3],)), {"unseen objects": f"object of the tests: {UNSEEN[3]}"}),
        ("user:all", episode(target=UNSEEN[0]), {"unseen objects": f"object of the tests: {UNSEEN[0]}"}),
        ("user:cup", episode(table="pink_towel"), {"test looks": "table of the tests: pink_towel"}),
        ("train", episode(lighting="disco"), {"test looks": "lighting of the tests: disco"}),
        ("seen_objects", episode(), {"benchmark scenes": "a scene of suite seen_objects"}),
        ("users", episode(), {"benchmark scenes": "a scene of suite users"}),
    ],
)
def test_nothing_of_the_tests_is_in_training(suite, scene, found):
    assert checks.content_of_tests(suite, scene) == found


def test_everything_that_a_demonstration_of_the_tests_holds_is_named():
    scene = episode(target=UNSEEN[0], table="wood", lighting="dark")
    found = checks.content_of_tests("unseen_objects", scene)
    assert list(found) == ["benchmark scenes", "unseen objects", "test looks"]
    assert found["test looks"] == "table of the tests: wood, lighting of the tests: dark"


@pytest.mark.parametrize(
    ("said", "lossless", "fault"),
    [
        ("lossless", True, ""),
        ("jpeg", False, ""),
        ("jpeg", True, "image_compression is 'jpeg', yet pictures are stored without loss"),
        ("lossless", False, "image_compression is 'lossless', yet pictures are stored with losses"),
    ],
)
def test_losses_are_declared(said, lossless, fault):
    assert checks.compression_fault(said, lossless) == fault


@pytest.mark.parametrize(("success", "height", "fine"), [(True, 0.1, True), (True, 0.099, False), (False, 0.0, True)])
def test_a_success_ends_lifted(success, height, fine):
    assert (checks.not_lifted(success, height) == "") == fine


def test_the_observed_state_is_that_of_the_physics():
    state = smooth()
    assert checks.state_fault(state, state.copy()) == ""
    other = state.copy()
    other[20, 9] += 1e-6
    assert checks.state_fault(state, other) == "obs/state at step 20 differs from the physics state by 1e-06"


def test_speed_acceleration_and_jerk_are_measured_in_radians():
    actions = np.zeros((STEPS, 13))
    time = np.arange(1, STEPS + 1) / spec.CONTROL_HZ
    actions[:, 3] = 0.05 * time**3 / spec.ARM_SCALE_RAD[3]
    motion = checks.motion_of(actions, np.zeros((STEPS, 13)))
    np.testing.assert_allclose(motion.jerk[3], 0.3, rtol=1e-4)  # the third derivative of 0.05 t^3
    np.testing.assert_allclose(motion.speed[3], 0.15 * time[-1] ** 2, rtol=0.03)
    assert motion.speed[[0, 1, 2, 4, 5, 6]].max() == 0.0


def test_the_first_command_is_measured_from_where_the_arm_stood():
    actions, state = smooth(), smooth()
    state[0, 2] = 0.3
    assert checks.motion_of(actions, state).speed[2] == pytest.approx(0.3 * 3.1 * spec.CONTROL_HZ, rel=1e-5)


@pytest.mark.parametrize(("what", "unit"), [("speed", "rad/s"), ("acceleration", "rad/s^2")])
def test_commands_beyond_the_vendors_limits_are_named(what, unit):
    motion = checks.Motion(np.zeros(7), np.zeros(7), np.full(7, 1e6))
    assert checks.too_fast(motion) == ""  # there is no limit for jerk
    limits = {"speed": MAX_SPEED_RAD_S, "acceleration": MAX_ACCELERATION_RAD_S2}[what]
    values = np.zeros(7)
    values[4] = limits[4]
    assert checks.too_fast(replace(motion, **{what: values})) == ""
    values[4] *= 1.01
    fault = checks.too_fast(replace(motion, **{what: values}))
    assert fault.startswith(f"{what} of arm/joint5 reaches")
    assert unit in fault


def test_duplicates_are_found_by_content_whatever_their_name():
    actions = smooth()
    first, other = checks.content_hashes(actions, episode()), checks.content_hashes(actions * 0.5, episode(SEEN[1]))
    again = checks.content_hashes(actions.copy(), episode() | {"index": 6, "instruction": "lift it"})
    assert checks.duplicates({"demo_1": first, "demo_2": other}) == {}
    assert checks.duplicates({"demo_1": first, "demo_2": other, "demo_3": again}) == {
        "demo_3": "same actions as demo_1; same scene as demo_1"
    }
    same_scene = checks.content_hashes(actions * 0.1, episode())
    assert checks.duplicates({"demo_1": first, "demo_2": same_scene}) == {"demo_2": "same scene as demo_1"}


SCENES = {"demo_1": "a", "demo_2": "b", "demo_3": "b"}


@pytest.mark.parametrize(
    ("subsets", "faults"),
    [
        ({"train": ["demo_2", "demo_3"], "valid": ["demo_1"]}, {}),
        ({"valid": ["demo_1"]}, {}),
        ({"train": ["demo_1", "demo_2"], "valid": ["demo_3"]}, {"valid": "demo_3 shows a scene of train"}),
        ({"train": ["demo_2"], "valid": ["demo_1"]}, {"train": "1 demonstrations stand in neither"}),
        ({"small": ["demo_1", "demo_9"]}, {"small": "names demo_9, which is not there"}),
        ({"small": ["demo_1", "demo_1"]}, {"small": "names a demonstration twice"}),
    ],
)
def test_subsets_name_what_is_there_and_share_no_scene(subsets, faults):
    found = checks.subset_faults(subsets, SCENES)
    assert found.keys() == faults.keys()
    assert all(found[name].startswith(fault) for name, fault in faults.items())
