"""Checks a hand on the bench: `python -m assets.check_hand g0r` prints what it measures against what it should be.

Exit code 1, and a sentence for each number that is off.
"""

import sys
from dataclasses import dataclass
from typing import Annotated

import mujoco
import tyro
from rich.console import Console
from rich.table import Table

from assets.robots import hand_bench as bench
from assets.robots.hand import HandSpec
from assets.robots.hands import get_hand

# Register calibration of the RH56: 7 N (index), 6.5 N (middle), 12.9 N (thumb); the G0-R is of the same class.
TIP_FORCE_N = {"little": 7.0, "ring": 7.0, "middle": 7.0, "index": 7.0, "thumb": 13.0}
TIP_FORCE_TOLERANCE = 0.4
CLOSING_TIME_S = (0.2, 0.35)
COUPLING_ERROR_RAD = 0.03  # worst moment of the acceleration
MASS_KG = (0.4, 0.65)
MEETING_GAP_M = 0.004  # the thumb meets a finger when the surfaces of their tips come this close
MUST_MEET = ("index", "middle")


@dataclass(frozen=True)
class Check:
    """One line of the table; `complaint` says in words what is wrong, empty when nothing is."""

    name: str
    measured: str
    wanted: str
    complaint: str = ""


def check_hand(hand: HandSpec) -> list[Check]:
    """Every check of a hand, in the order of the table."""
    return [
        _check_compiles(hand),
        *_check_ranges(hand),
        _check_coupling(hand),
        *_check_opposition(hand),
        *_check_forces(hand),
        *_check_times(hand),
        *_check_squeezes(hand),
    ]


def _check_compiles(hand: HandSpec) -> Check:
    model, _ = bench.compiled(hand)
    coupled = sum(model.eq_type == mujoco.mjtEq.mjEQ_JOINT)
    mass = float(model.body_mass.sum())
    right = model.nu == 6 and model.njnt == 6 + coupled and MASS_KG[0] <= mass <= MASS_KG[1]
    return Check(
        "joints and mass",
        f"{model.nu} motors, {coupled} coupled, {mass:.3f} kg",
        f"6 motors, {MASS_KG[0]}-{MASS_KG[1]} kg",
        "" if right else "motors, couplings or mass are not those of a six-motor hand",
    )


def _check_ranges(hand: HandSpec) -> list[Check]:
    checks = []
    for bone in hand.bones():
        low, high = bone.range_rad
        kind = f"follows {bone.leader}" if bone.leader else "motor"
        complaint = "" if low < high else f"{bone.joint} has an empty range"
        checks.append(Check(f"range of {bone.joint}", f"{low:.3f} ... {high:.3f} rad", kind, complaint))
    return checks


def _check_coupling(hand: HandSpec) -> Check:
    error = bench.coupling_error_rad(hand)
    complaint = "" if error < COUPLING_ERROR_RAD else "coupled joints do not follow their linkage"
    return Check("coupling error", f"{error:.4f} rad", f"< {COUPLING_ERROR_RAD} rad", complaint)


def _check_opposition(hand: HandSpec) -> list[Check]:
    checks = []
    for digit, gap in bench.opposition_gaps_m(hand).items():
        meets = gap <= MEETING_GAP_M
        measured = "meets" if meets else f"stays {1000 * gap:.0f} mm away"
        complaint = "" if meets or digit not in MUST_MEET else f"the thumb cannot meet the {digit} finger"
        checks.append(Check(f"thumb to {digit}", measured, "meets" if digit in MUST_MEET else "-", complaint))
    return checks


def _check_forces(hand: HandSpec) -> list[Check]:
    checks = []
    for digit, wanted in TIP_FORCE_N.items():
        force = bench.tip_force_n(hand, digit)
        right = abs(force - wanted) <= TIP_FORCE_TOLERANCE * wanted
        complaint = "" if right else f"the {digit} presses with {force:.1f} N, which the real hand does not"
        checks.append(Check(f"stall force of {digit}", f"{force:.1f} N", f"{wanted:.0f} N +-40 %", complaint))
    return checks


def _check_times(hand: HandSpec) -> list[Check]:
    low, high = CLOSING_TIME_S
    return [
        Check(
            f"closing time of {name}",
            f"{seconds:.2f} s",
            f"{low}-{high} s",
            "" if low <= seconds <= high else f"{name} closes in {seconds:.2f} s",
        )
        for name, seconds in bench.closing_times_s(hand).items()
    ]


def _check_squeezes(hand: HandSpec) -> list[Check]:
    checks = []
    for diameter in bench.CYLINDER_DIAMETERS_M:
        result = bench.best_squeeze(hand, diameter)
        what = f"{100 * diameter:.0f} cm cylinder"
        complaint = "" if result.held else f"a {what} slips out under {bench.PULL_N:.0f} N"
        measured = f"gave way {1000 * result.shift_m:.1f} mm"
        checks.append(Check(f"squeeze of {what}", measured, f"< {1000 * bench.SLIP_M:.0f} mm", complaint))
    return checks


def main(hand: Annotated[str, tyro.conf.Positional]) -> int:
    """Print the table for the hand called HAND and return the exit code: 0 when all is well, 1 otherwise."""
    console = Console()
    try:
        checks = check_hand(get_hand(hand))
    except (KeyError, ValueError) as error:  # unknown hand, or MuJoCo refuses to compile it
        console.print(f"[red]{error.args[0]}")
        return 1
    table = Table("check", "measured", "wanted", "", title=f"hand {hand}")
    for check in checks:
        table.add_row(check.name, check.measured, check.wanted, "[red]no" if check.complaint else "[green]ok")
    console.print(table)
    complaints = [check.complaint for check in checks if check.complaint]
    for complaint in complaints:
        console.print(f"[red]{complaint}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
