"""Intervals against scipy and published values, and words that never round a flaw away."""

import doctest
import itertools

import numpy as np
import pytest
from fake_episodes import fake_result
from scipy import stats

from benchmarks import statistics
from benchmarks.evaluate import Plan, error_result
from benchmarks.statistics import (
    clopper_pearson,
    duration,
    effective_size,
    percent,
    rate,
    rates_by_attempt,
    stratified,
    stratified_by,
    success_by_attempt,
    wilson_interval,
)

PLAN = Plan(suite="unseen_objects", version=1, policy="expert", hand="g0r")


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


def test_a_rate_at_k_is_that_of_episodes_and_never_falls():
    outcomes = [("success",), ("missed", "disturbed"), ("missed", "slipped", "success"), ("missed",) * 3]
    assert rates_by_attempt(outcomes, ("success", "disturbed"), 3) == [rate(1, 4), rate(2, 4), rate(3, 4)]


def test_the_interval_at_k_covers_although_attempts_depend_on_each_other():
    """Each scene has its own difficulty, so a second attempt fails more often where the first did."""
    rng, n, held = np.random.default_rng(0), 200, 0
    truth = 1 - 4 / 5 * 5 / 6  # E[1 - (1 - p)^2] with p from beta(1, 4)
    for _ in range(1000):
        p = rng.beta(1, 4, n)
        won = rng.random((2, n)) < p
        outcomes = [("success",) if first else ("missed", "success" if second else "missed") for first, second in won.T]
        at_two = rates_by_attempt(outcomes, ("success",), 2)[1]
        held += at_two.low <= truth <= at_two.high
    assert held / 1000 >= 0.935


@pytest.mark.parametrize("n", [1, 5, 96, 360])
def test_the_exact_interval_is_that_of_scipy(n):
    for successes in {0, 1, n // 2, n}:
        reference = stats.binomtest(successes, n).proportion_ci(0.95, method="exact")
        assert clopper_pearson(successes, n) == pytest.approx((reference.low, reference.high), abs=1e-9)


def test_the_exact_interval_takes_arrays_and_refuses_impossible_counts():
    low, high = clopper_pearson(np.array([0, 3]), np.array([5, 3]))
    assert (low[0], high[1]) == (0.0, 1.0)
    with pytest.raises(ValueError, match="successes must lie between 0 and n"):
        clopper_pearson(np.array([4]), np.array([3]))


def test_one_part_alone_has_the_interval_of_wilson():
    whole = stratified(["mug"] * 40, [True] * 31 + [False] * 9)
    assert (whole.low, whole.high) == pytest.approx(wilson_interval(31, 40), abs=1e-12)
    unanimous = stratified(["mug"] * 40, [True] * 40)
    assert (unanimous.low, unanimous.high) == pytest.approx(wilson_interval(40, 40), abs=1e-12)


def test_parts_weigh_alike_unless_weights_are_given_and_come_worst_first():
    labels, successes = ["a"] * 90 + ["b"] * 10, [True] * 90 + [False] * 10
    assert stratified(labels, successes).value == pytest.approx(0.5)
    assert stratified(labels, successes, {"a": 90, "b": 10}).value == pytest.approx(0.9)
    assert list(stratified(labels, successes).strata.items()) == [("b", rate(0, 10)), ("a", rate(90, 90))]
    assert str(stratified(labels, successes)).startswith("50.0 % (over 2 parts, 95 % interval ")


@pytest.mark.parametrize(
    ("rates", "sizes"),
    [
        ((0.99,) * 30, (12,) * 30),
        (tuple(np.linspace(0.5, 1.0, 30)), (12,) * 30),
        ((0.9, 0.5, 0.8), (618, 309, 360)),
        ((0.6, 0.5, 0.4), (103,) * 3),
        ((0.8,) * 20, tuple(range(1, 21))),
        ((0.995, 0.995, 0.97), (100,) * 3),
    ],
)
def test_the_interval_over_parts_holds_the_truth(rates, sizes):
    rng, held, labels = np.random.default_rng(0), 0, np.repeat(np.arange(len(sizes)), sizes).tolist()
    for _ in range(1000):
        found = stratified(labels, (rng.random(len(labels)) < np.repeat(rates, sizes)).tolist())
        held += found.low <= np.mean(rates) <= found.high
    assert held / 1000 >= 0.92


def test_parts_of_equal_rates_tell_more_than_a_mixture():
    """The parts are chosen, so only what happens within them is chance."""
    labels, successes = ["easy"] * 100 + ["hard"] * 100, [True] * 98 + [False] * 2 + [True] * 10 + [False] * 90
    parts, mixture = stratified(labels, successes), rate(108, 200)
    assert parts.value == pytest.approx(mixture.value)
    assert parts.high - parts.low < 0.6 * (mixture.high - mixture.low)


def test_any_field_of_the_rows_makes_parts_and_errors_are_left_out():
    rows = [fake_result(PLAN, index, "success" if index % 3 else "missed") for index in range(9)]
    found = stratified_by([*rows, error_result(PLAN, 9, "gone")], "family")
    assert found.strata == {"mug": rate(0, 3), "ball": rate(3, 3), "can": rate(3, 3)}
    assert sum(part.n for part in stratified_by(rows, "objects").strata.values()) == 9
    with pytest.raises(ValueError, match="no field 'colour'; choose from: suite, "):
        stratified_by(rows, "colour")


def test_parts_without_episodes_or_weights_are_refused():
    with pytest.raises(ValueError, match="every part needs"):
        stratified([], [])
    with pytest.raises(ValueError, match="every part needs"):
        stratified(["a", "b"], [True, False], {"a": 1.0})


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")]
)
def test_durations_read_at_a_glance(seconds, words):
    assert duration(seconds) == words


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(statistics).failed == 0


def test_clusters_of_one_are_worth_what_they_count():
    assert effective_size(range(360), [True] * 310 + [False] * 50) == pytest.approx(360)
    assert effective_size(["a", "a", "b", "b"], [True] * 4) == 4


def test_clusters_of_equal_values_are_worth_one_value_each():
    values = np.repeat([True] * 400 + [False] * 100, 6)
    assert effective_size(np.repeat(np.arange(500), 6).tolist(), values) == pytest.approx(500, rel=0.01)


def test_values_that_even_out_within_clusters_are_worth_no_more_than_they_count():
    assert effective_size(list("aabbccdd") * 3, [True, False] * 12) <= 24


@pytest.mark.parametrize("clusters", [[], ["a"] * 5])
def test_one_cluster_says_nothing_of_others(clusters):
    with pytest.raises(ValueError, match="one cluster says nothing of others"):
        effective_size(clusters, [True] * len(clusters))


@pytest.mark.parametrize(
    ("clusters", "each", "mean", "alike"),
    [
        (103, 6, 0.85, 0.3),
        (103, 3, 0.6, 0.5),
        (36, 4, 0.8, 0.2),
        (21, 10, 0.7, 0.2),
        (18, 8, 0.8, 0.5),
        (60, 5, 0.9, 0),
    ],
)
def test_the_interval_over_clusters_holds_the_truth_where_wilsons_does_not(clusters, each, mean, alike):
    """alike: correlation of two episodes of a cluster, whose rates are drawn from a beta distribution."""
    rng, labels, held, naive = np.random.default_rng(0), np.repeat(np.arange(clusters), each).tolist(), 0, 0
    for _ in range(1000):
        scale = (1 - alike) / alike if alike else 1e9
        rates = rng.beta(mean * scale, (1 - mean) * scale, clusters)
        won = rng.random(clusters * each) < np.repeat(rates, each)
        size, plain = effective_size(labels, won), rate(int(won.sum()), len(won))
        low, high = wilson_interval(won.mean() * size, size)
        held += low <= mean <= high
        naive += plain.low <= mean <= plain.high
    assert held / 1000 >= 0.93
    assert (naive / 1000 < 0.9) == (alike > 0)
