"""The rule that stops early: its interval must hold the truth as often as it says, by computation and by lot."""

import functools

import numpy as np
import pytest

from benchmarks.adaptive import Stopper
from benchmarks.statistics import wilson_interval

EXPERIMENTS = 2000
RATES = (0.02, 0.1, 0.3, 0.5, 0.75, 0.9, 0.97, 0.995)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("width", "total"), [(0.1, 360), (0.06, 1287)])
def test_the_interval_at_the_stop_holds_the_truth_in_94_5_percent_of_2000_experiments(width, total, rate):
    stopper = Stopper(width, total)
    done, interval = functools.cache(stopper.done), functools.cache(stopper.interval)
    rng = np.random.default_rng([total, round(1000 * rate)])
    held = 0
    for episodes in rng.random((EXPERIMENTS, total)) < rate:
        so_far = np.cumsum(episodes)
        end = next(n for n in range(1, total + 1) if done(int(so_far[n - 1]), n))
        low, high = interval(int(so_far[end - 1]), end)
        held += low <= rate <= high
    assert held / EXPERIMENTS >= 0.945


@pytest.mark.parametrize(("width", "total"), [(0.3, 20), (0.1, 96), (0.1, 360), (0.05, 360), (0.05, 1287)])
def test_the_computed_coverage_is_95_percent_between_all_bounds_too(width, total):
    rates = np.random.default_rng(total).random(4000)
    assert Stopper(width, total).coverage(rates).min() >= 0.95


def test_the_computed_coverage_is_that_of_plain_simulation():
    stopper, rate = Stopper(0.25, 60), 0.8
    rng, held, experiments = np.random.default_rng(0), 0, 20_000
    done, interval = functools.cache(stopper.done), functools.cache(stopper.interval)
    for episodes in rng.random((experiments, 60)) < rate:
        so_far = np.cumsum(episodes)
        end = next(n for n in stopper.checkpoints if done(int(so_far[n - 1]), n))
        low, high = interval(int(so_far[end - 1]), end)
        held += low < rate < high
    (computed,) = stopper.coverage(np.array([rate]))
    assert held / experiments == pytest.approx(computed, abs=4 * np.sqrt(0.05 * 0.95 / experiments))


def test_stopping_by_the_interval_of_a_fixed_number_would_not_hold():
    """What the rule is for: to stop by Wilson's interval in the same way holds this rate in 90 % only."""
    rng, total, rate, held = np.random.default_rng(1), 360, 0.997, 0
    wilson = functools.cache(wilson_interval)
    for episodes in rng.random((EXPERIMENTS, total)) < rate:
        so_far = np.cumsum(episodes)
        looks = (wilson(int(so_far[n - 1]), n) for n in range(10, total + 1))
        low, high = next((low, high) for low, high in looks if high - low < 0.1)
        held += low <= rate <= high
    assert held / EXPERIMENTS < 0.92


def test_it_stops_when_narrow_enough_and_only_at_checkpoints():
    stopper = Stopper(0.1, 360)
    early = stopper.checkpoints[3]
    assert stopper.done(early, early)
    low, high = stopper.interval(early, early)
    assert high - low < 0.1
    assert not stopper.done(early + 1, early + 1)
    assert not stopper.done(early // 2, early)


def test_it_ends_with_the_list_however_wide_the_interval_is():
    stopper = Stopper(0.02, 50)
    assert stopper.checkpoints == (50,)
    assert not stopper.done(25, 49)
    assert stopper.done(25, 50)
    low, high = stopper.interval(25, 50)
    assert high - low > 0.02


@pytest.mark.parametrize("total", [1, 7, 100, 360, 1287])
def test_checkpoints_rise_to_the_total(total):
    checkpoints = Stopper(0.1, total).checkpoints
    assert list(checkpoints) == sorted(set(checkpoints))
    assert checkpoints[0] >= 1
    assert checkpoints[-1] == total
    assert len(checkpoints) <= 101


def test_the_price_of_looking_is_small():
    assert 0.95 <= Stopper(0.1, 360).level < 0.97


@pytest.mark.parametrize(("width", "total"), [(0.0, 10), (1.0, 10), (5.0, 360), (0.1, 0), (0.1, 20_001)])
def test_impossible_wishes_are_refused(width, total):
    with pytest.raises(ValueError, match="must lie between"):
        Stopper(width, total)
