"""What an audit looks for and what it found: plain values that `datagen.examine` fills and `datagen.card` shows."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from datagen import checks

# Everything that is checked, and what a breach means.
INVARIANTS = {
    "file": "totals and attributes of the file agree with what lies in it",
    "readable": "every key and attribute can be read",
    "layout": "shapes and dtypes are those of the format",
    "finite": "every number is finite",
    "limits": "actions and states lie inside the action space",
    "lag": "the measured arm follows the commanded one by 0 to 3 steps, closely",
    "motion": "commanded joints keep the vendor's speeds and accelerations",
    "phases": "phases run reach, pregrasp, close, lift; only a regrasp goes back",
    "end": "one end, at the end; outcome, success and reward agree",
    "words": "instruction, phrasings, target and family agree with the scene",
    "training": "no object, look or scene of the tests in training data",
    "duplicates": "no demonstration repeats the actions or the scene of another",
    "subsets": "subsets name what is there; train and valid share no scene",
    "box": "masks hold 0 and 1, and each box bounds its mask",
    "visible": "the target is visible at the first step",
    "states": "obs/state is what the physics states say",
    "lifted": "a success ends with the target at least 0.10 m up",
    "frames": "pictures of a sample are what their states show, drawn again",
    "mask": "masks of a sample cover the target's pixels, drawn again",
}
BINS = 40  # of each action dimension over its range


@dataclass(frozen=True)
class Finding:
    """A breach: which invariant, which demonstration ("" for the file), and what is wrong."""

    invariant: str
    demo: str
    problem: str


@dataclass(frozen=True, eq=False)
class Row:
    """What the card needs of one demonstration."""

    name: str
    attributes: dict[str, Any]
    steps: int
    objects: int
    look: tuple[str, str]
    target_xy: tuple[float, float]
    of_tests: dict[str, str]  # what of it belongs to the tests: kind -> which
    lag: checks.Lag | None
    motion: checks.Motion
    action_counts: np.ndarray  # (13, BINS) over each dimension's range


@dataclass(frozen=True)
class Shot:
    """Moments of one demonstration for the contact sheet: (what, head or wrist picture, mask or None)."""

    row: Row
    pictures: tuple[tuple[str, np.ndarray, np.ndarray | None], ...]


@dataclass(eq=False)
class Audit:
    """The result. `checked` counts how often each invariant was looked at; one that never was is no pass."""

    path: Path
    file_bytes: int
    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)  # outcome -> how many are kept apart
    jobs: Counter[str] = field(default_factory=Counter)  # outcome -> how many scenes that were attempted
    shots: list[Shot] = field(default_factory=list)
    subsets: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, tuple[int, int]] = field(default_factory=dict)  # key -> (width, height)
    frames_drawn: int = 0
    frames_equal: int = 0
    policy: str = ""  # who acted
    not_for_training: str = ""  # why a file that does not claim to be training data is none, "" if it is
    doubts: list[Finding] = field(default_factory=list)  # pictures that differ a little; a fault under the same driver

    @property
    def passed(self) -> bool:
        """True if nothing was found."""
        return not self.findings

    def note(self, invariant: str, demo: str, problem: str) -> None:
        """Count one look at an invariant, and keep what was found, if anything."""
        self.checked[invariant] += 1
        if problem:
            self.findings.append(Finding(invariant, demo, problem))
