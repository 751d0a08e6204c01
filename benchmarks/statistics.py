"""Rates with their uncertainty: Wilson intervals and the words that carry them. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from datagen.rates import CONFIDENCE as CONFIDENCE
from datagen.rates import duration as duration
from datagen.rates import wilson_interval as wilson_interval


@dataclass(frozen=True)
class Rate:
    """A success rate over `n` trials with the bounds of its Wilson score interval; all between 0 and 1."""

    successes: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The observed share, or None before the first trial."""
        return self.successes / self.n if self.n else None

    def __str__(self) -> str:
        if not self.n:
            return "no trials"
        low, high = percent(self.low), percent(self.high)
        return f"{percent(self.successes / self.n)} % ({self.successes}/{self.n}, 95 % interval {low} to {high} %)"


def rate(successes: int, n: int) -> Rate:
    """The rate of `successes` in `n` trials with its 95 % Wilson interval.

    Raises ValueError unless 0 <= successes <= n.
    """
    low, high = wilson_interval(successes, n)
    return Rate(successes, n, low, high)


def percent(share: float) -> str:
    """A share as a number with one decimal; only an exact 0 or 1 is ever printed as 0.0 or 100.0.

    >>> percent(0.9999), percent(1.0), percent(0.0001)
    ('99.9', '100.0', '0.1')
    """
    value = round(100.0 * share, 1)
    if share < 1.0:
        value = min(value, 99.9)
    if share > 0.0:
        value = max(value, 0.1)
    return f"{value:.1f}"


def success_by_attempt(outcomes: Sequence[Sequence[str]], successes: Sequence[str], attempts: int) -> list[int]:
    """How many episodes had succeeded after the first 1, 2, ... `attempts` attempts.

    outcomes: for each episode the outcome word of each attempt, in order; successes: the words that count.
    """
    return [sum(any(word in successes for word in row[:k]) for row in outcomes) for k in range(1, attempts + 1)]


def clopper_pearson(
    successes: np.ndarray | int, n: np.ndarray | int, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray]:
    """Exact interval of binomial shares (Clopper and Pearson 1934): bounds (low, high), in the shape of the counts.

    It never covers less than it says, for which it is wider than Wilson's: for decisions, not for tables.
    Raises ValueError unless 0 <= successes <= n.
    """
    s, n = np.asarray(successes, float), np.asarray(n, float)
    if np.any(s < 0) or np.any(s > n):
        raise ValueError(f"successes must lie between 0 and n, got {successes} of {n}")
    tail = (1.0 - confidence) / 2
    low = np.where(s > 0, special.betaincinv(np.maximum(s, 1), n - s + 1, tail), 0.0)
    high = np.where(s < n, special.betaincinv(s + 1, np.maximum(n - s, 1), 1.0 - tail), 1.0)
    return low, high
