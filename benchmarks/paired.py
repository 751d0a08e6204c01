"""Two policies on the same episodes: exact McNemar test and a paired bootstrap interval. Pure functions.

Only episodes in which the two differ say which one is better, so pairs see much smaller differences than two
unpaired rates do; `benchmarks.power` says how small.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.statistics import CONFIDENCE

SIGNIFICANCE = 1.0 - CONFIDENCE
RESAMPLES = 20_000
SEED = 0


@dataclass(frozen=True)
class Paired:
    """Counts of pairs by who succeeded."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def n(self) -> int:
        """How many pairs there are."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def difference(self) -> float:
        """Success rate of B less that of A, as a share. Raises ZeroDivisionError without pairs."""
        return (self.only_b - self.only_a) / self.n

    @property
    def disagreement(self) -> float:
        """Share of the pairs in which one of the two succeeded alone."""
        return (self.only_a + self.only_b) / self.n


def counted(pairs: Iterable[tuple[bool, bool]]) -> Paired:
    """Count (A succeeded, B succeeded) pairs."""
    table = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for a, b in pairs:
        table[bool(a), bool(b)] += 1
    return Paired(*table.values())


def mcnemar(pairs: Paired) -> float:
    """Two-sided p-value of the exact McNemar test (McNemar 1947, by the binomial distribution): are both rates equal?

    Under that hypothesis each pair that differs is a fair coin. No such pair: 1.
    """
    return float(stats.binomtest(pairs.only_b, pairs.only_a + pairs.only_b, 0.5).pvalue) if pairs.disagreement else 1.0


def mcnemar_worse(lost: int, gained: int) -> float:
    """One-sided p-value: so many episodes lost or more, were it a fair coin which of those that changed are lost."""
    return float(stats.binom.sf(lost - 1, lost + gained, 0.5))


def bootstrap_interval(
    pairs: Paired,
    seed: int = SEED,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    size: float | None = None,
) -> tuple[float, float]:
    """Bounds of B's rate less A's, as shares: percentiles over resampled pairs (Efron and Tibshirani 1993).

    To draw pairs is to draw the four counts from a multinomial. Half a pair is added to each count first, as Agresti
    and Min (2005, Statistics in Medicine 24) do: else two policies that never differed would be known to be equal
    without doubt, and the interval of few differences held the truth in 87 % only. Equal seeds give equal bounds.
    size: how many independent pairs these are worth, where they are not independent; see `effective_size`.
    """
    worth = pairs.n if size is None else max(1, round(size))
    counts = np.array([pairs.both, pairs.only_a, pairs.only_b, pairs.neither]) * (worth / pairs.n) + 0.5
    drawn = np.random.default_rng(seed).multinomial(worth, counts / counts.sum(), size=resamples)
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile((drawn[:, 2] - drawn[:, 1]) / worth, [tail, 100.0 - tail])
    return float(low), float(high)


def verdict(pairs: Paired, interval: tuple[float, float]) -> str:
    """What the pairs say of A and B, in plain words. "better" is said only where test and interval agree on it."""
    low, high = interval
    ahead, behind = ("B", "A") if pairs.difference >= 0 else ("A", "B")
    if ahead == "A":
        low, high = -high, -low
    points = f"{100 * abs(pairs.difference):.1f} points"
    evidence = f"{interval_words((low, high))}, {pairs.n} pairs"
    if mcnemar(pairs) < SIGNIFICANCE and low > 0:
        return f"{ahead} is better by {points}, {evidence}"
    if not pairs.difference:
        return f"no difference between A and B is shown: both have the same rate, {evidence}"
    return f"no difference between A and B is shown: {ahead} is ahead of {behind} by {points}, {evidence}"


def interval_words(interval: tuple[float, float]) -> str:
    """The bounds of a difference in points, with one decimal."""
    low, high = (f"{100 * bound:.1f}".replace("-0.0", "0.0") for bound in interval)
    return f"95 % interval {low} to {high}"
