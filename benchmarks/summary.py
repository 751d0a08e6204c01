"""What the rows of a run add up to. Pure: rows in, numbers out."""

import statistics as stdlib_statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.statistics import Rate, rate, success_by_attempt
from envs.interface import OUTCOMES, SUCCESSES, EpisodeResult


@dataclass(frozen=True)
class Summary:
    """The fields of summary.json. Rates are shares between 0 and 1, None where nothing was scored.

    `episodes` counts all rows and `n` those that score: an error is our own fault and never counts as a failure.
    """

    suite: str
    version: int
    policy: str
    privileged: tuple[str, ...]
    hand: str
    attempts: int
    first: int
    episodes: int
    n: int
    successes: int
    errors: int
    success_rate: float | None
    ci_low: float
    ci_high: float
    clean_successes: int  # of them, those in which no neighbour was disturbed
    success_by_attempt: tuple[int, ...]  # successes after the first 1, 2, ... attempts
    outcomes: dict[str, int]  # every word of the ladder, in its order
    median_lift_s: float | None  # over the successes: from the start of the attempt until the target was up
    wall_seconds: float
    workers: int
    versions: dict[str, str]
    title: str = ""  # how reports name the policy, where that is not what was asked for: "small" for "default"
    checkpoint: str = ""  # fingerprint of a controller's file; planner and masks that stood around it, its latency
    planner: str = ""
    masks: str = ""
    latency_ms: float = 0.0
    flags: tuple[str, ...] = ()  # the words that ask for them once more

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Family:
    """How one family of objects did as the target."""

    name: str
    rate: Rate


def scored(results: Sequence[EpisodeResult]) -> list[EpisodeResult]:
    """The rows that count: all but errors."""
    return [r for r in results if r.outcome != "error"]


def success_rate(results: Sequence[EpisodeResult]) -> Rate:
    """The published success rate of some rows with its interval."""
    rows = scored(results)
    return rate(sum(r.success for r in rows), len(rows))


def by_family(results: Sequence[EpisodeResult]) -> list[Family]:
    """Rates per family of the target, the worst first."""
    rows: dict[str, list[EpisodeResult]] = {}
    for result in scored(results):
        rows.setdefault(result.family, []).append(result)
    families = [Family(name, success_rate(members)) for name, members in rows.items()]
    return sorted(families, key=lambda family: (family.rate.value, -family.rate.n, family.name))


def summarise(
    results: Sequence[EpisodeResult],
    *,
    policy: str,
    privileged: Sequence[str],
    hand: str,
    attempts: int,
    wall_seconds: float,
    workers: int,
    versions: Mapping[str, str],
    title: str = "",
    checkpoint: str = "",
    planner: str = "",
    masks: str = "",
    latency_ms: float = 0.0,
    flags: Sequence[str] = (),
) -> Summary:
    """Add up the rows of one run; there must be at least one."""
    rows, whole, words = scored(results), success_rate(results), Counter(r.outcome for r in results)
    lifts = [r.lift_s for r in rows if r.success and r.lift_s is not None]
    return Summary(
        suite=results[0].suite,
        version=results[0].version,
        policy=policy,
        privileged=tuple(privileged),
        hand=hand,
        attempts=attempts,
        first=min(r.index for r in results),
        episodes=len(results),
        n=whole.n,
        successes=whole.successes,
        errors=words["error"],
        success_rate=whole.value,
        ci_low=whole.low,
        ci_high=whole.high,
        clean_successes=words["success"],
        success_by_attempt=tuple(success_by_attempt([r.attempt_outcomes for r in rows], SUCCESSES, attempts)),
        outcomes={word: words[word] for word in OUTCOMES},
        median_lift_s=stdlib_statistics.median(lifts) if lifts else None,
        wall_seconds=round(wall_seconds, 3),
        workers=workers,
        versions=dict(versions),
        title=title,
        checkpoint=checkpoint,
        planner=planner,
        masks=masks,
        latency_ms=latency_ms,
        flags=tuple(flags),
    )
