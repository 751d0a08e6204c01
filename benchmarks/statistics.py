"""Rates with their uncertainty: intervals and the words that carry them. Pure; docs/statistics.md says why."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from datagen.rates import CONFIDENCE as CONFIDENCE
from datagen.rates import duration as duration
from datagen.rates import wilson_interval as wilson_interval
from envs.interface import EpisodeResult


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


def rates_by_attempt(outcomes: Sequence[Sequence[str]], successes: Sequence[str], attempts: int) -> list[Rate]:
    """The rates @1, @2, ... @`attempts`, each with its Wilson interval; arguments as in `success_by_attempt`.

    An episode is one trial of "succeeded within k attempts", and episodes are independent of each other. Attempts are
    no trials of their own: a second one happens only where the first failed, in the scene that it left.
    """
    return [rate(count, len(outcomes)) for count in success_by_attempt(outcomes, successes, attempts)]


@dataclass(frozen=True)
class Stratified:
    """Rates in the parts of a suite, the worst first, and the mean over the parts by their weights, with bounds."""

    strata: dict[Hashable, Rate]
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        low, high = percent(self.low), percent(self.high)
        return f"{percent(self.value)} % (over {len(self.strata)} parts, 95 % interval {low} to {high} %)"


def stratified(
    labels: Sequence[Hashable], successes: Sequence[bool], weights: Mapping[Hashable, float] | None = None
) -> Stratified:
    """Rates of the episodes of each label, and their weighted mean.

    labels, successes: of each scored episode. weights: of each label; without them every part weighs alike, so that
    a part with many episodes does not drown the others. The parts are taken as chosen, not drawn.

    The interval is Wilson's at the effective number of episodes: that of an unstratified sample in which the mean
    would vary as much (Korn and Graubard 1998, Survey Methodology 24; with Wilson: Dean and Pagano 2015, Journal of
    Survey Statistics and Methodology 3). Raises ValueError without episodes or for labels without a weight above 0.
    """
    parts: dict[Hashable, list[bool]] = {}
    for label, success in zip(labels, successes, strict=True):
        parts.setdefault(label, []).append(success)
    if not parts or (weights is not None and not all(weights.get(label, 0) > 0 for label in parts)):
        raise ValueError(f"every part needs an episode and a weight above 0, got {list(parts)} and {weights}")
    w = np.array([1.0 if weights is None else weights[label] for label in parts], float)
    w /= w.sum()
    n = np.array([len(part) for part in parts.values()])
    shares = np.array([sum(part) for part in parts.values()]) / n
    value = float(np.clip(w @ shares, 0.0, 1.0))
    size = _effective_size(shares, n, w, value)
    low, high = wilson_interval(value * size, size)
    rates = {label: rate(sum(part), len(part)) for label, part in parts.items()}
    worst_first = sorted(rates.items(), key=lambda item: (item[1].value, -item[1].n, str(item[0])))
    return Stratified(dict(worst_first), value, low, high)


def _effective_size(shares: np.ndarray, n: np.ndarray, weights: np.ndarray, value: float) -> float:
    # A part of one episode says nothing of its own spread; that of the whole stands in for it.
    spread = np.where(n > 1, shares * (1 - shares) / np.maximum(n - 1, 1), value * (1 - value))
    variance = float(weights**2 @ spread)
    if variance == 0.0:  # unanimous: Kish's effective size, which needs no variance
        return 1.0 / float(weights**2 @ (1 / n))
    whole = n.sum()
    return value * (1 - value) * whole / ((whole - 1) * variance)


def effective_size(clusters: Sequence[Hashable], values: Sequence[float]) -> float:
    """How many independent values would tell as much of their mean as these, of which those of a cluster are alike.

    clusters, values: of each episode, such as its target and whether it succeeded. It is the number of values by the
    design effect, that is, by how much more the mean varies from one draw of clusters to another than from one draw
    of single values; with few clusters it is smaller, because that is known badly then (Kish 1965, Survey Sampling;
    Korn and Graubard 1998, Survey Methodology 24). Never more than there are values, and as many where all are equal,
    which says nothing of how alike they are. Raises ValueError for fewer than two clusters.
    """
    kinds, codes = np.unique([str(cluster) for cluster in clusters], return_inverse=True)
    if len(kinds) < 2:
        raise ValueError(f"one cluster says nothing of others: {', '.join(kinds) or 'no values'}")
    residuals, n, k = np.asarray(values, float) - np.mean(values), len(values), len(kinds)
    if not residuals.any():
        return float(n)
    single = float(residuals @ residuals) / (n - 1) * n
    together = float((np.bincount(codes, residuals) ** 2).sum()) * k / (k - 1)
    tail = (1.0 + CONFIDENCE) / 2
    certainty = float(special.stdtrit(n - 1, tail) / special.stdtrit(k - 1, tail)) ** 2
    return n / max(1.0, together / single) * certainty


def stratified_by(
    rows: Sequence[EpisodeResult], field: str, weights: Mapping[Hashable, float] | None = None
) -> Stratified:
    """`stratified` over the scored rows of a run by one of their fields, such as "family" or "objects".

    Errors are left out. Raises ValueError listing the choices for an unknown field.
    """
    names = [f.name for f in dataclasses.fields(EpisodeResult)]
    if field not in names:
        raise ValueError(f"rows have no field {field!r}; choose from: {', '.join(names)}")
    kept = [row for row in rows if row.outcome != "error"]
    return stratified([getattr(row, field) for row in kept], [row.success for row in kept], weights)


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
