"""What a planner's answers are worth: a box against the pixels of its object, and rates over many answers. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.statistics import Rate, percent, rate
from benchmarks.suites import BOXES, COMPLETION, VERDICTS, VERIFICATION
from envs.interface import EpisodeResult
from policy.planner import Box

# "Tightly encloses the target", as published and judged by eye there, in numbers: so much of what is seen of the target
# lies in the box, and no edge is farther outside the tightest box than this, or this share of its side.
LEAST_ENCLOSED, MOST_LOOSE_PX, MOST_LOOSE = 0.95, 4.0, 0.15
LEAST_IOU = 0.5
TRUE_POSITIVES, FALSE_POSITIVES = "yes to true ones", "yes to false ones"


@dataclass(frozen=True)
class BoxScore:
    """How well a box fits. iou: with the tightest box; enclosed: share of the target's visible pixels inside."""

    iou: float
    enclosed: float
    tight: bool  # encloses tightly, see above: the published criterion
    centred: bool  # its centre lies on a pixel of the target


def tightest(mask: np.ndarray) -> Box:
    """The tightest box around the pixels of a mask (H, W), of which there must be one."""
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def score_box(box: Box, mask: np.ndarray) -> BoxScore:
    """The score of a box within the picture against the target's visible pixels, mask (H, W) with at least one."""
    truth = tightest(mask)
    low, high = np.array(box[:2]), np.array(box[2:])
    true_low, true_high = np.array(truth[:2]), np.array(truth[2:])
    shared = float(np.prod(np.clip(np.minimum(high, true_high) - np.maximum(low, true_low), 0.0, None)))
    union = float(np.prod(high - low) + np.prod(true_high - true_low)) - shared
    rows, columns = np.nonzero(mask)
    places = np.stack([columns, rows], axis=1) + 0.5  # centres of the pixels
    enclosed = float(((places >= low) & (places <= high)).all(axis=1).mean())
    room = np.maximum(MOST_LOOSE_PX, MOST_LOOSE * (true_high - true_low))
    loose = bool((true_low - low > room).any() or (high - true_high > room).any())
    x, y = np.minimum((low + high) / 2, np.array(mask.shape[::-1]) - 1).astype(int)
    return BoxScore(shared / union, enclosed, enclosed >= LEAST_ENCLOSED and not loose, bool(mask[y, x]))


def answer_rates(suite: str, rows: Sequence[EpisodeResult]) -> dict[str, Rate]:
    """What -> how often, over the scored rows of a suite in which a planner is asked; nothing for any other suite.

    An answer that could not be read is never right, though the system takes a verdict of that kind for "no"; in the
    rates of "yes" it counts as none.
    """
    if suite == BOXES:
        return {
            **{f"right, distraction {name}": _share(part, "right") for name, part in _parts(rows, "distraction")},
            f"IoU at least {LEAST_IOU:g}": _share(rows, "overlaps"),
            "centre on the target": _share(rows, "centred"),
            "could be read": _share(rows, "read"),
        }
    if suite != VERDICTS:
        return {}
    found: dict[str, Rate] = {}
    for question in (VERIFICATION, COMPLETION):
        asked = [row for row in rows if row.measures["question"] == question]
        found[f"{question}: right"] = _share(asked, "right")
        for name, value in ((TRUE_POSITIVES, True), (FALSE_POSITIVES, False)):
            found[f"{question}: {name}"] = _share([r for r in asked if r.measures["truth"] is value], "answer")
        found |= {f"{question}: {name}": _share(part, "right") for name, part in _parts(asked, "moment")}
    return found | {"could be read": _share(rows, "read")}


def floor_words(answers: Mapping[str, Rate]) -> str:
    """How often somebody is right who looks at nothing; "" where no verdicts are asked for."""
    shares = []
    for question in (VERIFICATION, COMPLETION):
        true, false = (answers.get(f"{question}: {name}") for name in (TRUE_POSITIVES, FALSE_POSITIVES))
        if true is not None and false is not None and true.n + false.n:
            shares.append(f"{percent(true.n / (true.n + false.n))} % ({question})")
    return f"always yes is right in {' and '.join(shares)}, always no in the rest" if shares else ""


def _share(rows: Sequence[EpisodeResult], measure: str) -> Rate:
    return rate(sum(row.measures[measure] is True for row in rows), len(rows))


def _parts(rows: Sequence[EpisodeResult], measure: str) -> list[tuple[str, list[EpisodeResult]]]:
    names = dict.fromkeys(row.measures[measure] for row in rows)
    return [(name, [row for row in rows if row.measures[measure] == name]) for name in names]
