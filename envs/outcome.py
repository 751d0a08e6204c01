"""How an attempt ends: pure functions of readings, one word at the end."""

import math
from dataclasses import dataclass

import numpy as np

from envs import spec
from envs.interface import SUCCESSES

SLIP_FLOOR_M = 0.02  # lifted at least this far and lost again counts as slipped, less as missed


@dataclass(frozen=True)
class Readings:
    """What one control step shows of the scene. Heights in metres above the table, force in newton."""

    target_lowest_m: float
    other_raised_m: float  # largest rise of any neighbour above its start
    hand_on_target: bool
    station_force_n: float  # total normal force between robot and table or station, the largest seen every 10 ms


@dataclass(frozen=True)
class Progress:
    """What has happened so far in one attempt."""

    steps: int = 0
    up_steps: int = 0
    other_up_steps: int = 0
    highest_m: float = 0.0
    touched: bool = False
    max_force_n: float = 0.0
    up_since_s: float | None = None

    @property
    def time_s(self) -> float:
        """Policy time of this attempt."""
        return self.steps * spec.CONTROL_PERIOD_S


UP_STEPS = round(spec.UP_BEFORE_HOLD_S * spec.CONTROL_HZ)
ATTEMPT_STEPS = round(spec.ATTEMPT_S * spec.CONTROL_HZ)
HOLD_STEPS = round(spec.HOLD_S * spec.CONTROL_HZ)


def advance(before: Progress, now: Readings) -> Progress:
    """Progress after one more control step."""
    steps = before.steps + 1
    up = now.target_lowest_m >= spec.LIFT_HEIGHT_M
    since = before.up_since_s if before.up_steps else steps * spec.CONTROL_PERIOD_S
    return Progress(
        steps=steps,
        up_steps=before.up_steps + 1 if up else 0,
        other_up_steps=before.other_up_steps + 1 if now.other_raised_m >= spec.LIFT_HEIGHT_M else 0,
        highest_m=max(before.highest_m, now.target_lowest_m),
        touched=before.touched or now.hand_on_target,
        max_force_n=max(before.max_force_n, now.station_force_n),
        up_since_s=since if up else None,
    )


def ready_to_hold(progress: Progress) -> bool:
    """True once the target has been up long enough for the 20 s test to begin."""
    return progress.up_steps >= UP_STEPS


def early_failure(progress: Progress) -> str | None:
    """The word of a failure that ends an attempt before its time, or None."""
    if progress.max_force_n > spec.COLLISION_FORCE_N:
        return "collision"
    if progress.other_up_steps >= UP_STEPS and progress.up_steps == 0:
        return "wrong_object"
    return None


def out_of_time(progress: Progress) -> bool:
    """True when the policy time of an attempt is spent."""
    return progress.steps >= ATTEMPT_STEPS


def timeout_word(progress: Progress) -> str:
    """The word for an attempt that ran out of time without the target being held up."""
    if progress.highest_m >= SLIP_FLOOR_M:
        return "slipped"
    return "missed" if progress.touched else "timeout"


def hold_word(lowest_m: float, disturbed: bool) -> str:
    """The word after the 20 s hold. `lowest_m`: the least height of the target's lowest point during the hold."""
    if lowest_m < spec.LIFT_HEIGHT_M:
        return "dropped"
    return "disturbed" if disturbed else "success"


def is_success(word: str | None) -> bool:
    """True for the words that count as the published success."""
    return word in SUCCESSES


def neighbour_motion_m(start: np.ndarray, now: np.ndarray) -> float:
    """Largest displacement between two (N, 7) lists of poses; 0 for an empty list."""
    if len(start) == 0:
        return 0.0
    way = now[:, :3] - start[:, :3]
    return math.sqrt((way * way).sum(axis=1).max())


def neighbour_disturbed(start: np.ndarray, now: np.ndarray) -> bool:
    """True if any neighbour moved over 5 cm, toppled, or left the table. Poses: (N, 7) position and quaternion wxyz."""
    if len(start) == 0:
        return False
    moved = np.linalg.norm(now[:, :3] - start[:, :3], axis=1) > spec.DISTURBED_M
    tilt = tilt_between_deg(start[:, 3:], now[:, 3:]) > spec.TOPPLED_DEG
    fallen = now[:, 2] < start[:, 2] - spec.DISTURBED_M
    return bool((moved | tilt | fallen).any())


def tilt_between_deg(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Angle by which each body's own vertical has tilted between two (N, 4) lists of quaternions wxyz."""
    conjugate = after * np.array([1, -1, -1, -1])
    w, x, y, z = _multiply(before, conjugate).T
    # The vertical of the rotation that leads from one to the other: its zz entry is the cosine of the tilt.
    del w, z
    return np.degrees(np.arccos(np.clip(1 - 2 * (x * x + y * y), -1, 1)))


def _multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    aw, ax, ay, az = a.T
    bw, bx, by, bz = b.T
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=1,
    )
