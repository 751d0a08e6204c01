"""Training windows out of a file of demonstrations: what is seen at one step, and the actions that follow it.

A window touches only the chunks of its own frames. The index holds where in the file each frame lies, so a frame costs
one read at a known place and one decompression: no lock, no tree to walk, nothing kept open that a fork could break.
Layout of the file: `datagen.storage`. Frames stored in another way than one deflated frame to a chunk are read through
HDF5 itself, more slowly and to the same bits.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from datagen.chunks import StoredFrames
from datagen.storage import FORMAT, StorageError, opened
from envs import spec

HORIZON = 64  # actions of one window, as the published controller predicts them
IMAGES = (spec.HEAD, spec.WRIST, "mask")
_NO_BOX = np.full(4, -1.0, np.float32)


@dataclass(frozen=True, eq=False)
class Window:
    """What a policy sees at one step of a demonstration and the actions from there on.

    images: key -> (H, W, 3) uint8 RGB, mask (H, W) uint8 with 1 where the target is seen; box (4,) float32, x0 y0 x1 y1
    in pixels of the head image, -1 when the target is hidden or the file has no boxes; state (13,) float32;
    actions (horizon, 13) float32, the last one of the demonstration repeated where `padded` (horizon,) is True.
    """

    demo: str
    step: int
    instruction: str
    images: dict[str, np.ndarray]
    box: np.ndarray
    state: np.ndarray
    actions: np.ndarray
    padded: np.ndarray


@dataclass(frozen=True, eq=False)
class _Entry:
    name: str
    instruction: str
    actions: np.ndarray
    state: np.ndarray
    imitate: np.ndarray
    box: np.ndarray | None
    frames: dict[str, StoredFrames]


@dataclass
class _Handles:
    """What is open in this process. Left behind by fork and by pickling: the other process opens its own."""

    owner: int = 0
    descriptor: int = -1
    file: h5py.File | None = None

    def __reduce__(self) -> tuple:
        return _Handles, ()

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.owner, self.descriptor, self.file = 0, -1, None


@dataclass
class WindowReader:
    """Every step of every demonstration as the start of a window; the i-th is `reader[i]`, in order of the file.

    `shuffled` leaves out those that show what went wrong on purpose.

    Actions, states and boxes lie in memory (about 10 kB per demonstration), images are read when asked for.
    The same object may be used in several threads, and handed to other processes by fork or pickle.

    Args:
        path: a finished file of demonstrations.
        horizon: actions of a window.
        images: keys of `obs` that are images; each must be in every demonstration. () reads none.
        subset: name of a subset of the file, for example "train"; None for all demonstrations.

    Raises:
        StorageError: naming the file, the demonstration and the key at fault; at a later read if only then seen.
    """

    path: Path
    horizon: int = HORIZON
    images: tuple[str, ...] = IMAGES
    subset: str | None = None
    _entries: list[_Entry] = field(init=False, repr=False)
    _ends: np.ndarray = field(init=False, repr=False)
    _handles: _Handles = field(init=False, repr=False, default_factory=_Handles)

    def __post_init__(self) -> None:
        self.path, self.images = Path(self.path), tuple(self.images)
        if self.horizon < 1:
            raise ValueError(f"a window needs at least one action, got horizon {self.horizon}")
        with opened(self.path) as file:
            self._entries = [
                _entry(self.path, file, name, self.images) for name in _names(self.path, file, self.subset)
            ]
        self._ends = np.cumsum([len(entry.actions) for entry in self._entries], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> Window:
        if not -len(self) <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        index %= len(self)
        k = int(np.searchsorted(self._ends, index, side="right"))
        entry = self._entries[k]
        step = index - int(self._ends[k]) + len(entry.actions)
        steps = np.arange(step, step + self.horizon)
        last = len(entry.actions) - 1
        return Window(
            demo=entry.name,
            step=step,
            instruction=entry.instruction,
            images={key: self._frame(entry, key, step) for key in self.images},
            box=(_NO_BOX if entry.box is None else entry.box[step]).copy(),
            state=entry.state[step].copy(),
            actions=entry.actions[np.minimum(steps, last)],
            padded=steps > last,
        )

    @property
    def imitate(self) -> np.ndarray:
        """(len(self),) bool: False for windows that show what went wrong on purpose, see docs/data.md."""
        return np.concatenate([entry.imitate for entry in self._entries]) if self._entries else np.zeros(0, bool)

    def order(self, seed: int, epoch: int = 0) -> np.ndarray:
        """Every index worth learning from (`imitate`) once, shuffled; the same for the same seed and epoch anywhere."""
        return np.random.default_rng([seed, epoch]).permutation(np.flatnonzero(self.imitate))

    def shuffled(self, seed: int, epoch: int = 0) -> Iterator[Window]:
        """The windows of `order`."""
        return (self[int(index)] for index in self.order(seed, epoch))

    @property
    def demos(self) -> list[str]:
        """Names of the demonstrations, in order."""
        return [entry.name for entry in self._entries]

    def close(self) -> None:
        """Close what is open in this process; the next read opens it again."""
        if self._handles.owner == os.getpid():
            self._handles.close()

    def _frame(self, entry: _Entry, key: str, step: int) -> np.ndarray:
        frames = entry.frames[key]
        try:
            handles = self._opened_handles()
            if frames.offsets is None:
                return frames.from_row(self._file(handles)[f"data/{entry.name}/obs/{key}"][step])
            raw = os.pread(handles.descriptor, int(frames.sizes[step]), int(frames.offsets[step]))
            return frames.from_chunk(raw)
        except (OSError, RuntimeError, KeyError, ValueError) as fault:
            raise StorageError(
                f"{self.path}, {entry.name}: 'obs/{key}' cannot be read at step {step} ({fault})"
            ) from fault

    def _opened_handles(self) -> _Handles:
        handles = self._handles
        if handles.owner != os.getpid():
            # After a fork the parent's handles are here too. They are this process's own copies: closing them is safe.
            fresh = _Handles(os.getpid(), os.open(self.path, os.O_RDONLY))
            self._handles = fresh
            handles.close()
        return self._handles

    def _file(self, handles: _Handles) -> h5py.File:
        if handles.file is None:
            handles.file = h5py.File(self.path, "r")
        return handles.file


def subset_names(path: Path, subset: str) -> list[str]:
    """Names of the demonstrations of a subset, in order of their index. Raises StorageError where there is no such."""
    with opened(path) as file:
        return _names(path, file, subset)


def _names(path: Path, file: h5py.File, subset: str | None) -> list[str]:
    if not isinstance(file.get("data"), h5py.Group):
        raise StorageError(f"{path} is no file of demonstrations: it has no group 'data'")
    found = file["data"].attrs.get("format", "none at all")
    if found != FORMAT:
        raise StorageError(f"{path} has format {found!r}; this version reads {FORMAT!r}")
    if subset is None:
        names = list(file["data"])
    else:
        subsets = list(file.get("mask", ()))
        if subset not in subsets:
            raise StorageError(f"{path}: there is no subset {subset!r}; there are {', '.join(subsets) or 'none'}")
        names = [str(name) for name in file[f"mask/{subset}"].asstr()[()]]
    return sorted(names, key=lambda name: int(name.removeprefix("demo_")))


def _entry(path: Path, file: h5py.File, name: str, images: Sequence[str]) -> _Entry:
    where = f"{path}, {name}"
    if name not in file["data"]:
        raise StorageError(f"{where}: a subset names it, and it is not in the file")
    group = file["data"][name]
    actions = _column(where, group, "actions", (spec.ACTION_DIM,))
    rows = len(actions)
    frames = {}
    for key in images:
        frames[key] = _frames(where, group, f"obs/{key}")
        if frames[key].shape[0] != rows:
            raise StorageError(f"{where}: 'obs/{key}' has {frames[key].shape[0]} rows, actions has {rows}")
    state = _column(where, group, f"obs/{spec.STATE}", (spec.ACTION_DIM,), rows)
    box = _column(where, group, "obs/box", (4,), rows) if "obs/box" in group else None
    imitate = _column(where, group, "imitate", (), rows) > 0 if "imitate" in group else np.ones(rows, bool)
    if "instruction" not in group.attrs:
        raise StorageError(f"{where}: attribute 'instruction' is missing")
    return _Entry(name, str(group.attrs["instruction"]), actions, state, imitate, box, frames)


def _column(where: str, group: h5py.Group, key: str, tail: tuple[int, ...], rows: int | None = None) -> np.ndarray:
    try:
        values = np.asarray(group[key][()], dtype=np.float32)
    except (OSError, RuntimeError, KeyError, ValueError) as fault:
        raise StorageError(f"{where}: {key!r} is missing or cannot be read ({fault})") from fault
    if values.ndim != 1 + len(tail) or values.shape[1:] != tail or (rows is not None and len(values) != rows):
        raise StorageError(f"{where}: {key!r} has shape {values.shape}, should be {(rows or 'T', *tail)}")
    if not len(values):
        raise StorageError(f"{where}: {key!r} has no rows")
    return values


def _frames(where: str, group: h5py.Group, key: str) -> StoredFrames:
    try:
        dataset = group[key]
        return StoredFrames.of(dataset)
    except (OSError, RuntimeError, KeyError, ValueError) as fault:
        raise StorageError(f"{where}: {key!r} is missing or cannot be read ({fault})") from fault
