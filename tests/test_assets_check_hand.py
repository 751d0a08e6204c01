"""The bench of the hands: what it measures on ours, and that it complains about a broken one."""

from dataclasses import replace

import pytest

from assets import check_hand
from assets.robots import hand_bench as bench
from assets.robots.hand import HandSpec, Motor
from assets.robots.hands import HANDS, get_hand
from envs.spec import HAND_ORDER

EVERY_HAND = pytest.mark.parametrize("name", HANDS)


def _with_motor(hand: HandSpec, joint: str, motor: Motor) -> HandSpec:
    digits = tuple(
        replace(d, bones=tuple(replace(b, motor=motor) if b.joint == joint else b for b in d.bones))
        for d in hand.digits
    )
    return replace(hand, digits=digits)


@EVERY_HAND
def test_couplings_hold_while_moving(name):
    assert bench.coupling_error_rad(get_hand(name)) < check_hand.COUPLING_ERROR_RAD


@EVERY_HAND
def test_hand_closes_as_fast_as_the_real_one(name):
    times = bench.closing_times_s(get_hand(name))
    assert tuple(times) == HAND_ORDER
    for joint, seconds in times.items():
        assert 0.2 <= seconds <= 0.35, joint


@EVERY_HAND
@pytest.mark.parametrize("digit", bench.DIGITS)
def test_fingertips_press_as_hard_as_the_real_ones(name, digit):
    wanted = check_hand.TIP_FORCE_N[digit]
    for travel in (0.2, 0.5):
        assert bench.tip_force_n(get_hand(name), digit, travel) == pytest.approx(wanted, rel=0.4)


@EVERY_HAND
def test_thumb_meets_index_and_middle(name):
    gaps = bench.opposition_gaps_m(get_hand(name))
    assert gaps["index"] < check_hand.MEETING_GAP_M
    assert gaps["middle"] < check_hand.MEETING_GAP_M
    assert gaps["little"] > gaps["ring"] > gaps["middle"]


@EVERY_HAND
@pytest.mark.parametrize("diameter_m", bench.CYLINDER_DIAMETERS_M)
def test_cylinders_stay_in_the_hand(name, diameter_m):
    assert bench.best_squeeze(get_hand(name), diameter_m).held


def test_a_cylinder_out_of_reach_is_not_held():
    assert not bench.squeeze(get_hand("g0r"), 0.05, (0.30, 0.125)).held


@EVERY_HAND
def test_every_hand_passes_the_command(name, capsys):
    assert check_hand.main(name) == 0
    assert "ok" in capsys.readouterr().out


def test_unknown_hand_fails_in_plain_words(capsys):
    assert check_hand.main("claw") == 1
    assert "choose one of g0r, rh56" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("joint", "motor", "complaint"),
    [
        ("index", Motor(0.2, 6.0), "the index presses with"),
        ("ring", Motor(3.0, 6.0), "the ring presses with"),
        ("middle", Motor(0.82, 1.0), "middle closes in"),
    ],
)
def test_a_wrong_motor_is_noticed(joint, motor, complaint, monkeypatch, capsys):
    broken = _with_motor(get_hand("g0r"), joint, motor)
    monkeypatch.setitem(HANDS, "g0r", broken)
    assert check_hand.main("g0r") == 1
    assert complaint in capsys.readouterr().out
