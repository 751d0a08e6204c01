"""Demonstrations as they lie in a file, for looking at: numbers at once, pictures one by one when asked for.

`datagen.storage` writes files and reads whole demonstrations; what is here reads files that may be damaged, and says
which demonstration and which key it stumbled over.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from datagen.frames import Frames
from datagen.playback import DEFAULT_HAND
from datagen.storage import DATA, FAILED, FORMAT, StorageError, naming

# Attributes of a demonstration and what they are, JSON already parsed.
ATTRIBUTES: dict[str, type] = {
    "num_samples": int, "success": bool, "outcome": str, "instruction": str, "phrasings": list, "expression": str,
    "target": str, "family": str, "suite": str, "index": int, "spec": dict, "versions": dict, "recovery": str,
    "attempts": int, "image_compression": str,
}  # fmt: skip
_JSON = (list, dict)
_LARGEST_BYTES = 2**32  # of a column: a damaged shape may claim any size
PICTURE_KEYS = ("head", "wrist", "mask")
EXPERT = "expert"


class Pictures:
    """The frames of one key, (T, H, W, ...) uint8, read one by one: stored as they are, or each as a JPEG.

    quality: of the JPEG files; None for frames without loss.
    """

    def __init__(self, rows: h5py.Dataset) -> None:
        self._rows = rows
        self.is_jpeg = rows.attrs.get("encoding") == "jpeg"
        self.quality = int(rows.attrs["quality"]) if self.is_jpeg else None
        self.shape = tuple(int(n) for n in rows.attrs["shape"]) if self.is_jpeg else tuple(rows.shape)
        self.dtype = "uint8" if self.is_jpeg else str(rows.dtype)
        if self.is_jpeg and (rows.shape != self.shape[:1] or self.quality not in range(1, 101)):
            what = f"shape {self.shape} and quality {self.quality}"
            raise ValueError(f"it holds {rows.shape} JPEG files and says that they have {what}")

    def __getitem__(self, step: int) -> np.ndarray:
        picture = Frames.decoded(self._rows[step : step + 1])[0]
        if picture.shape != self.shape[1:]:
            raise ValueError(f"a picture of shape {picture.shape} among those of shape {self.shape[1:]}")
        return picture

    def as_stored(self, picture: np.ndarray) -> np.ndarray:
        """What a picture (H, W, 3) becomes when it is stored here: the same, or what JPEG of this quality leaves."""
        if not self.is_jpeg:
            return picture
        rows = np.empty(1, object)
        rows[0] = np.frombuffer(Frames.pack([picture], picture.shape, self.quality).chunks[0], np.uint8)
        return Frames.decoded(rows)[0]


@dataclass(frozen=True, eq=False)
class Recording:
    """One demonstration of T steps. Valid as long as the file it came from is open.

    attributes: those of the layout, JSON already parsed. columns: key -> (T, ...) array of all keys but pictures.
    layout: key -> (shape, dtype) of every key. obs: "head", "wrist" and "mask", where they were recorded.
    """

    name: str
    path: Path
    attributes: Mapping[str, Any]
    columns: Mapping[str, np.ndarray]
    layout: Mapping[str, tuple[tuple[int, ...], str]]
    obs: Mapping[str, Pictures]

    @property
    def spec(self) -> Mapping[str, Any]:
        """The scene as plain JSON values."""
        return self.attributes["spec"]

    @property
    def states(self) -> np.ndarray:
        """(T, nstate) float64: the full physics state before each action."""
        return self.columns["states"]

    @property
    def steps(self) -> int:
        """T."""
        return len(self.columns["actions"])

    @property
    def pictures(self) -> tuple[str, ...]:
        """Which of "head", "wrist" and "mask" were recorded."""
        return tuple(key for key in PICTURE_KEYS if key in self.obs)

    def is_lossless(self) -> bool:
        """True unless pictures were compressed with losses."""
        return not any(pictures.is_jpeg for pictures in self.obs.values())

    def picture(self, key: str, step: int) -> np.ndarray:
        """One frame of "head" or "wrist" (H, W, 3), or "mask" (H, W), uint8. Raises StorageError when it is damaged."""
        with naming(self.path, self.name, f"obs/{key}", f" at step {step}"):
            return self.obs[key][step]


class Recordings:
    """An open file of demonstrations. `group` is "data", or "data_failed" for the failures kept apart."""

    def __init__(self, path: Path, file: h5py.File, group: str = DATA) -> None:
        self.path, self._file, self._group = path, file, group
        with naming(path, "the file", group):
            data = file.get(group)
            if not isinstance(data, h5py.Group):
                raise StorageError(f"{path} is no file of demonstrations: it has no group {group!r}")
            if group == DATA:
                _check_format(path, data)
            listed = [name if isinstance(name, str) else repr(name) for name in data]
        self.names = sorted((n for n in listed if n.startswith("demo_")), key=_number)
        self.strangers = sorted(set(listed) - set(self.names))

    def attribute(self, key: str) -> Any:
        """An attribute of the group `data`; raises StorageError when it is missing."""
        with naming(self.path, DATA, key):
            attrs = self._file[DATA].attrs
            if key not in attrs:
                raise StorageError(f"{self.path}, {DATA}: attribute {key!r} is missing")
            return attrs[key]

    @property
    def hand(self) -> str:
        """The hand that the file was recorded with."""
        return self._env_kwarg("hand", DEFAULT_HAND)

    @property
    def suite(self) -> str:
        """The suite that the file was recorded from, as it says itself; "" where it does not."""
        return self._env_kwarg("suite", "")

    @property
    def policy(self) -> str:
        """Who acted: the scripted expert, unless the file says otherwise."""
        with naming(self.path, DATA, "policy"):
            return str(_text(self._file[DATA].attrs.get("policy", EXPERT)))

    def failures(self) -> "Recordings | None":
        """The failures that are kept apart; None where none are kept."""
        with naming(self.path, "the file", FAILED):
            kept = FAILED in self._file
        return Recordings(self.path, self._file, FAILED) if kept else None

    def outcomes(self) -> dict[str, str]:
        """Name -> outcome word of every demonstration of the group."""
        with naming(self.path, "the file", self._group):
            group = self._file[self._group]
            return {name: str(_text(group[name].attrs.get("outcome", "unknown"))) for name in self.names}

    def failure_outcomes(self) -> Counter[str]:
        """Outcome word -> how many failures of it are kept apart."""
        failures = self.failures()
        return Counter() if failures is None else Counter(failures.outcomes().values())

    def job_outcomes(self) -> Counter[str]:
        """Outcome word -> how many scenes that were attempted ended so, demonstrated or not; empty where not stored."""
        with naming(self.path, "the file", "jobs/outcome"):
            jobs = self._file.get("jobs", {})
            return Counter(str(_text(word)) for word in jobs["outcome"][()]) if "outcome" in jobs else Counter()

    def subsets(self) -> dict[str, list[str]]:
        """Subset name -> names of its demonstrations."""
        with naming(self.path, "the file", "mask"):
            masks = self._file.get("mask", {})
            return {str(name): [str(_text(n)) for n in masks[name][()]] for name in masks}

    def read(self, name: str) -> Recording:
        """One demonstration. Raises StorageError naming the file, the demonstration and the key at fault."""
        if name not in self.names:
            raise StorageError(f"{self.path} holds no demonstration {name}; there are {_few(self.names)}")
        with naming(self.path, name, self._group):
            group = self._file[self._group][name]
            keys = [key for key in group if key != "obs"] + [f"obs/{key}" for key in group.get("obs", ())]
        attributes = {key: self._attribute(name, group, key) for key in ATTRIBUTES}
        pictures, layout, columns = {}, {}, {}
        for key in keys:
            with naming(self.path, name, key):
                array, short = group[key], key.removeprefix("obs/")
                if short in PICTURE_KEYS:
                    rows = pictures[short] = Pictures(array)
                    layout[key] = rows.shape, rows.dtype
                    continue
                layout[key] = tuple(array.shape), str(array.dtype)
                if array.nbytes > _LARGEST_BYTES:
                    raise ValueError(f"it claims to hold {array.nbytes / 1e9:.1f} GB")
                columns[key] = array[()]
        return Recording(name, self.path, attributes, columns, layout, pictures)

    def _env_kwarg(self, key: str, default: str) -> str:
        with naming(self.path, DATA, "env_args"):
            return str(json.loads(self.attribute("env_args")).get("env_kwargs", {}).get(key, default))

    def _attribute(self, name: str, group: h5py.Group, key: str) -> Any:
        kind = ATTRIBUTES[key]
        with naming(self.path, name, key):
            if key not in group.attrs:
                raise StorageError(f"{self.path}, {name}: attribute {key!r} is missing")
            value = group.attrs[key]
            value = value.item() if isinstance(value, np.generic) else _text(value)
            value = json.loads(value) if kind in _JSON else value
            if not isinstance(value, kind):
                raise TypeError(f"it is {type(value).__name__}, should be {kind.__name__}")
            return value


@dataclass(frozen=True)
class Entry:
    """A demonstration of an open file: one of `data`, or a failure that is kept apart (`outcome` says which)."""

    file: Recordings
    name: str
    outcome: str = ""

    @property
    def label(self) -> str:
        """The name, marked where it is a failure."""
        return f"{self.name} · failed: {self.outcome}" if self.outcome else self.name

    def read(self) -> Recording:
        """The demonstration itself; raises StorageError for one that is damaged."""
        return self.file.read(self.name)


def entries(file: Recordings) -> dict[str, Entry]:
    """Label -> entry of everything that can be looked at: the demonstrations, then the failures kept apart."""
    found = [Entry(file, name) for name in file.names]
    failures = file.failures()
    if failures is not None:
        words = failures.outcomes()
        found += [Entry(failures, name, words[name]) for name in failures.names]
    return {entry.label: entry for entry in found}


@contextmanager
def opened(path: Path, group: str = DATA) -> Iterator[Recordings]:
    """Open a finished file for reading. Raises StorageError for one that is damaged, foreign or of another version."""
    if not path.exists():
        raise StorageError(f"{path} does not exist")
    try:
        file = h5py.File(path, "r")
    except OSError as fault:
        raise StorageError(f"{path} is no HDF5 file, or a damaged one ({fault})") from fault
    with file:
        yield Recordings(path, file, group)


def _check_format(path: Path, data: h5py.Group) -> None:
    found = _text(data.attrs.get("format", ""))
    if found != FORMAT:
        what = f"has format {found!r}" if found else "says no format in the attributes of 'data'"
        raise StorageError(f"{path}: {what}; this version reads {FORMAT}")


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "none"


def _number(name: str) -> tuple[int, str]:
    digits = name.removeprefix("demo_")
    return (int(digits) if digits.isdigit() else 10**12, name)
