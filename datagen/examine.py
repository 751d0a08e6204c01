"""Looks at every demonstration of a file, invariant by invariant, and gathers what the card shows."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from datagen import checks, recording, sight
from datagen.playback import RENDERER, Playback, image_size, renderer
from datagen.recording import Recording, Recordings
from datagen.search import CLOSE, LIFT
from datagen.storage import UNKNOWN_PHASE
from envs import spec
from envs.interface import DexClutterError

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
    "training": "no object and no look of the tests in a training scene",
    "duplicates": "no demonstration repeats the actions or the scene of another",
    "subsets": "subsets name what is there; train and valid share no scene",
    "box": "masks hold 0 and 1, and each box bounds its mask",
    "visible": "the target is visible at the first step",
    "states": "obs/state is what the physics states say",
    "lifted": "a success ends with the target at least 0.10 m up",
    "frames": "pictures of a sample are what their states show, drawn again",
    "mask": "masks of a sample cover the target's pixels, drawn again",
}
TRAINING_SUITE = "train"
STEPS_DRAWN = 4  # of each demonstration in the sample
BINS = 40
PICTURED = 6  # demonstrations of the sample that the card shows
REPLAYED_STEPS = 8  # of each demonstration, to compare obs/state with


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

    @property
    def passed(self) -> bool:
        """True if nothing was found."""
        return not self.findings

    def note(self, invariant: str, demo: str, problem: str) -> None:
        """Count one look at an invariant, and keep what was found, if anything."""
        self.checked[invariant] += 1
        if problem:
            self.findings.append(Finding(invariant, demo, problem))


def examine(path: Path, sample: int, show: Callable[[int, int, str], None] = lambda *_: None) -> Audit:
    """Look at every invariant. show(done, of, name) hears of the progress.

    Raises StorageError for a file that cannot be read at all, is foreign or has another version.
    """
    result = Audit(path, path.stat().st_size)
    with recording.opened(path) as file:
        sampled = spread(file.names, sample)
        drawn, pictured = set(sampled), set(spread(sampled, PICTURED))
        hashes: dict[str, tuple[str, str]] = {}
        for number, name in enumerate(file.names):
            show(number, len(file.names), name)
            try:
                _examine_demo(result, file.read(name), file.hand, hashes, name in drawn, name in pictured)
                result.note("readable", name, "")
            except DexClutterError as error:
                result.note("readable", name, str(error).removeprefix(f"{path}, {name}: "))
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # attributes of a wrong kind
                result.note("readable", name, f"holds something unexpected ({type(error).__name__}: {error})")
        show(len(file.names), len(file.names), "")
        _examine_file(result, file, hashes)
    return result


def spread(names: Sequence[str], count: int) -> list[str]:
    """`count` names, evenly spread, first and last among them."""
    if count >= len(names):
        return list(names)
    return [names[i] for i in np.unique(np.linspace(0, len(names) - 1, count).round().astype(int))] if count else []


def _examine_file(result: Audit, file: Recordings, hashes: dict[str, tuple[str, str]]) -> None:
    total, present = int(file.attribute("total")), sum(row.steps for row in result.rows)
    unread = len(file.names) - len(result.rows)
    result.note("file", "", "" if file.names else "no demonstrations")
    result.note(
        "file", "", f"total is {total}, the demonstrations hold {present}" if total != present and not unread else ""
    )
    result.note("file", "", f"{file.strangers[0]!r} in 'data' is no demonstration" if file.strangers else "")
    for name, problem in checks.duplicates(hashes).items():
        result.note("duplicates", name, problem)
    result.checked["duplicates"] = len(hashes)
    subsets = file.subsets()
    result.subsets = {name: len(names) for name, names in subsets.items()}
    faults = checks.subset_faults(subsets, {name: hashes[name][1] if name in hashes else name for name in file.names})
    for name in subsets:
        result.note("subsets", "", f"mask/{name}: {faults[name]}" if name in faults else "")
    result.failures, result.jobs = file.failure_outcomes(), file.job_outcomes()


def _examine_demo(
    result: Audit, demo: Recording, hand: str, hashes: dict[str, tuple[str, str]], drawn: bool, pictured: bool
) -> None:
    fault = checks.layout_fault(demo.layout, int(demo.attributes["num_samples"]))
    result.note("layout", demo.name, fault)
    if fault:
        return
    fault = checks.not_finite({key: values for key, values in demo.columns.items() if values.dtype.kind == "f"})
    result.note("finite", demo.name, fault)
    if fault:
        return
    lag, motion = _examine_numbers(result, demo)
    size = image_size(demo, demo.pictures[0]) if demo.pictures else spec.IMAGE_SIZE
    with Playback(demo.spec, hand, size) as playback:  # also proves that the stored scene is one
        result.note("words", demo.name, checks.words_fault(demo.attributes, demo.spec))
        if demo.attributes["suite"] == TRAINING_SUITE:
            result.note("training", demo.name, checks.content_of_tests(demo.spec))
        hashes[demo.name] = checks.content_hashes(demo.columns["actions"], demo.spec)
        row = _row(demo, lag, motion)
        result.rows.append(row)
        result.pictures |= dict.fromkeys(demo.pictures, size)
        _replay(result, demo, playback)
        if "mask" in demo.pictures:
            masks = (demo.picture("mask", step) for step in range(demo.steps))
            result.note("box", demo.name, sight.box_fault(masks, demo.columns["obs/box"]))
            result.note("visible", demo.name, sight.target_hidden(demo.picture("mask", 0)))
        if drawn and demo.pictures:
            _draw_again(result, demo, playback)
        if pictured and demo.pictures:
            result.shots.append(_shot(row, demo))


def _examine_numbers(result: Audit, demo: Recording) -> tuple[checks.Lag | None, checks.Motion]:
    columns, facts = demo.columns, demo.attributes
    actions, state, success = columns["actions"], columns["obs/state"], bool(facts["success"])
    lag, motion = checks.lag_of(actions, state), checks.motion_of(actions, state)
    outside = checks.outside_limits("action", actions) or checks.outside_limits("state", state)
    result.note("limits", demo.name, outside)
    result.note("lag", demo.name, checks.implausible_lag(lag))
    result.note("motion", demo.name, checks.too_fast(motion))
    result.note("end", demo.name, checks.end_fault(columns["dones"], columns["rewards"], success, facts["outcome"]))
    if (columns["phases"] != UNKNOWN_PHASE).any():
        fault = checks.phase_fault(columns["phases"], success, facts["recovery"], int(facts["attempts"]))
        result.note("phases", demo.name, fault)
    return lag, motion


def _replay(result: Audit, demo: Recording, playback: Playback) -> None:
    steps = _spread_steps(demo.steps, REPLAYED_STEPS)
    replayed = []
    for step in steps:
        playback.place(demo.states[step])
        replayed.append(playback.measured())
    result.note("states", demo.name, checks.state_fault(demo.columns["obs/state"][steps], np.stack(replayed), steps))
    if demo.attributes["success"]:
        result.note("lifted", demo.name, checks.not_lifted(True, playback.lowest_m()))


def _draw_again(result: Audit, demo: Recording, playback: Playback) -> None:
    made = demo.attributes["versions"]
    same = made.get("mujoco") == mujoco.__version__ and made.get(RENDERER) == renderer()
    exact = demo.is_lossless() and same
    for step in _spread_steps(demo.steps, STEPS_DRAWN):
        playback.place(demo.states[step])
        for camera in (key for key in spec.CAMERAS if key in demo.pictures):
            recorded, redrawn = demo.picture(camera, step), playback.frame(camera)
            result.note("frames", demo.name, sight.frame_fault(camera, step, recorded, redrawn, exact))
            result.frames_drawn += 1
            result.frames_equal += bool(np.array_equal(recorded, redrawn))
        if "mask" in demo.pictures:
            result.note("mask", demo.name, sight.mask_fault(step, demo.picture("mask", step), playback.mask(), exact))


def _shot(row: Row, demo: Recording) -> Shot:
    phases = demo.columns["phases"]
    moments = {"start": 0, "grasp": _begins(phases, CLOSE), "lift": _begins(phases, LIFT), "end": demo.steps - 1}
    pictures: list[tuple[str, np.ndarray, np.ndarray | None]] = []
    if spec.HEAD in demo.pictures:
        mask = "mask" in demo.pictures
        for what, step in moments.items():
            pictures.append((what, demo.picture(spec.HEAD, step), demo.picture("mask", step) if mask else None))
    if spec.WRIST in demo.pictures:
        pictures += [(f"wrist, {w}", demo.picture(spec.WRIST, moments[w]), None) for w in ("grasp", "end")]
    return Shot(row, tuple(pictures))


def _begins(phases: np.ndarray, phase: int) -> int:
    """The step at which a phase begins for the last time; the last step where it never does."""
    starts = np.flatnonzero((phases == phase) & (np.diff(phases, prepend=-1) != 0))
    return int(starts[-1]) if len(starts) else len(phases) - 1


def _row(demo: Recording, lag: checks.Lag | None, motion: checks.Motion) -> Row:
    actions, episode = demo.columns["actions"], demo.spec
    counts = [
        np.histogram(actions[:, i], bins=BINS, range=(float(spec.ACTION_LOW[i]), float(spec.ACTION_HIGH[i])))[0]
        for i in range(spec.ACTION_DIM)
    ]
    x, y = episode["objects"][0]["pos"][:2]
    return Row(
        name=demo.name,
        attributes=dict(demo.attributes),
        steps=demo.steps,
        objects=len(episode["objects"]),
        look=(episode["look"]["table"], episode["look"]["lighting"]),
        target_xy=(float(x), float(y)),
        lag=lag,
        motion=motion,
        action_counts=np.stack(counts),
    )


def _spread_steps(steps: int, count: int) -> list[int]:
    return np.unique(np.linspace(0, steps - 1, count).round().astype(int)).tolist()
