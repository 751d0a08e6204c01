"""Does the same picture lead to the same grasp? The expert plans each scene twice with different tie-breaking seeds."""

import sys
from dataclasses import dataclass

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from benchmarks.statistics import wilson_interval
from datagen.branch import Branch
from datagen.search import Plan, find_plan
from envs.episode import make_episode
from envs.sim import SimEnv

SAME_PLACE_M, SAME_TURN_DEG = 0.02, 15.0


@dataclass(frozen=True)
class Options:
    """Plans `episodes` scenes of a suite with two seeds each and compares the hand's pose at the grasp."""

    suite: str = "unseen_objects"
    episodes: int = 100
    first: int = 0
    hand: str = "g0r"


def difference(a: Plan, b: Plan) -> tuple[float, float]:
    """(metres, degrees) between the hand's poses at the grasp of two plans."""
    one, two = a.grasp.hand_in_world, b.grasp.hand_in_world
    cosine = (np.trace(one[:3, :3].T @ two[:3, :3]) - 1) / 2
    return float(np.linalg.norm(one[:3, 3] - two[:3, 3])), float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def agrees(a: Plan | None, b: Plan | None) -> bool:
    """True if both plans exist and take hold within 2 cm and 15 deg of each other."""
    if a is None or b is None:
        return False
    metres, degrees = difference(a, b)
    return metres <= SAME_PLACE_M and degrees <= SAME_TURN_DEG


def two_plans(env: SimEnv, index: int) -> tuple[Plan | None, Plan | None]:
    """The expert's plans for one episode under two seeds."""
    env.reset(options={"episode": make_episode(env.suite, index)})
    plans = []
    for seed in (0, 1):
        branch = Branch(env.scene)
        branch.snapshot(env.data, env.servo)
        plans.append(find_plan(branch, env.servo.reference_rad, np.random.default_rng([index, seed])))
    return plans[0], plans[1]


def main(options: Options) -> int:
    """Print the share of scenes in which both demonstrations grasp alike."""
    env = SimEnv(options.suite, hand=options.hand)
    indices = range(options.first, options.first + options.episodes)
    alike = sum(agrees(*two_plans(env, index)) for index in track(indices, "planning each scene twice"))
    low, high = wilson_interval(alike, len(indices))
    Console().print(
        f"same grasp within {SAME_PLACE_M * 100:.0f} cm and {SAME_TURN_DEG:.0f} deg: "
        f"{100 * alike / len(indices):.1f} % "
        f"({alike}/{len(indices)}, 95 % interval {100 * low:.1f} to {100 * high:.1f} %)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
