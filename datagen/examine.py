"""Looks at every demonstration of a file, invariant by invariant, and gathers what the card shows."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import mujoco
import numpy as np

from datagen import checks, recording, sight
from datagen.findings import BINS, Audit, Finding, Row, Shot
from datagen.playback import RENDERER, Playback, image_size, renderer
from datagen.recording import Recording, Recordings
from datagen.search import CLOSE, LIFT
from datagen.storage import UNKNOWN_PHASE
from envs import spec
from envs.interface import DexClutterError

STEPS_DRAWN = 4  # of each demonstration in the sample
PICTURED = 6  # demonstrations of the sample that the card shows


def examine(
    path: Path, sample: int, show: Callable[[int, int, str], None] = lambda *_: None, training: bool = False
) -> Audit:
    """Look at every invariant. show(done, of, name) hears of the progress.

    training: nothing of the tests may be in it, whatever suite it says it comes from.
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
        _examine_purpose(result, file, training)
    return result


def spread(names: Sequence[str], count: int) -> list[str]:
    """`count` names, evenly spread, first and last among them."""
    if count >= len(names):
        return list(names)
    return [names[i] for i in np.unique(np.linspace(0, len(names) - 1, count).round().astype(int))] if count else []


def _examine_file(result: Audit, file: Recordings, hashes: dict[str, tuple[str, str]]) -> None:
    total, present = file.attribute("total"), sum(row.steps for row in result.rows)
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
    # Where nobody noted the driver: if most pictures are equal to the bit it is the same, and the others are at fault.
    if 2 * result.frames_equal > result.frames_drawn:
        result.findings += result.doubts
    result.policy = file.policy
    result.failures, result.jobs = file.failure_outcomes(), file.job_outcomes()


def _examine_purpose(result: Audit, file: Recordings, training: bool) -> None:
    """Training data holds nothing of the tests. A file with one training scene is meant for training as a whole."""
    suites = {file.suite, *(row.attributes["suite"] for row in result.rows)}
    if training or any(map(checks.is_for_training, suites)):
        for row in result.rows:
            result.note("training", row.name, "; ".join(row.of_tests.values()))
        return
    kinds = Counter(kind for row in result.rows for kind in row.of_tests)
    result.not_for_training = ", ".join(f"{kind} ({count} of {len(result.rows)})" for kind, count in kinds.items())


def _examine_demo(
    result: Audit, demo: Recording, hand: str, hashes: dict[str, tuple[str, str]], drawn: bool, pictured: bool
) -> None:
    fault = checks.layout_fault(demo.layout, demo.attributes["num_samples"])
    fault = fault or checks.compression_fault(demo.attributes["image_compression"], demo.is_lossless())
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
    actions, state, success = columns["actions"], columns["obs/state"], facts["success"]
    lag, motion = checks.lag_of(actions, state), checks.motion_of(actions, state)
    outside = checks.outside_limits("action", actions) or checks.outside_limits("state", state)
    result.note("limits", demo.name, outside)
    result.note("lag", demo.name, checks.implausible_lag(lag))
    result.note("motion", demo.name, checks.too_fast(motion))
    result.note("end", demo.name, checks.end_fault(columns["dones"], columns["rewards"], success, facts["outcome"]))
    if (columns["phases"] != UNKNOWN_PHASE).any():
        fault = checks.phase_fault(columns["phases"], success, facts["recovery"], facts["attempts"])
        result.note("phases", demo.name, fault)
    return lag, motion


def _replay(result: Audit, demo: Recording, playback: Playback) -> None:
    replayed = []
    for state in demo.states:
        playback.place(state)
        replayed.append(playback.measured())
    result.note("states", demo.name, checks.state_fault(demo.columns["obs/state"], np.stack(replayed)))
    if demo.attributes["success"]:
        result.note("lifted", demo.name, checks.not_lifted(True, playback.lowest_m()))


def _draw_again(result: Audit, demo: Recording, playback: Playback) -> None:
    made = demo.attributes["versions"]
    same_physics = made.get("mujoco") == mujoco.__version__
    same = same_physics and made.get(RENDERER) == renderer()
    doubtful = same_physics and RENDERER not in made

    def judge(invariant: str, loosely: str, strictly: str) -> None:
        result.note(invariant, demo.name, strictly if same else loosely)
        if doubtful and strictly and not loosely:
            result.doubts.append(Finding(invariant, demo.name, strictly))

    for step in _spread_steps(demo.steps, STEPS_DRAWN):
        playback.place(demo.states[step])
        for camera in (key for key in spec.CAMERAS if key in demo.pictures):
            pictures = demo.obs[camera]
            recorded, redrawn = demo.picture(camera, step), pictures.as_stored(playback.frame(camera))
            strict_db = sight.MIN_JPEG_PSNR_DB if pictures.is_jpeg else sight.EQUAL_DB
            faults = [sight.frame_fault(camera, step, recorded, redrawn, db) for db in (sight.MIN_PSNR_DB, strict_db)]
            judge("frames", *faults)
            result.frames_drawn += 1
            result.frames_equal += bool(np.array_equal(recorded, redrawn))
        if "mask" in demo.pictures:
            recorded, redrawn = demo.picture("mask", step), playback.mask()
            judge("mask", *(sight.mask_fault(step, recorded, redrawn, exact) for exact in (False, True)))


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
        of_tests=checks.content_of_tests(demo.attributes["suite"], episode),
        lag=lag,
        motion=motion,
        action_counts=np.stack(counts),
    )


def _spread_steps(steps: int, count: int) -> list[int]:
    return np.unique(np.linspace(0, steps - 1, count).round().astype(int)).tolist()
