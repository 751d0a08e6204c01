"""What the rows of a run add up to. Pure: rows in, numbers out."""

import statistics as stdlib_statistics
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.answers import answer_rates
from benchmarks.statistics import Rate, effective_size, rate, success_by_attempt, wilson_interval
from benchmarks.suites import LOOKING
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
    shoves: int = 0  # episodes that score and in which the target was to be shoved
    shoved: int = 0  # of them, those in which it was
    recovered: int = 0  # of these, the successes
    median_recovery_s: float | None = None  # over those: from the end of the shove until the target was up
    title: str = ""  # how reports name the policy, where that is not what was asked for: "small" for "default"
    checkpoint: str = ""  # fingerprint of a controller's file; planner and masks that stood around it, its latency
    planner: str = ""
    masks: str = ""
    latency_ms: float = 0.0
    flags: tuple[str, ...] = ()  # the words that ask for them once more
    # Of a run that might stop early: the width of the interval it was to reach, and its episodes at the latest.
    adaptive_width: float = 0.0
    adaptive_total: int = 0
    answers: dict[str, Rate] = field(default_factory=dict)  # of a planner that was asked alone, see answer_rates
    # Where targets come up several times: how many there are, and how many independent episodes those of the run are
    # worth if targets too are taken as drawn; see benchmarks.statistics.effective_size. Else 0.
    targets: int = 0
    effective_n: float = 0.0

    @property
    def looking(self) -> bool:
        """Whether a planner was asked and no policy acted: then a success is a right answer."""
        return self.suite in LOOKING

    @property
    def rate(self) -> Rate:
        """The success rate with its interval: Wilson's, or that of the rule by which an adaptive run stopped."""
        return Rate(self.successes, self.n, self.ci_low, self.ci_high)

    @property
    def clustered_rate(self) -> Rate | None:
        """The success rate with the interval over other targets too; None where each target comes up once."""
        if not self.targets:
            return None
        low, high = wilson_interval(self.success_rate * self.effective_n, self.effective_n)
        return Rate(self.successes, self.n, low, high)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Group:
    """How the episodes did that have something in common, such as the family of the target."""

    name: str
    rate: Rate


def scored(results: Sequence[EpisodeResult]) -> list[EpisodeResult]:
    """The rows that count: all but errors."""
    return [r for r in results if r.outcome != "error"]


def success_rate(results: Sequence[EpisodeResult]) -> Rate:
    """The published success rate of some rows with its interval."""
    rows = scored(results)
    return rate(sum(r.success for r in rows), len(rows))


def repeated_targets(rows: Sequence[EpisodeResult], values: Sequence[float]) -> tuple[int, float]:
    """How many targets the rows have and what the values are worth (see `effective_size`), or (0, 0.0).

    Nothing is said where each target comes up once, where there is a single one, of prompts for several objects, and
    where all values are equal, since that does not tell how alike those of a target are.
    """
    targets = [row.target for row in rows]
    count = len(set(targets))
    if not 1 < count < len(rows) or len(set(values)) == 1 or any(row.rounds for row in rows):
        return 0, 0.0
    return count, effective_size(targets, values)


def by_family(results: Sequence[EpisodeResult]) -> list[Group]:
    """Rates per family of the target, the worst first."""
    groups = grouped(results, lambda result: result.family)
    return sorted(groups, key=lambda group: (group.rate.value, -group.rate.n, group.name))


def grouped(results: Sequence[EpisodeResult], key: Callable[[EpisodeResult], Hashable]) -> list[Group]:
    """Rates of the rows that share a key (numbers or words), in order of the keys."""
    rows: dict[Hashable, list[EpisodeResult]] = {}
    for result in scored(results):
        rows.setdefault(key(result), []).append(result)
    return [Group(str(name), success_rate(rows[name])) for name in sorted(rows)]


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
    interval: tuple[float, float] | None = None,
    adaptive_width: float = 0.0,
    adaptive_total: int = 0,
) -> Summary:
    """Add up the rows of one run; there must be at least one. interval: in place of Wilson's, of an adaptive run."""
    rows, whole, words = scored(results), success_rate(results), Counter(r.outcome for r in results)
    low, high = interval or (whole.low, whole.high)
    lifts = [r.lift_s for r in rows if r.success and r.lift_s is not None]
    shoved = [r for r in rows if r.shoved]
    recoveries = [r.recovery_s for r in shoved if r.recovery_s is not None]
    # An interval of an adaptive run makes up for looking on the way, which this one would not.
    targets, effective_n = (0, 0.0) if adaptive_width else repeated_targets(rows, [r.success for r in rows])
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
        ci_low=low,
        ci_high=high,
        clean_successes=words["success"],
        success_by_attempt=tuple(success_by_attempt([r.attempt_outcomes for r in rows], SUCCESSES, attempts)),
        outcomes={word: words[word] for word in OUTCOMES},
        median_lift_s=stdlib_statistics.median(lifts) if lifts else None,
        wall_seconds=round(wall_seconds, 3),
        workers=workers,
        versions=dict(versions),
        shoves=sum(r.shoved is not None for r in rows),
        shoved=len(shoved),
        recovered=sum(r.success for r in shoved),
        median_recovery_s=stdlib_statistics.median(recoveries) if recoveries else None,
        title=title,
        checkpoint=checkpoint,
        planner=planner,
        masks=masks,
        latency_ms=latency_ms,
        flags=tuple(flags),
        adaptive_width=adaptive_width,
        adaptive_total=adaptive_total,
        answers=answer_rates(results[0].suite, rows),
        targets=targets,
        effective_n=round(effective_n, 3),
    )
