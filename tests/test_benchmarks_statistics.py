"""Intervals against scipy and published values, and words that never round a flaw away."""

import doctest
import itertools

import pytest
from scipy import stats

from benchmarks import statistics
from benchmarks.statistics import duration, percent, rate, success_by_attempt, wilson_interval


@pytest.mark.parametrize("n", [1, 2, 7, 50, 360, 100_000])
def test_the_wilson_interval_is_that_of_scipy(n):
    for successes in {0, 1, n // 3, n // 2, n - 1, n}:
        reference = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
        assert wilson_interval(successes, n) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_other_confidences_are_those_of_scipy():
    for confidence in (0.5, 0.9, 0.99):
        reference = stats.binomtest(17, 40).proportion_ci(confidence, method="wilson")
        assert wilson_interval(17, 40, confidence) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_unanimous_results_bound_one_side_exactly():
    for n in range(1, 400):
        assert wilson_interval(0, n)[0] == 0.0
        assert wilson_interval(n, n)[1] == 1.0


def test_no_trials_leave_everything_possible():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert rate(0, 0).value is None
    assert str(rate(0, 0)) == "no trials"


def test_the_interval_is_symmetric_in_successes_and_failures_and_holds_the_rate():
    for n, k in itertools.product((5, 30, 360), range(5)):
        low, high = wilson_interval(k, n)
        mirrored = wilson_interval(n - k, n)
        assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)
        assert low <= k / n <= high


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (1, 0)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match="successes must lie between 0 and n"):
        wilson_interval(successes, n)


def test_impossible_confidences_are_refused():
    with pytest.raises(ValueError, match="confidence"):
        wilson_interval(1, 2, 1.0)


def test_a_rate_prints_with_its_count_and_interval():
    assert str(rate(353, 360)) == "98.1 % (353/360, 95 % interval 96.0 to 99.1 %)"
    assert str(rate(360, 360)) == "100.0 % (360/360, 95 % interval 98.9 to 100.0 %)"


def test_only_a_perfect_share_prints_as_perfect():
    assert percent(1.0) == "100.0"
    assert percent(0.0) == "0.0"
    assert percent(1 - 1e-9) == "99.9"
    assert percent(1e-9) == "0.1"


def test_success_by_attempt_counts_each_episode_from_its_first_success_on():
    outcomes = [("success",), ("missed", "disturbed"), ("missed", "slipped", "success"), ("missed",) * 3]
    assert success_by_attempt(outcomes, ("success", "disturbed"), 3) == [1, 2, 3]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")]
)
def test_durations_read_at_a_glance(seconds, words):
    assert duration(seconds) == words


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(statistics).failed == 0
