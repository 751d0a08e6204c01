"""Pairs: the exact test against scipy, the interval against the truth, and words that promise no more than both."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.paired import Paired, bootstrap_interval, counted, mcnemar, mcnemar_worse, verdict


def test_pairs_are_counted_by_who_succeeded():
    pairs = counted([(True, True), (True, False), (False, True), (False, True), (False, False)])
    assert pairs == Paired(both=1, only_a=1, only_b=2, neither=1)
    assert (pairs.n, pairs.difference, pairs.disagreement) == (5, 0.2, 0.6)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 1), (3, 9), (9, 3), (20, 20), (1, 30)])
def test_mcnemar_is_the_exact_binomial_test(only_a, only_b):
    reference = stats.binomtest(only_a, only_a + only_b, 0.5).pvalue
    assert mcnemar(Paired(50, only_a, only_b, 10)) == pytest.approx(reference, abs=1e-12)


def test_without_a_difference_nothing_is_shown():
    assert mcnemar(Paired(50, 0, 0, 10)) == 1.0
    low, high = bootstrap_interval(Paired(12, 0, 0, 0))
    assert low < 0 < high


def test_the_one_sided_test_counts_lost_episodes_only():
    assert mcnemar_worse(10, 0) == pytest.approx(2**-10)
    assert mcnemar_worse(0, 10) == 1.0
    assert mcnemar_worse(0, 0) == 1.0


@pytest.mark.parametrize("pairs", [Paired(50, 3, 9, 10), Paired(300, 4, 16, 40), Paired(10, 0, 2, 0)])
def test_the_interval_turns_with_the_sides_and_repeats_to_the_bit(pairs):
    low, high = bootstrap_interval(pairs)
    assert low <= pairs.difference <= high
    assert bootstrap_interval(pairs) == (low, high)
    other = bootstrap_interval(Paired(pairs.both, pairs.only_b, pairs.only_a, pairs.neither))
    assert other == pytest.approx((-high, -low), abs=1.5 / pairs.n)


def test_the_interval_is_that_of_resampled_episodes():
    """Drawing from the four counts is drawing pairs; half a pair more in each of them matters little here."""
    rng = np.random.default_rng(3)
    differences = np.repeat([0, -1, 1], [420, 40, 100])
    drawn = rng.choice(differences, size=(5000, len(differences))).mean(axis=1)
    assert bootstrap_interval(Paired(300, 40, 100, 120)) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.005)


@pytest.mark.parametrize(
    ("n", "only_a", "only_b"), [(12, 0.1, 0.1), (60, 0.05, 0.1), (120, 0.05, 0.01), (360, 0.01, 0.0), (360, 0.1, 0.15)]
)
def test_the_interval_holds_the_true_difference(n, only_a, only_b):
    rng, held = np.random.default_rng(n), 0
    for a, b, same in rng.multinomial(n, [only_a, only_b, 1 - only_a - only_b], size=600):
        low, high = bootstrap_interval(Paired(int(same), int(a), int(b), 0), resamples=2000)
        held += low - 1e-12 <= only_b - only_a <= high + 1e-12
    assert held / 600 >= 0.93


def test_the_words_are_plain_and_name_the_better_one():
    assert verdict(Paired(280, 10, 25, 45), (0.011, 0.073)) == (
        "B is better by 4.2 points, 95 % interval 1.1 to 7.3, 360 pairs"
    )
    assert verdict(Paired(280, 25, 10, 45), (-0.073, -0.011)) == (
        "A is better by 4.2 points, 95 % interval 1.1 to 7.3, 360 pairs"
    )


def test_better_is_not_said_without_evidence():
    close = verdict(Paired(280, 20, 24, 36), (-0.025, 0.047))
    assert close.startswith("no difference between A and B is shown: B is ahead of A by 1.1 points")
    assert "95 % interval -2.5 to 4.7" in close
    assert "both have the same rate" in verdict(Paired(10, 1, 1, 0), (-0.2, 0.2))
    few = Paired(5, 0, 5, 0)  # the interval is above 0, the exact test is not convinced
    assert mcnemar(few) > 0.05
    assert verdict(few, (0.1, 0.8)).startswith("no difference between A and B is shown")
