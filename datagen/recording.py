"""Demonstrations as they lie in a file, for looking at: numbers at once, pictures one by one when asked for.

`datagen.storage` writes files and reads whole demonstrations; what is here reads files that may be damaged, and says
which demonstration and which key it stumbled over.
"""

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from datagen.storage import DATA, FAILED, FORMAT, StorageError

ATTRIBUTES = (
    "num_samples", "success", "outcome", "instruction", "phrasings", "expression", "target", "family", "suite",
    "index", "spec", "versions", "recovery", "attempts",
)  # fmt: skip
_JSON = ("phrasings", "spec", "versions")
PICTURE_KEYS = ("head", "wrist", "mask")


class Pictures:
    """The frames of one key, (T, H, W, ...) uint8, read one by one: stored as they are, or each as a JPEG."""

    def __init__(self, rows: h5py.Dataset) -> None:
        self._rows = rows
        self.is_jpeg = rows.attrs.get("encoding") == "jpeg"
        self.shape = tuple(int(n) for n in rows.attrs["shape"]) if self.is_jpeg else tuple(rows.shape)
        self.dtype = "uint8" if self.is_jpeg else str(rows.dtype)

    def __getitem__(self, step: int) -> np.ndarray:
        row = self._rows[step]
        return np.asarray(Image.open(io.BytesIO(row.tobytes()))) if self.is_jpeg else row


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
        try:
            return self.obs[key][step]
        except (OSError, RuntimeError, KeyError, ValueError) as fault:
            raise StorageError(
                f"{self.path}, {self.name}: 'obs/{key}' cannot be read at step {step} ({fault})"
            ) from fault


class Recordings:
    """An open file of demonstrations. `group` is "data", or "data_failed" for the failures kept apart."""

    def __init__(self, path: Path, file: h5py.File, group: str = DATA) -> None:
        self.path, self._file, self._group = path, file, group
        data = file.get(group)
        if not isinstance(data, h5py.Group):
            raise StorageError(f"{path} is no file of demonstrations: it has no group {group!r}")
        if group == DATA:
            _check_format(path, data)
        self.names = sorted((n for n in data if n.startswith("demo_")), key=_number)
        self.strangers = sorted(set(data) - set(self.names))

    def attribute(self, key: str) -> Any:
        """An attribute of the group `data`; raises StorageError when it is missing."""
        data = self._file[DATA]
        if key not in data.attrs:
            raise StorageError(f"{self.path}, data: attribute {key!r} is missing")
        return data.attrs[key]

    @property
    def hand(self) -> str:
        """The hand that the file was recorded with."""
        return (
            parsed(self.path, "data", "env_args", self.attribute("env_args")).get("env_kwargs", {}).get("hand", "g0r")
        )

    def failure_outcomes(self) -> Counter[str]:
        """Outcome word -> how many failures of it are kept apart."""
        failed = self._file.get(FAILED, {})
        return Counter(str(_text(failed[name].attrs.get("outcome", "unknown"))) for name in failed)

    def job_outcomes(self) -> Counter[str]:
        """Outcome word -> how many scenes that were attempted ended so, demonstrated or not; empty where not stored."""
        jobs = self._file.get("jobs", {})
        return Counter(map(str, map(_text, jobs["outcome"][()]))) if "outcome" in jobs else Counter()

    def subsets(self) -> dict[str, list[str]]:
        """Subset name -> names of its demonstrations."""
        masks = self._file.get("mask", {})
        return {name: [_text(n) for n in masks[name][()]] for name in masks}

    def read(self, name: str) -> Recording:
        """One demonstration. Raises StorageError naming the file, the demonstration and the key at fault."""
        if name not in self.names:
            raise StorageError(f"{self.path} holds no demonstration {name}; there are {_few(self.names)}")
        group = self._file[self._group][name]
        if not isinstance(group, h5py.Group):
            raise StorageError(f"{self.path}, {name}: not a group")
        attributes = {key: self._attribute(name, group, key) for key in ATTRIBUTES}
        keys = [k for k in group if k != "obs"] + [f"obs/{k}" for k in group.get("obs", ())]
        pictures = {key: Pictures(group[f"obs/{key}"]) for key in PICTURE_KEYS if f"obs/{key}" in keys}
        layout = {key: (tuple(group[key].shape), str(group[key].dtype)) for key in keys}
        layout |= {f"obs/{key}": (rows.shape, rows.dtype) for key, rows in pictures.items()}
        return Recording(
            name=name,
            path=self.path,
            attributes=attributes,
            columns={k: self._column(name, group, k) for k in keys if k.removeprefix("obs/") not in PICTURE_KEYS},
            layout=layout,
            obs=pictures,
        )

    def _attribute(self, name: str, group: h5py.Group, key: str) -> Any:
        if key not in group.attrs:
            raise StorageError(f"{self.path}, {name}: attribute {key!r} is missing")
        value = group.attrs[key]
        if key in _JSON:
            return parsed(self.path, name, key, value)
        return value.item() if isinstance(value, np.generic) else _text(value)

    def _column(self, name: str, group: h5py.Group, key: str) -> np.ndarray:
        try:
            return group[key][()]
        except (OSError, RuntimeError, KeyError, ValueError) as fault:
            raise StorageError(f"{self.path}, {name}: {key!r} cannot be read ({fault})") from fault


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


def parsed(path: Path, name: str, key: str, text: Any) -> Any:
    """JSON of an attribute; raises StorageError naming file, demonstration and key."""
    try:
        return json.loads(text)
    except (TypeError, ValueError) as fault:
        raise StorageError(f"{path}, {name}: attribute {key!r} is no JSON ({fault})") from fault


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
