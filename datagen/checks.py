"""What must hold of every demonstration: a small pure function per invariant, "" or a sentence saying what is wrong.

Arrays are laid out as in `datagen.storage`: row t holds what was there before action t. Arm values of action and state
are scaled to [-1, 1], hand openings lie in [0, 1].
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assets.looks.looks import TEST_LIGHTINGS, TEST_TABLES, TRAIN_LIGHTINGS, TRAIN_TABLES
from assets.objects import library
from assets.robots.rm75 import MAX_ACCELERATION_RAD_S2, MAX_SPEED_RAD_S
from datagen.search import PHASES
from envs import spec
from envs.episode import USER_SUITE
from envs.interface import OUTCOMES, SUCCESSES
from envs.suites import TRAINING_SUITES

LOSSLESS = "lossless"
NO_RECOVERY = "none"
SHIFTS = range(-2, 7)  # steps by which the state may follow the action, as far as we look
PLAUSIBLE_SHIFTS = range(4)
# Measured on the expert: 0.002 to 0.004 rad at a shift of one step. A knocked joint takes some steps to come back.
MAX_LAG_RESIDUAL_RAD = 0.05
LEAST_MOTION_RAD = 0.01  # an arm that moves less has no lag to measure
SPEED_TOLERANCE = 1.001  # actions are stored as float32
MIN_PHRASINGS = 3
STATE_TOLERANCE = 1e-7  # rounding to float32

# Layout: key -> (shape behind the time axis, dtype); H and W stand for the picture's size, None for any length.
COLUMNS: dict[str, tuple[tuple[Any, ...], str]] = {
    "actions": ((spec.ACTION_DIM,), "float32"),
    "states": ((None,), "float64"),
    "rewards": ((), "float32"),
    "dones": ((), "bool"),
    "phases": ((), "int8"),
    "obs/state": ((spec.ACTION_DIM,), "float32"),
}
OPTIONAL: dict[str, tuple[tuple[Any, ...], str]] = {
    "imitate": ((), "bool"),
    "obs/head": (("H", "W", 3), "uint8"),
    "obs/wrist": (("H", "W", 3), "uint8"),
    "obs/mask": (("H", "W"), "uint8"),
    "obs/box": ((4,), "float32"),
}


@dataclass(frozen=True)
class Lag:
    """How the measured arm follows the commanded one: by `shift` steps, with a root mean square rest in rad."""

    shift: int
    residual_rad: float


@dataclass(frozen=True)
class Motion:
    """Largest absolute speed, acceleration and jerk (7,) of the commanded joints, in rad/s, rad/s^2 and rad/s^3."""

    speed: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray


def layout_fault(layout: Mapping[str, tuple[tuple[int, ...], str]], samples: int) -> str:
    """Shapes and dtypes. layout: key -> (shape, dtype) of what lies in the file, where OPTIONAL ones may be absent."""
    if samples < 1:
        return f"num_samples is {samples}"
    sides: dict[str, int] = {}  # the picture's height and width, as the first picture has them
    wanted = COLUMNS | {key: value for key, value in OPTIONAL.items() if key in layout}
    for key, (tail, dtype) in wanted.items():
        if key not in layout:
            return f"{key} is missing"
        shape, found = layout[key]
        if found != dtype:
            return f"{key} has dtype {found}, should be {dtype}"
        if len(shape) != 1 + len(tail) or shape[0] != samples:
            return f"{key} has shape {shape}, should be ({', '.join(map(str, (samples, *tail)))})"
        for length, want in zip(shape[1:], tail, strict=True):
            known = sides.setdefault(want, length) if isinstance(want, str) else want
            if known is not None and length != known:
                return f"{key} has shape {shape}, should be ({', '.join(map(str, (samples, *tail)))})"
    return ""


def not_finite(columns: Mapping[str, np.ndarray]) -> str:
    """Every number is finite."""
    for key, values in columns.items():
        bad = ~np.isfinite(values)
        if bad.any():
            return (
                f"{key} holds {int(bad.sum())} values that are not finite, first at row {int(np.argwhere(bad)[0][0])}"
            )
    return ""


def outside_limits(name: str, values: np.ndarray) -> str:
    """Actions and states (T, 13) lie inside the action space."""
    outside = (values < spec.ACTION_LOW) | (values > spec.ACTION_HIGH)
    if not outside.any():
        return ""
    step, joint = np.argwhere(outside)[0]
    return (
        f"{name} of {spec.ACTION_NAMES[joint]} is {values[step, joint]:.4g} at step {step}, outside "
        f"[{spec.ACTION_LOW[joint]:g}, {spec.ACTION_HIGH[joint]:g}]"
    )


def lag_of(actions: np.ndarray, state: np.ndarray) -> Lag | None:
    """The shift at which the measured arm best repeats the commanded one; None if the arm hardly moves.

    actions, state: (T, 13). A state that is read before each action follows the commands by one step at best.
    """
    asked = actions[:, spec.ARM] * spec.ARM_SCALE_RAD
    shown = state[:, spec.ARM] * spec.ARM_SCALE_RAD
    if np.ptp(asked, axis=0).max(initial=0.0) < LEAST_MOTION_RAD or len(asked) <= 2 * max(SHIFTS):
        return None
    rests = {}
    for shift in SHIFTS:
        early, late = (asked, shown) if shift >= 0 else (shown, asked)
        rests[shift] = float(np.sqrt(np.mean((early[: len(early) - abs(shift)] - late[abs(shift) :]) ** 2)))
    best = min(rests, key=rests.__getitem__)
    return Lag(best, rests[best])


def implausible_lag(lag: Lag | None) -> str:
    """The measured joints follow the commanded ones, closely and neither early nor late."""
    if lag is None:
        return ""
    if lag.shift not in PLAUSIBLE_SHIFTS:
        return (
            f"state follows the actions by {lag.shift} steps, should be {PLAUSIBLE_SHIFTS[0]} to {PLAUSIBLE_SHIFTS[-1]}"
        )
    if lag.residual_rad > MAX_LAG_RESIDUAL_RAD:
        return f"state strays {lag.residual_rad:.3f} rad (rms) from the actions, at most {MAX_LAG_RESIDUAL_RAD}"
    return ""


def compression_fault(said: str, lossless: bool) -> str:
    """Attribute `image_compression` says how pictures are stored."""
    if (said == LOSSLESS) == lossless:
        return ""
    return f"image_compression is {said!r}, yet pictures are stored {'without loss' if lossless else 'with losses'}"


def is_for_training(suite: str) -> bool:
    """True for the suites from which training data comes: TRAINING_SUITES, and those of a user's own objects."""
    return suite in TRAINING_SUITES or suite.startswith(USER_SUITE)


def content_of_tests(suite: str, episode: Mapping[str, Any]) -> dict[str, str]:
    """What keeps a demonstration out of training data, kind -> which; {} where nothing does. episode: the stored spec.

    A user's own objects are for training; every scene of a suite on which policies are scored is not.
    """
    found = {} if is_for_training(suite) else {"benchmark scenes": f"a scene of suite {suite}"}
    unseen = sorted({o["object_id"] for o in episode["objects"]} & set(library.UNSEEN + library.FLAT_UNSEEN))
    if unseen:
        found["unseen objects"] = f"object of the tests: {', '.join(unseen)}"
    look, looks = episode["look"], []
    if look["table"] in set(TEST_TABLES) - set(TRAIN_TABLES) - {"white"}:
        looks.append(f"table of the tests: {look['table']}")
    if look["lighting"] in set(TEST_LIGHTINGS) - set(TRAIN_LIGHTINGS) - {"white"}:
        looks.append(f"lighting of the tests: {look['lighting']}")
    return found | ({"test looks": ", ".join(looks)} if looks else {})


def phase_fault(phases: np.ndarray, success: bool, recovery: str, attempts: int) -> str:
    """Phases (T,) run reach, pregrasp, close, lift; only a regrasp goes back, and a success ends lifting."""
    if phases.min() < 0 or phases.max() >= len(PHASES):
        return f"phases hold {int(phases.min())} to {int(phases.max())}, should be 0 to {len(PHASES) - 1}"
    if phases[0] != 0:
        return f"the first phase is {PHASES[phases[0]]}, should be {PHASES[0]}"
    back = np.flatnonzero(np.diff(phases) < 0)
    if len(back) and recovery == NO_RECOVERY and attempts <= 1:
        step = int(back[0])
        return f"{PHASES[phases[step]]} is followed by {PHASES[phases[step + 1]]} at step {step + 1} without a recovery"
    astray = [int(step) for step in back if phases[step + 1] > 1]
    if astray:
        return f"{PHASES[phases[astray[0]]]} goes back to {PHASES[phases[astray[0] + 1]]} at step {astray[0] + 1}"
    if success and phases[-1] != len(PHASES) - 1:
        return f"a success ends in phase {PHASES[phases[-1]]}, should be {PHASES[-1]}"
    return ""


def end_fault(dones: np.ndarray, rewards: np.ndarray, success: bool, outcome: str) -> str:
    """One end, at the end; the outcome is a known word that agrees with `success`; a success is rewarded at its end."""
    if outcome not in OUTCOMES:
        return f"outcome is {outcome!r}, should be one of {', '.join(OUTCOMES)}"
    if success != (outcome in SUCCESSES):
        return f"success is {success}, yet the outcome is {outcome}"
    if dones[:-1].any() or not dones[-1]:
        steps = np.flatnonzero(dones).tolist()
        return f"dones are set at steps {steps}, should be set at the last, {len(dones) - 1}, alone"
    if success != (rewards[-1] >= 1.0):
        return f"success is {success}, yet the last reward is {rewards[-1]:g}"
    return ""


def words_fault(attributes: Mapping[str, Any], episode: Mapping[str, Any]) -> str:
    """Instruction, phrasings, target and family agree with the stored scene."""
    phrasings = list(attributes["phrasings"])
    if len(set(phrasings)) < MIN_PHRASINGS:
        return f"{len(set(phrasings))} different phrasings, at least {MIN_PHRASINGS} wanted"
    for key in ("instruction", "expression"):
        if not str(attributes[key]).strip():
            return f"{key} is empty"
    if attributes["instruction"] != episode["instruction"]:
        return f"instruction {attributes['instruction']!r} is not that of the scene, {episode['instruction']!r}"
    target = episode["objects"][0]["object_id"]
    if attributes["target"] != target:
        return f"target is {attributes['target']!r}, the scene's is {target!r}"
    if attributes["family"] != library.get_object(target).family:
        return f"family is {attributes['family']!r}, the target's is {library.get_object(target).family!r}"
    return ""


def not_lifted(success: bool, lowest_m: float) -> str:
    """A success ends with the target's lowest point up. lowest_m: its height in the last state."""
    if not success or lowest_m >= spec.LIFT_HEIGHT_M:
        return ""
    return f"a success ends with the target {lowest_m:.3f} m above the table, at least {spec.LIFT_HEIGHT_M} wanted"


def state_fault(stored: np.ndarray, replayed: np.ndarray) -> str:
    """obs/state (T, 13) is what the physics states say."""
    gap = np.abs(stored.astype(float) - replayed).max(axis=1)
    worst = int(gap.argmax())
    if gap[worst] <= STATE_TOLERANCE:
        return ""
    return f"obs/state at step {worst} differs from the physics state by {gap[worst]:.2g}"


def motion_of(actions: np.ndarray, state: np.ndarray) -> Motion:
    """Speed, acceleration and jerk of the commanded arm, differences at the control rate from where it stood."""
    path = np.vstack([state[:1, spec.ARM], actions[:, spec.ARM]]).astype(float) * spec.ARM_SCALE_RAD

    def largest(order: int) -> np.ndarray:
        steps = np.abs(np.diff(path, n=order, axis=0)) * float(spec.CONTROL_HZ) ** order
        return steps.max(axis=0, initial=0.0)

    return Motion(largest(1), largest(2), largest(3))


def too_fast(motion: Motion) -> str:
    """Commanded joints keep the vendor's speeds and accelerations. The vendor publishes no limit for jerk."""
    for values, limits, what, unit in (
        (motion.speed, MAX_SPEED_RAD_S, "speed", "rad/s"),
        (motion.acceleration, MAX_ACCELERATION_RAD_S2, "acceleration", "rad/s^2"),
    ):
        worst = int((values / limits).argmax())
        if values[worst] > limits[worst] * SPEED_TOLERANCE:
            joint = spec.ACTION_NAMES[worst]
            return f"{what} of {joint} reaches {values[worst]:.2f} {unit}, the limit is {limits[worst]:.2f}"
    return ""


def content_hashes(actions: np.ndarray, episode: Mapping[str, Any]) -> tuple[str, str]:
    """(hash of the actions, hash of the scene: objects, look and start, whatever suite and index call it)."""
    scene = {key: episode[key] for key in ("objects", "look", "arm_start_rad")}
    return (
        hashlib.sha256(np.ascontiguousarray(actions).tobytes()).hexdigest(),
        hashlib.sha256(json.dumps(scene, sort_keys=True).encode()).hexdigest(),
    )


def duplicates(hashes: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Demonstration -> problem, for each that repeats the actions or the scene of an earlier one."""
    found: dict[str, str] = {}
    for part, what in enumerate(("actions", "scene")):
        first: dict[str, str] = {}
        for name, values in hashes.items():
            earlier = first.setdefault(values[part], name)
            if earlier != name:
                found[name] = "; ".join(filter(None, (found.get(name), f"same {what} as {earlier}")))
    return found


def subset_faults(subsets: Mapping[str, Sequence[str]], scenes: Mapping[str, str]) -> dict[str, str]:
    """Subset -> problem. Each names demonstrations that exist, and train and valid share no scene.

    subsets: name -> demonstrations; scenes: demonstration -> hash of its scene.
    """
    found = {}
    for subset, names in subsets.items():
        strangers = [name for name in names if name not in scenes]
        if strangers:
            found[subset] = f"names {strangers[0]}, which is not there"
        elif len(set(names)) != len(names):
            found[subset] = "names a demonstration twice"
    train, valid = subsets.get("train"), subsets.get("valid")
    if train is None or valid is None:
        return found
    seen = {scenes[name] for name in train if name in scenes}
    shared = [name for name in valid if scenes.get(name) in seen]
    left = sorted(set(scenes) - set(train) - set(valid))
    if shared:
        found["valid"] = f"{shared[0]} shows a scene of train"
    elif left:
        found["train"] = f"{len(left)} demonstrations stand in neither train nor valid, first {left[0]}"
    return found
