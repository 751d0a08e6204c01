"""How many episodes: exact power against simulation and against published formulas."""

import functools

import numpy as np
import pytest
from scipy import stats

from benchmarks import power
from benchmarks.paired import Paired, mcnemar
from benchmarks.power import (
    fisher_power,
    fisher_worse,
    least_drop,
    main,
    mcnemar_power,
    pairs_needed,
    unpaired_needed,
)


@pytest.mark.parametrize(("pairs", "difference", "disagreement"), [(100, 0.1, 0.2), (360, 0.03, 0.1), (40, 0.3, 0.3)])
def test_the_power_is_that_of_simulated_tests(pairs, difference, disagreement):
    rng, found = np.random.default_rng(pairs), 0
    shown = functools.cache(lambda a, b: b > a and mcnemar(Paired(pairs - a - b, a, b, 0)) <= 0.05)
    shares = [(disagreement - difference) / 2, (disagreement + difference) / 2, 1 - disagreement]
    for a, b, _ in rng.multinomial(pairs, shares, size=2000):
        found += shown(int(a), int(b))
    assert mcnemar_power(pairs, difference, disagreement) == pytest.approx(found / 2000, abs=0.04)


def test_without_a_difference_the_false_alarms_stay_below_the_level():
    for pairs in (12, 60, 360):
        assert mcnemar_power(pairs, 0.0, 0.2) <= 0.025
        assert mcnemar_power(pairs, 0.0, 0.2, alpha=0.001, sides=1) <= 0.001


def test_the_needed_number_is_the_first_with_the_power():
    for difference, disagreement in ((0.03, 0.1), (0.1, 0.3), (0.05, 0.05)):
        n = pairs_needed(difference, disagreement, 0.8)
        assert mcnemar_power(n, difference, disagreement) >= 0.8
        assert mcnemar_power(n - 1, difference, disagreement) < 0.8


def test_pairs_are_close_to_the_formula_of_connor():
    """Connor 1987 (Biometrics 43): the normal approximation, which the exact test exceeds a little."""
    difference, disagreement = 0.05, 0.2
    at, above = stats.norm.ppf([0.975, 0.8])
    formula = (at * disagreement**0.5 + above * (disagreement - difference**2) ** 0.5) ** 2 / difference**2
    assert formula <= pairs_needed(difference, disagreement, 0.8) <= 1.1 * formula


def test_unpaired_numbers_are_those_of_the_textbook():
    assert unpaired_needed(0.5, 0.6, 0.8) == 388
    assert unpaired_needed(0.6, 0.7, 0.9) == 477


def test_more_disagreement_and_more_power_cost_more():
    assert pairs_needed(0.03, 0.05, 0.8) < pairs_needed(0.03, 0.1, 0.8) < pairs_needed(0.03, 0.1, 0.9)
    assert pairs_needed(0.03, 0.2, 0.8) < unpaired_needed(0.75, 0.78, 0.8)


def test_fisher_is_that_of_scipy_and_keeps_its_level():
    reference = stats.fisher_exact([[5, 7], [12, 0]], alternative="less").pvalue
    assert fisher_worse(5, 12, 12, 12) == pytest.approx(reference)
    assert fisher_power(0.0, 120, 100, 120, 0.001) <= 0.001
    assert fisher_power(0.3, 120, 100, 120, 0.001) > 0.8


def test_the_least_drop_is_found_or_there_is_none():
    drop = least_drop(lambda drop: fisher_power(drop, 120, 100, 120, 0.001), 0.8, 1.0)
    assert fisher_power(drop, 120, 100, 120, 0.001) >= 0.8
    assert fisher_power(drop - 0.01, 120, 100, 120, 0.001) < 0.8
    assert least_drop(lambda drop: 0.5, 0.8, 1.0) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mcnemar_power(10, 0.2, 0.1), "a difference of 0.2 needs a disagreement"),
        (lambda: pairs_needed(0.0, 0.1, 0.8), "must be above 0"),
        (lambda: pairs_needed(0.01, 0.5, 0.9), "more than 2000 pairs"),
        (lambda: unpaired_needed(0.7, 0.7, 0.8), "must rise"),
    ],
)
def test_impossible_wishes_are_refused(monkeypatch, call, message):
    monkeypatch.setattr(power, "MOST_PAIRS", 2000)
    with pytest.raises(ValueError, match=message):
        call()


def test_the_command_answers_how_many_episodes_show_3_points(capsys):
    assert main(["--difference", "3", "--disagreement", "5", "10"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"{pairs_needed(0.03, 0.05, 0.8):,} / {pairs_needed(0.03, 0.05, 0.9):,}" in printed
    assert f"To see 3 points with 80 % power: {pairs_needed(0.03, 0.05, 0.8):,} paired episodes where 5 %" in printed


@pytest.mark.parametrize("words", [("--difference", "0"), ("--rate", "99"), ("--disagreement", "120")])
def test_the_command_refuses_what_cannot_be(capsys, words):
    assert main(list(words)) == 2
    assert "benchmarks.power: --d" in capsys.readouterr().err
