"""The dataset card: what a checked file holds, as Markdown for a repository and as one page that needs nothing else."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from assets.robots.rm75 import MAX_ACCELERATION_RAD_S2, MAX_SPEED_RAD_S
from assets.robots.station import TABLE_X
from datagen import charts, panels
from datagen.findings import BINS, INVARIANTS, Audit, Finding, Shot
from datagen.recording import EXPERT
from envs import spec
from envs.episode import TARGET_X, TARGET_Y

TEMPLATES = Path(__file__).parent / "templates"
CELL_M = 0.05  # of the coverage map
SHOWN_X, SHOWN_Y = (TABLE_X[0], 0.64), (-0.46, 0.16)  # part of the table that the map shows (m, in world)
FINDINGS_SHOWN = 12  # of each invariant
SHEET_WIDTH = 240  # px of a picture of the contact sheet
LENGTH_BINS = 24
SIZES = (1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Verdict:
    """One invariant: state is "pass", "fail" or "not looked at"."""

    name: str
    sentence: str
    state: str
    looked: int
    findings: tuple[Finding, ...]
    more: int


@dataclass(frozen=True)
class Count:
    """One bar: how many of what, and its share of the longest in percent."""

    name: str
    count: int
    share: float


@dataclass(frozen=True)
class Joint:
    """Peaks of one commanded joint over all demonstrations: median and largest of each, in rad and s."""

    name: str
    speed: tuple[float, float]
    acceleration: tuple[float, float]
    jerk: tuple[float, float]
    speed_limit: float
    acceleration_limit: float


def write_card(result: Audit, out: Path) -> Path:
    """Write the Markdown card to `out` and the page beside it; return the page's path."""
    values = contents(result)
    page = out.with_suffix(".html")
    _write(out, _environment(False).get_template("card.md.j2").render(values))
    _write(page, _environment(True).get_template("card.html.j2").render(values | pictures(result)))
    return page


def contents(result: Audit) -> dict[str, Any]:
    """What both cards say in words and numbers."""
    rows, facts = result.rows, [row.attributes for row in result.rows]
    steps = [row.steps for row in rows]
    cells, covered = coverage(result)
    return {
        "name": result.path.name,
        "passed": result.passed,
        "not_for_training": result.not_for_training,
        "actor": "a scripted expert" if result.policy == EXPERT else f"policy {result.policy}",
        "facts": _facts(result),
        "verdicts": verdicts(result),
        "families": counted(f["family"] for f in facts),
        "objects": counted(f["target"] for f in facts),
        "outcomes": counted(f["outcome"] for f in facts),
        "jobs": counted(result.jobs.elements()),
        "failures": counted(result.failures.elements()),
        "recoveries": counted(f["recovery"] for f in facts),
        "neighbours": counted((str(row.objects - 1) for row in rows), by_name=True),
        "tables": counted(row.look[0] for row in rows),
        "lightings": counted(row.look[1] for row in rows),
        "subsets": result.subsets,
        "joints": joints(result),
        "actions": action_summary(result),
        "instructions": [f["instruction"] for f in facts[:8]],
        "steps": (min(steps), int(np.median(steps)), max(steps)) if steps else None,
        "covered": covered,
        "cells": int(cells.size),
        "cell_cm": round(100 * CELL_M),
        "demos": len(rows),
        "size_category": _size_category(len(rows)),
        "control_hz": spec.CONTROL_HZ,
        "action_names": spec.ACTION_NAMES,
        "arm_scale": [float(v) for v in spec.ARM_SCALE_RAD],
        "target_x": TARGET_X,
        "target_y": TARGET_Y,
    }


def pictures(result: Audit) -> dict[str, Any]:
    """What only the page shows: charts and the contact sheet."""
    rows = result.rows
    cells, _ = coverage(result)
    lengths, edges = np.histogram([row.steps for row in rows] or [0], bins=LENGTH_BINS)
    counts = sum((row.action_counts for row in rows), np.zeros((spec.ACTION_DIM, BINS), int))
    points = np.array([row.target_xy for row in rows]).reshape(-1, 2)
    ranges = [(float(a), float(b)) for a, b in zip(spec.ACTION_LOW, spec.ACTION_HIGH, strict=True)]
    return {
        "length_chart": charts.histogram(lengths.tolist(), (float(edges[0]), float(edges[-1])), "steps", 480, 130),
        "action_charts": [
            (name, charts.histogram(counts[i].tolist(), ranges[i], f"actions of {name}", 220, 90))
            for i, name in enumerate(spec.ACTION_NAMES)
        ],
        "map": charts.table_map(points, SHOWN_X, SHOWN_Y, (TARGET_X, TARGET_Y), cells, CELL_M),
        "sheet": [(shot.row, sheet_pictures(shot)) for shot in result.shots],
    }


def verdicts(result: Audit) -> list[Verdict]:
    """Every invariant with what was found, in the order of the catalogue."""
    found = []
    for name, sentence in INVARIANTS.items():
        findings = [finding for finding in result.findings if finding.invariant == name]
        state = "fail" if findings else "pass" if result.checked[name] else "not looked at"
        shown = tuple(findings[:FINDINGS_SHOWN])
        found.append(Verdict(name, sentence, state, result.checked[name], shown, len(findings) - len(shown)))
    return found


def counted(names: Iterable[Any], by_name: bool = False) -> list[Count]:
    """Bars of how often each name occurs, most frequent first, or by name."""
    counts = Counter(map(str, names))
    order = sorted(counts.items(), key=lambda item: item[0] if by_name else (-item[1], item[0]))
    most = max(counts.values(), default=1)
    return [Count(name, count, 100.0 * count / most) for name, count in order]


def coverage(result: Audit) -> tuple[np.ndarray, int]:
    """(targets per cell of the area in which they are placed (NX, NY), how many cells have one)."""
    xs, ys = np.arange(TARGET_X[0], TARGET_X[1], CELL_M), np.arange(TARGET_Y[0], TARGET_Y[1], CELL_M)
    points = np.array([row.target_xy for row in result.rows]).reshape(-1, 2)
    cells = np.histogram2d(*points.T, bins=(np.append(xs, xs[-1] + CELL_M), np.append(ys, ys[-1] + CELL_M)))[0]
    return cells.astype(int), int(np.count_nonzero(cells))


def joints(result: Audit) -> list[Joint]:
    """Peaks of the commanded arm joints beside the vendor's limits."""
    if not result.rows:
        return []
    peaks = {
        what: np.stack([getattr(row.motion, what) for row in result.rows]) for what in ("speed", "acceleration", "jerk")
    }

    def pair(what: str, joint: int) -> tuple[float, float]:
        values = peaks[what][:, joint]
        return float(np.median(values)), float(values.max())

    return [
        Joint(
            name,
            pair("speed", i),
            pair("acceleration", i),
            pair("jerk", i),
            float(MAX_SPEED_RAD_S[i]),
            float(MAX_ACCELERATION_RAD_S2[i]),
        )
        for i, name in enumerate(spec.ACTION_NAMES[spec.ARM])
    ]


def action_summary(result: Audit) -> list[tuple[str, str]]:
    """(dimension, its histogram as a line of letters that rise with the count)."""
    letters = " ▁▂▃▄▅▆▇█"
    counts = sum((row.action_counts for row in result.rows), np.zeros((spec.ACTION_DIM, BINS), int))
    halved = counts.reshape(spec.ACTION_DIM, BINS // 2, 2).sum(axis=2)
    heights = np.ceil(halved / np.maximum(halved.max(axis=1, keepdims=True), 1) * (len(letters) - 1)).astype(int)
    lines = ["".join(letters[h] for h in row) for row in heights]
    return list(zip(spec.ACTION_NAMES, lines, strict=True))


def sheet_pictures(shot: Shot) -> list[tuple[str, str]]:
    """(what, address of a small PNG with the mask outlined) of each moment."""
    small = []
    for what, picture, mask in shot.pictures:
        line = None if mask is None else panels.outline(panels.shrunk(mask, SHEET_WIDTH))
        small.append((what, panels.data_address(panels.resized(picture, SHEET_WIDTH), line)))
    return small


def _facts(result: Audit) -> list[tuple[str, str]]:
    rows = result.rows
    samples = sum(row.steps for row in rows)
    lags = Counter(row.lag.shift for row in rows if row.lag)
    rests = [row.lag.residual_rad for row in rows if row.lag]
    facts = [
        ("demonstrations", f"{len(rows):,}"),
        ("steps", f"{samples:,} at {spec.CONTROL_HZ} Hz, {samples / spec.CONTROL_HZ / 60:.1f} minutes"),
        ("file", f"{result.file_bytes / 1e6:.1f} MB, {_per_demo(result)}"),
        ("pictures", _picture_words(result)),
        ("suites", _listed(Counter(str(row.attributes["suite"]) for row in rows))),
        ("targets", f"{len({row.attributes['target'] for row in rows})} objects of "
         f"{len({row.attributes['family'] for row in rows})} families"),
        ("recovery", _listed(Counter(str(row.attributes["recovery"]) for row in rows))),
        ("subsets", _listed(result.subsets) or "none"),
        ("scenes attempted", _job_words(result)),
        ("failures kept apart", str(result.failures.total())),
    ]  # fmt: skip
    if rests:
        shifts = ", ".join(
            f"{shift} step{'' if shift == 1 else 's'} ({count})" for shift, count in sorted(lags.items())
        )
        facts.append(("state behind action", f"{shifts}; rest {np.median(rests):.4f} rad, at most {max(rests):.4f}"))
    made = Counter(json.dumps(row.attributes["versions"], sort_keys=True) for row in rows)
    for text, count in made.most_common(3):
        words = ", ".join(f"{name} {value}" for name, value in json.loads(text).items())
        facts.append(("made with", words + (f" ({count} demonstrations)" if len(made) > 1 else "")))
    return facts


def _picture_words(result: Audit) -> str:
    if not result.pictures:
        return "none"
    words = ", ".join(f"{key} {width}x{height}" for key, (width, height) in result.pictures.items())
    words += "".join(f", {how}" for how in sorted({row.attributes["image_compression"] for row in result.rows}))
    if not result.frames_drawn:
        return words
    return f"{words}; {result.frames_equal} of {result.frames_drawn} drawn again are equal"


def _job_words(result: Audit) -> str:
    jobs = result.jobs.total()
    return f"{jobs}, {100 * len(result.rows) / jobs:.1f} % of them demonstrated" if jobs else "not stored"


def _per_demo(result: Audit) -> str:
    if not result.rows:
        return "nothing in it"
    return f"{result.file_bytes / len(result.rows) / 1e6:.2f} MB per demonstration"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _size_category(demos: int) -> str:
    names = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "n>1M")
    return names[sum(demos >= size for size in SIZES)]


def _environment(html: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: Markup(str(text).replace("|", "\\|").replace("\n", " "))
    return environment


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
