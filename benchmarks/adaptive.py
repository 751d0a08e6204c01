"""When a suite may stop early: a fixed-width interval whose coverage holds in spite of the stopping. Pure.

The rule (Frey 2010, "Fixed-width sequential confidence intervals for a proportion", The American Statistician 64(3)):
look after fixed numbers of episodes, draw the Clopper-Pearson interval at level 1 - gamma, stop as soon as it is
narrower than asked, or at the end. Gamma is the largest of a list with which the interval *at the stop* holds the true
rate with probability 95 % at least, whatever that rate is. This is computed, not simulated: the number of ways to come
to each possible stop does not depend on the rate, so the coverage at every rate follows from one count of paths.
"""

import functools
from dataclasses import dataclass

import numpy as np
from scipy import special

from benchmarks.statistics import CONFIDENCE, clopper_pearson

MAX_LOOKS = 100
MAX_TOTAL = 20_000  # the count of paths takes time and memory of the order of its square
_GAMMAS = tuple((1 - CONFIDENCE) * np.arange(40, 3, -1) / 40) + tuple((1 - CONFIDENCE) * 0.75 ** np.arange(9, 25))


@dataclass(frozen=True)
class Stopper:
    """The rule for a run of at most `total` episodes that may end once its interval is narrower than `width`.

    width: between the bounds, as a share (0.05 is 5 points). Raises ValueError for what cannot be.

    Ask for prefixes of one fixed order of the episodes only: the first n of them that are no errors, one n after the
    other, whatever order they finish in. Then workers and their timing cannot change where the run stops, and rows of
    later episodes that are finished by then do not count. The order must have nothing to do with how hard episodes
    are; the order of the indices of a suite that shuffles its targets is such a one, a suite that puts one look or
    family after the other is not.

    A run that was stopped so must be reported with `interval`, which is valid at the stop alone; the Wilson interval
    of a fixed number of episodes is too narrow there.
    """

    width: float
    total: int

    def __post_init__(self) -> None:
        if not 0.0 < self.width < 1.0:
            raise ValueError(f"width must lie between 0 and 1 (0.05 for 5 points), got {self.width}")
        if not 1 <= self.total <= MAX_TOTAL:
            raise ValueError(f"total must lie between 1 and {MAX_TOTAL} episodes, got {self.total}")

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """The numbers of scored episodes at which to look, ascending; the last one is `total`."""
        return _checkpoints(self.width, self.total)

    @property
    def level(self) -> float:
        """Confidence level (1 - gamma) of the single interval, 95 % or more."""
        return 1.0 - _gamma(self.width, self.total)

    def interval(self, successes: int, n: int) -> tuple[float, float]:
        """The (low, high) bounds after `n` scored episodes. Raises ValueError for impossible counts."""
        low, high = clopper_pearson(successes, n, self.level)
        return float(low), float(high)

    def done(self, successes: int, n: int) -> bool:
        """Whether to stop after the first `n` scored episodes: at the end, or narrow enough at a checkpoint."""
        if n not in self.checkpoints:
            return n > self.total
        low, high = self.interval(successes, n)
        return n == self.total or high - low < self.width

    def coverage(self, rates: np.ndarray) -> np.ndarray:
        """Probability (R,) with which the interval at the stop holds each true rate (R,), strictly inside."""
        return _coverage(_stops(_gamma(self.width, self.total), self.width, self.checkpoints), rates)


@dataclass(frozen=True)
class _Stops:
    """All possible ends of a run, each (S,): counts, logarithm of the number of ways to it, bounds."""

    successes: np.ndarray
    n: np.ndarray
    log_ways: np.ndarray
    low: np.ndarray
    high: np.ndarray


@functools.cache
def _checkpoints(width: float, total: int) -> tuple[int, ...]:
    # Before the first one even unanimous episodes leave too wide an interval: 1 - (gamma / 2) ^ (1 / n) at best.
    first = int(np.log((1 - CONFIDENCE) / 2) / np.log1p(-width))
    step = -(-total // MAX_LOOKS)
    return (*range(max(1, first), total, step), total)


@functools.cache
def _gamma(width: float, total: int) -> float:
    checkpoints = _checkpoints(width, total)
    for gamma in _GAMMAS:
        stops = _stops(gamma, width, checkpoints)
        # Between two neighbouring bounds the stops that hold the rate are the same ones, and their probability is
        # least at an end; bounds that equal the rate do not count, which covers the limits from both sides.
        bounds = np.unique(np.concatenate([stops.low, stops.high]))
        if _coverage(stops, bounds[(bounds > 0) & (bounds < 1)]).min() >= CONFIDENCE:
            return float(gamma)
    raise AssertionError("the last level of the list holds by the union bound over all looks")


def _stops(gamma: float, width: float, checkpoints: tuple[int, ...]) -> _Stops:
    """Every way in which a run can end, by counting paths from look to look."""
    ways, before, found = np.zeros(1), 0, []  # logarithm of the ways to each count of successes without a stop before
    for n in checkpoints:
        ways, before = _advanced(ways, n - before), n
        successes = np.flatnonzero(np.isfinite(ways))
        low, high = clopper_pearson(successes, np.full(len(successes), n), 1.0 - gamma)
        ends = (high - low < width) if n < checkpoints[-1] else np.ones(len(successes), bool)
        found.append([a[ends] for a in (successes, np.full(len(successes), n), ways[successes], low, high)])
        ways[successes[ends]] = -np.inf
        if ends.all():
            break
    return _Stops(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _advanced(ways: np.ndarray, episodes: int) -> np.ndarray:
    """Logarithm of the number of ways to each count of successes, so many episodes on."""
    further = np.full(len(ways) + episodes, -np.inf)
    binomial = special.gammaln(episodes + 1)
    for won in range(episodes + 1):
        choices = binomial - special.gammaln(won + 1) - special.gammaln(episodes - won + 1)
        part = further[won : won + len(ways)]
        np.logaddexp(part, ways + choices, out=part)
    return further


def _coverage(stops: _Stops, rates: np.ndarray) -> np.ndarray:
    """Probability (R,) that the interval at the stop holds a rate strictly inside; bounds 0 and 1 hold all there is."""
    low, high = np.where(stops.low <= 0, -1.0, stops.low), np.where(stops.high >= 1, 2.0, stops.high)
    held = np.empty(len(rates))
    for number, rate in enumerate(rates):
        inside = (low < rate) & (rate < high)
        s, f = stops.successes[inside], (stops.n - stops.successes)[inside]
        held[number] = np.exp(stops.log_ways[inside] + special.xlogy(s, rate) + special.xlog1py(f, -rate)).sum()
    return held
