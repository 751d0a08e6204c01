"""What an answer is worth: boxes against a mask made by hand, rates over rows made by hand."""

import dataclasses

import numpy as np
import pytest
from fake_episodes import fake_result

from benchmarks.answers import answer_rates, floor_words, score_box, tightest
from benchmarks.evaluate import Plan
from benchmarks.suites import COMPLETION, VERIFICATION

MASK = np.zeros((480, 640), np.uint8)
MASK[100:140, 200:280] = 1
TRUTH = (200.0, 100.0, 280.0, 140.0)


def test_the_tightest_box_holds_every_pixel_and_no_more():
    assert tightest(MASK) == TRUTH
    one = np.zeros_like(MASK)
    one[479, 639] = 1
    assert tightest(one) == (639.0, 479.0, 640.0, 480.0)
    assert score_box((638.0, 478.0, 640.0, 480.0), one).centred


@pytest.mark.parametrize(
    ("box", "iou", "enclosed", "tight", "centred"),
    [
        (TRUTH, 1.0, 1.0, True, True),
        ((196.0, 96.0, 284.0, 144.0), 3200 / (88 * 48), 1.0, True, True),  # 4 pixels are always allowed
        ((188.0, 94.0, 292.0, 146.0), 3200 / (104 * 52), 1.0, True, True),  # and 15 % of each side
        ((187.0, 94.0, 292.0, 146.0), 3200 / (105 * 52), 1.0, False, True),
        ((200.0, 93.0, 280.0, 140.0), 40 / 47, 1.0, False, True),
        ((204.0, 100.0, 280.0, 140.0), 0.95, 0.95, True, True),
        ((205.0, 100.0, 280.0, 140.0), 75 / 80, 75 / 80, False, True),
        ((0.0, 0.0, 640.0, 480.0), 3200 / (640 * 480), 1.0, False, False),
        ((0.0, 0.0, 50.0, 50.0), 0.0, 0.0, False, False),
    ],
)
def test_a_box_encloses_tightly_or_it_is_wrong(box, iou, enclosed, tight, centred):
    score = score_box(box, MASK)
    assert (score.iou, score.enclosed) == (pytest.approx(iou), pytest.approx(enclosed))
    assert (score.tight, score.centred) == (tight, centred)


def test_the_centre_must_lie_on_the_object_itself():
    ring = MASK.copy()
    ring[115:125, 220:260] = 0
    score = score_box(TRUTH, ring)
    assert (score.tight, score.centred, score.iou) == (True, False, 1.0)


def row(index: int, **measures):
    word = "success" if measures["right"] else "planner"
    row = fake_result(Plan("planner_verdicts", 1, "none", "g0r"), index, word)
    return dataclasses.replace(row, success=measures["right"], measures={"read": True, **measures})


def test_rates_tell_yes_to_true_from_yes_to_false_and_kinds_apart():
    asked = [(True, "held", True), (True, "held", False), (False, "wrong", True), (False, "above", None)]
    rows = [
        row(i, question=VERIFICATION, moment=moment, truth=truth, answer=said, right=said is truth)
        for i, (truth, moment, said) in enumerate(asked)
    ]
    rows[3].measures["read"] = False
    found = {name: (r.successes, r.n) for name, r in answer_rates("planner_verdicts", rows).items()}
    assert found == {
        f"{VERIFICATION}: right": (1, 4),
        f"{VERIFICATION}: yes to true ones": (1, 2),
        f"{VERIFICATION}: yes to false ones": (1, 2),
        f"{VERIFICATION}: held": (1, 2),
        f"{VERIFICATION}: wrong": (0, 1),
        f"{VERIFICATION}: above": (0, 1),
        f"{COMPLETION}: right": (0, 0),
        f"{COMPLETION}: yes to true ones": (0, 0),
        f"{COMPLETION}: yes to false ones": (0, 0),
        "could be read": (3, 4),
    }
    words = floor_words(answer_rates("planner_verdicts", rows))
    assert words == f"always yes is right in 50.0 % ({VERIFICATION}), always no in the rest"


def test_other_suites_have_no_such_rates():
    assert answer_rates("unseen_objects", [fake_result(Plan("unseen_objects", 1, "expert", "g0r"), 0)]) == {}
    assert floor_words({}) == ""
