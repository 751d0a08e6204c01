"""Whether the hand can lift an object of yours: `python -m datagen.check_object user_blue_mug`.

Places the object alone at several places in each of its rest poses, lets the scripted expert try, and says how often
that held for 20 s. Where it mostly fails, the same is tried with the object made lighter, less slippery, or both, so
that the reason given is one that was seen to matter. Works for built-in objects as well.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import mujoco
import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from scipy.stats import binomtest

from assets.looks.looks import LookSpec
from assets.objects.language import Placed, referring_expressions
from assets.objects.library import get_object
from assets.objects.solids import bounds, rotation
from assets.objects.types import ObjectSpec
from assets.robots.hands import HANDS
from assets.robots.rm75 import POSES
from datagen.expert import Expert
from envs.episode import MIN_VISIBLE_PX, TARGET_X, TARGET_Y, EpisodeSpec, PlacedObject
from envs.interface import SUCCESSES, GraspEnv
from envs.rollout import run_episode
from envs.settling import NoRest, settle
from envs.sim import SimEnv

SUITE = "check_object"  # stands in the rows of these episodes; it is no suite that can be asked for
PASS_SHARE = 0.5
GOLDEN = (5**0.5 - 1) / 2
HAND_SPAN_M, LEAST_HEIGHT_M = 0.09, 0.02
LIGHT_KG, GRIPPY = 0.15, 1.0
DIAGNOSED = 3  # failed places at which the reasons are tried out


@dataclass(frozen=True)
class Verdict:
    """What came of it. outcomes: how often each word ended a try; reason: empty if it passed, else why it did not."""

    object_id: str
    successes: int
    tries: int
    low: float
    high: float
    outcomes: dict[str, int]
    reason: str

    @property
    def passed(self) -> bool:
        """True if at least half of the tries held."""
        return not self.reason


class AlteredExpert(Expert):
    """The expert in a world where the target weighs or grips differently; each reset compiles a fresh model."""

    name = "expert in an altered world"

    def __init__(self, mass_kg: float | None = None, friction: float | None = None) -> None:
        super().__init__()
        self._mass_kg, self._friction = mass_kg, friction

    def reset(self, env: GraspEnv, seed: int) -> None:
        """Change the target in the live model, then begin."""
        scene = env.unwrapped.scene
        model, body = scene.model, scene.object_bodies[0]
        if self._mass_kg is not None:
            model.body_inertia[body] *= self._mass_kg / model.body_mass[body]
            model.body_mass[body] = self._mass_kg
            mujoco.mj_setConst(model, mujoco.MjData(model))
        if self._friction is not None:
            model.geom_friction[model.geom_bodyid == body, 0] = self._friction
        super().reset(env, seed)


def check_object(
    object_id: str, tries: int = 12, hand: str = "g0r", watch: Callable[[Sequence], Iterator] = iter
) -> Verdict:
    """Let the expert try `tries` times and judge. Raises KeyError for an unknown object or hand.

    watch: wraps the list of tries, for a progress bar.
    """
    spec = get_object(object_id)
    if hand not in HANDS:
        raise KeyError(f"unknown hand {hand!r}; choose from {sorted(HANDS)}")
    if tries < 1:
        raise ValueError(f"--tries must be at least 1, got {tries}")
    env, words, failed = SimEnv(hand=hand), [], []
    for number in watch(range(tries)):
        episode = lone_episode(spec, number)
        if episode is None:
            words.append("unplaced")
            continue
        words.append(run_episode(env, Expert(), episode).outcome)
        if words[-1] not in SUCCESSES:
            failed.append(episode)
    successes = sum(word in SUCCESSES for word in words)
    low, high = binomtest(successes, tries).proportion_ci(method="wilson")
    reason = "" if successes >= PASS_SHARE * tries else explain(env, spec, failed[:DIAGNOSED])
    outcomes = dict(Counter(words).most_common())
    return Verdict(object_id, successes, tries, float(low), float(high), outcomes, reason)


def lone_episode(spec: ObjectSpec, number: int) -> EpisodeSpec | None:
    """Try `number` of an object alone on the table, always the same; None where it does not rest or cannot be seen.

    Rest poses take turns; places and headings follow sequences that spread evenly however many are drawn.
    """
    pose = number % len(spec.rest_poses)
    quat, height = spec.rest_quats[pose]
    x = TARGET_X[0] + (TARGET_X[1] - TARGET_X[0]) * ((number + 0.5) * GOLDEN % 1)
    y = TARGET_Y[0] + (TARGET_Y[1] - TARGET_Y[0]) * ((number + 0.5) * 2**0.5 % 1)
    yaw = 2 * np.pi * ((number + 0.5) * 3**0.5 % 1)
    turned = np.zeros(4)
    mujoco.mju_mulQuat(turned, np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]), np.asarray(quat, dtype=float))
    try:
        (settled,) = settle([spec], np.array([[x, y, height, *turned]]), MIN_VISIBLE_PX)
    except NoRest:
        return None
    at, turn = tuple(map(float, settled[:3])), tuple(map(float, settled[3:]))
    phrasings = referring_expressions(Placed(spec, at[:2], pose), ())
    return EpisodeSpec(
        suite=SUITE,
        version=1,
        index=number,
        objects=(PlacedObject(spec.id, at, turn),),
        instruction=phrasings[0],
        phrasings=tuple(phrasings),
        look=LookSpec(),
        arm_start_rad=tuple(map(float, POSES["init"])),
    )


def explain(env: SimEnv, spec: ObjectSpec, failed: Sequence[EpisodeSpec]) -> str:
    """Why the expert fails in these episodes: what cannot be, what was seen to matter, or that it is the shape."""
    if not failed:
        return "it cannot be placed: it does not stay at rest on the table, or the head camera hardly sees it"
    sizes = [_size(spec, pose) for pose in range(len(spec.rest_poses))]
    narrowest, tallest = min(width for width, _ in sizes), max(height for _, height in sizes)
    if narrowest > HAND_SPAN_M:
        return (
            f"too wide: its narrowest side across the table measures {100 * narrowest:.1f} cm, the hand spans about "
            f"{100 * HAND_SPAN_M:.0f} cm; import a smaller one, or check --scale"
        )
    if tallest < LEAST_HEIGHT_M:
        return f"too low: it stands only {1000 * tallest:.0f} mm over the table; check --scale"
    heavy, slippery = spec.mass_kg > LIGHT_KG, spec.friction < GRIPPY
    lighter = f"at {LIGHT_KG:g} kg instead of {spec.mass_kg:g} kg"
    rougher = f"with friction {GRIPPY:g} instead of {spec.friction:g}"
    lighter_holds = heavy and _holds(env, AlteredExpert(mass_kg=LIGHT_KG), failed)
    rougher_holds = slippery and _holds(env, AlteredExpert(friction=GRIPPY), failed)
    if lighter_holds and rougher_holds:
        return f"too heavy for its friction: {lighter}, or {rougher}, it holds; check --mass and --friction"
    if lighter_holds:
        return f"too heavy: {lighter} it holds; check --mass"
    if rougher_holds:
        return f"too slippery: {rougher} it holds; check --friction"
    if heavy and slippery and _holds(env, AlteredExpert(LIGHT_KG, GRIPPY), failed):
        return f"too heavy and too slippery: {lighter} and {rougher} it holds; check --mass and --friction"
    return "its shape: not even a light and rough one of it holds; try another size, or more --max-pieces"


def _holds(env: SimEnv, expert: Expert, episodes: Sequence[EpisodeSpec]) -> bool:
    """True if most of the episodes succeed; stops as soon as that is decided."""
    good = bad = 0
    for episode in episodes:
        word = run_episode(env, expert, episode).outcome
        good, bad = good + (word in SUCCESSES), bad + (word not in SUCCESSES)
        if 2 * good > len(episodes) or 2 * bad >= len(episodes):
            break
    return 2 * good > len(episodes)


def _size(spec: ObjectSpec, pose: int) -> tuple[float, float]:
    """Narrowest extent across the table and height (m) in a rest pose."""
    frame = rotation(spec.rest_poses[pose].quat)
    turns = [[[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]] for a in np.radians(range(0, 90, 5))]
    extents = np.array([np.subtract(*reversed(bounds(spec.pieces, np.array(turn) @ frame))) for turn in turns])
    return float(extents[:, :2].min()), float(extents[0, 2])


def main(
    object_id: Annotated[str, tyro.conf.Positional],
    tries: int = 12,
    hand: str = "g0r",
) -> int:
    """Try the object called OBJECT_ID and return the exit code: 0 it can be lifted, 1 mostly not, 2 bad usage.

    tries: how many places; hand: g0r or rh56.
    """
    console = Console()
    show = partial(console.print, soft_wrap=True, highlight=False, markup=False)
    try:
        verdict = check_object(object_id, tries, hand, partial(track, description="trying", transient=True))
    except (KeyError, ValueError) as fault:
        print(f"datagen.check_object: {fault.args[0]}", file=sys.stderr)
        return 2
    share, low, high = (100 * value for value in (verdict.successes / verdict.tries, verdict.low, verdict.high))
    words = " · ".join(f"{word} {count}" for word, count in verdict.outcomes.items())
    show(f"{object_id}: {share:.0f} % ({verdict.successes}/{tries}, 95 % interval {low:.0f} to {high:.0f} %): {words}")
    show("ready for suites and demonstrations" if verdict.passed else f"not usable: {verdict.reason}")
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
