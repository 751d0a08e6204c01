"""How many episodes are needed to see a difference: `python -m benchmarks.power --difference 3`."""

import functools
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.errors import UsageError
from benchmarks.paired import SIGNIFICANCE

MOST_PAIRS = 200_000
POWERS = (0.8, 0.9)


@dataclass(frozen=True)
class Options:
    """How many episodes show that one policy is better than another, at 5 % and with 80 and 90 % power."""

    difference: tuple[float, ...] = (1.0, 2.0, 3.0, 5.0, 10.0)
    """Differences of the success rates to see, in points."""
    disagreement: tuple[float, ...] = (5.0, 10.0, 20.0, 30.0)
    """Shares of paired episodes in which one of the two succeeds alone, in percent: `benchmarks.compare` prints it."""
    rate: float = 75.0
    """The lower one of the two success rates in percent; unpaired runs alone depend on it."""


def mcnemar_power(
    pairs: int, difference: float, disagreement: float, alpha: float = SIGNIFICANCE, sides: int = 2
) -> float:
    """Probability that the exact McNemar test at `alpha` finds for the better policy; exact, not approximate.

    difference: of the two rates, a share; disagreement: share of pairs in which one succeeds alone, at least the
    difference. The number of such pairs is binomial, and so is, given it, the number that the better one wins.
    Raises ValueError for a disagreement below the difference or above 1.
    """
    if not 0.0 <= difference <= disagreement <= 1.0 or disagreement == 0.0:
        raise ValueError(
            f"a difference of {difference:g} needs a disagreement between {difference:g} and 1, got {disagreement:g}"
        )
    changed = np.arange(pairs + 1)
    wins = (1.0 + difference / disagreement) / 2
    won = stats.binom.sf(_needed(pairs, alpha / sides) - 1, changed, wins)
    return float(stats.binom.pmf(changed, pairs, disagreement) @ won)


@functools.lru_cache(maxsize=8)
def _needed(pairs: int, alpha: float) -> np.ndarray:
    """How many of 0, 1, ... `pairs` changed pairs must fall to one side for a one-sided p-value of at most `alpha`."""
    changed = np.arange(pairs + 1)
    return stats.binom.isf(alpha, changed, 0.5) + 1  # the least k with P(X >= k) <= alpha; beyond `changed`: never


def pairs_needed(difference: float, disagreement: float, power: float, alpha: float = SIGNIFICANCE) -> int:
    """The least number of pairs from which on the exact McNemar test has `power`. Raises ValueError beyond MOST_PAIRS.

    Shares, as in `mcnemar_power`. Power climbs in small steps back and forth; the search ends at a number that has it
    and whose predecessor has not.
    """
    if difference <= 0.0:
        raise ValueError(f"the difference to see must be above 0, got {difference:g}")
    return _least(lambda pairs: mcnemar_power(pairs, difference, disagreement, alpha) >= power)


def unpaired_needed(low: float, high: float, power: float, alpha: float = SIGNIFICANCE) -> int:
    """Episodes that each of two unpaired runs needs to show that the rates `low` and `high` differ.

    The two-sided comparison of two proportions by the normal approximation (Fleiss, Levin and Paik 2003, section 4.2,
    without continuity correction). Raises ValueError unless 0 <= low < high <= 1.
    """
    if not 0.0 <= low < high <= 1.0:
        raise ValueError(f"the rates must rise between 0 and 1, got {low:g} and {high:g}")
    at, above = (NormalDist().inv_cdf(p) for p in (1 - alpha / 2, power))
    mean = (low + high) / 2
    spread = at * math.sqrt(2 * mean * (1 - mean)) + above * math.sqrt(low * (1 - low) + high * (1 - high))
    return math.ceil((spread / (high - low)) ** 2)


def fisher_worse(successes: int, n: int, before: int, n_before: int) -> float:
    """One-sided p-value of Fisher's exact test: so few successes or fewer, were the rate still that of before."""
    return float(stats.hypergeom.cdf(successes, n + n_before, successes + before, n))


def fisher_power(drop: float, n: int, before: int, n_before: int, alpha: float) -> float:
    """Probability that Fisher's one-sided test notices a rate that fell by `drop` (a share) from that of before."""
    now = max(0.0, before / n_before - drop)
    counts = np.arange(n + 1)
    p_values = stats.hypergeom.cdf(counts, n + n_before, counts + before, n)
    return float(stats.binom.pmf(counts, n, now) @ (p_values <= alpha))


def least_drop(power_of: Callable[[float], float], power: float, most: float) -> float | None:
    """The least drop in whole points, as a share of at most `most`, that is seen with `power`; None where none is."""
    return next((d / 100 for d in range(1, round(100 * most) + 1) if power_of(d / 100) >= power), None)


def _least(enough: Callable[[int], bool]) -> int:
    high = 2
    while not enough(high):
        high *= 2
        if high > MOST_PAIRS:
            raise ValueError(f"more than {MOST_PAIRS} pairs are needed")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0, or 2 for bad usage."""
    options = tyro.cli(Options, args=arguments, prog="python -m benchmarks.power", description=__doc__)
    try:
        _check(options)
    except UsageError as fault:
        print(f"benchmarks.power: {fault}", file=sys.stderr)
        return 2
    console = Console()
    console.print(table(options))
    for words in answers(options):
        console.print(words, markup=False, highlight=False)
    return 0


def _check(options: Options) -> None:
    if not all(0.5 <= points <= 100.0 - options.rate for points in options.difference) or options.rate < 0.0:
        raise UsageError(
            f"--difference must lie between 0.5 points and what is left above --rate {options.rate:g} %, "
            f"got {', '.join(f'{points:g}' for points in options.difference)}"
        )
    if not all(0.0 < share <= 100.0 for share in options.disagreement):
        raise UsageError("--disagreement must lie between 0 and 100 %")


def table(options: Options) -> Table:
    """Episodes for 80 / 90 % power: a row for each difference, a column for each disagreement, and one unpaired."""
    drawn = Table(title="Episodes needed at 5 %, for 80 / 90 % power", title_justify="left", title_style="bold")
    drawn.add_column("to see")
    for share in options.disagreement:
        drawn.add_column(f"pairs, {share:g} % differ", justify="right")
    drawn.add_column(f"unpaired from {options.rate:g} %, each", justify="right")
    for points in options.difference:
        cells = [_paired_cell(points / 100, share / 100) for share in options.disagreement]
        drawn.add_row(f"{points:g} points", *cells, _cell([_unpaired(options, points, power) for power in POWERS]))
    return drawn


def answers(options: Options) -> list[str]:
    """One sentence for each difference, at the middle one of the disagreements that allow it."""
    words = []
    for points in options.difference:
        allowed = [share for share in options.disagreement if share >= points]
        unpaired = _unpaired(options, points, POWERS[0])
        if not allowed:
            words.append(f"To see {points:g} points, more than {points:g} % of the pairs must differ.")
            continue
        share = allowed[(len(allowed) - 1) // 2]
        pairs = pairs_needed(points / 100, share / 100, POWERS[0])
        words.append(
            f"To see {points:g} points with 80 % power: {pairs:,} paired episodes where {share:g} % of them differ; "
            f"{unpaired:,} episodes of each policy where they are not paired."
        )
    return words


def _unpaired(options: Options, points: float, power: float) -> int:
    return unpaired_needed(options.rate / 100, (options.rate + points) / 100, power)


def _paired_cell(difference: float, disagreement: float) -> str:
    if disagreement < difference:
        return "–"
    return _cell([pairs_needed(difference, disagreement, power) for power in POWERS])


def _cell(numbers: Sequence[int]) -> str:
    return " / ".join(f"{number:,}" for number in numbers)


if __name__ == "__main__":
    sys.exit(main())
