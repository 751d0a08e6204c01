"""Demonstrations on disk: HDF5 in robomimic's layout, where an episode is complete or absent whatever crashes.

    /data                 attrs: total (samples), env_args (JSON: env_name, env_version, type, env_kwargs)
    /data/demo_<index>    attrs: num_samples, success, instruction, suite, index, spec (JSON), versions (JSON)
        actions (T, 13)   states (T, nstate)   rewards (T,)   dones (T,)   obs/<key> (T, ...)
    /mask/<name>          names of the episodes of one subset, for example train and valid

Row t holds what was seen and where the world stood before action t, and the reward and done flag that followed it.
HDF5 does not survive a crash in mid-write, so each episode is first written to a file of its own in `<file>.parts`,
which gets its name only when it is whole; `DemoFile.finish` joins them into the one file, again under another name
first. Several processes may write episodes of one file at the same time; one of them finishes it.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from envs.interface import DexClutterError

ROBOMIMIC_GYM_TYPE = 2  # robomimic's EnvType for a Gym environment
STRING = h5py.string_dtype("utf-8")
_COLUMNS = ("actions", "states", "rewards", "dones")
_ATTRIBUTES = ("num_samples", "success", "instruction", "suite", "index", "spec", "versions")


class StorageError(DexClutterError, ValueError):
    """A file that is not, or no longer, what this module writes. Names the file, the episode and the key."""


@dataclass(frozen=True)
class Demo:
    """One episode of T steps.

    actions (T, 13) float32; states (T, nstate) float64, the full physics state; rewards (T,) float32; dones (T,) bool;
    obs: key -> (T, ...), images as (T, H, W, 3) uint8; spec: the episode as plain JSON values.
    """

    suite: str
    index: int
    instruction: str
    success: bool
    actions: np.ndarray
    states: np.ndarray
    rewards: np.ndarray
    dones: np.ndarray
    obs: Mapping[str, np.ndarray]
    spec: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The episode's name in the file."""
        return demo_name(self.index)


def demo_name(index: int) -> str:
    """The name of the episode with this index, the same whoever writes it and in whatever order."""
    return f"demo_{index}"


class DemoFile:
    """A file of demonstrations: write episodes in any order, then `finish`; read them by name."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._parts = self.path.with_name(self.path.name + ".parts")

    def write(self, demo: Demo) -> None:
        """Keep one episode, replacing one of the same name; it is whole on the disk when this returns.

        Raises StorageError if its columns differ in length.
        """
        _check_lengths(self.path, demo)
        self._parts.mkdir(parents=True, exist_ok=True)
        with _replacing(self._parts / f"{demo.name}.h5") as part, h5py.File(part, "w") as file:
            _fill(file.create_group(demo.name), demo)

    def finish(self, env_args: Mapping[str, Any], masks: Mapping[str, Sequence[str]] | None = None) -> int:
        """Join all episodes into the one file and return how many it holds.

        Episodes of an earlier `finish` stay, unless written again; masks: subset name -> names of its episodes.
        """
        sources = dict.fromkeys(self._finished(), self.path) | {part.stem: part for part in self._part_files()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(self.path) as whole, h5py.File(whole, "w") as file:
            data = file.create_group("data")
            for name in sorted(sources, key=_number):
                with _opened(sources[name]) as source:
                    source.copy(f"data/{name}" if sources[name] == self.path else name, data, name=name)
            data.attrs["total"] = sum(int(demo.attrs["num_samples"]) for demo in data.values())
            data.attrs["env_args"] = json.dumps(dict(env_args))
            for mask, names in (masks or {}).items():
                _check_known(self.path, mask, names, sources)
                file.create_dataset(f"mask/{mask}", data=np.array(names, dtype=object), dtype=STRING)
        shutil.rmtree(self._parts, ignore_errors=True)
        return len(sources)

    def names(self) -> list[str]:
        """Names of all whole episodes, joined or not yet, in order of their index."""
        return sorted({*self._finished(), *(part.stem for part in self._part_files())}, key=_number)

    def env_args(self) -> dict[str, Any]:
        """What the file says of the environment that it came from."""
        with _opened(self.path) as file:
            return json.loads(_attribute(self.path, "data", file["data"], "env_args"))

    def read(self, name: str) -> Demo:
        """One episode. Raises StorageError naming the file, the episode and the key that is missing or damaged."""
        part = self._parts / f"{name}.h5"
        path, where = (part, name) if part.exists() else (self.path, f"data/{name}")
        with _opened(path) as file:
            if where not in file:
                raise StorageError(f"{path} holds no episode {name}; there are {', '.join(self.names()) or 'none'}")
            return _read(path, name, file[where])

    def _finished(self) -> list[str]:
        if not self.path.exists():
            return []
        with _opened(self.path) as file:
            if not isinstance(file.get("data"), h5py.Group):
                raise StorageError(f"{self.path} is no file of demonstrations: it has no group 'data'")
            strangers = [name for name in file["data"] if not re.fullmatch(r"demo_\d+", name)]
            if strangers:
                raise StorageError(f"{self.path} holds {strangers[0]!r} in 'data', which is no name of an episode")
            return list(file["data"])

    def _part_files(self) -> list[Path]:
        return sorted(self._parts.glob("demo_*.h5"))


def _fill(group: h5py.Group, demo: Demo) -> None:
    group.attrs.update(
        num_samples=len(demo.actions),
        success=bool(demo.success),
        instruction=demo.instruction,
        suite=demo.suite,
        index=demo.index,
        spec=json.dumps(dict(demo.spec)),
        versions=json.dumps(dict(demo.versions)),
    )
    for column in _COLUMNS:
        group.create_dataset(column, data=getattr(demo, column))
    for key, values in demo.obs.items():
        picture = values.dtype == np.uint8 and values.ndim == 4
        # One frame to a chunk: a training window reads a few frames out of the middle of an episode.
        how = {"chunks": (1, *values.shape[1:]), "compression": "gzip", "compression_opts": 1} if picture else {}
        group.create_dataset(f"obs/{key}", data=values, **how)


def _read(path: Path, name: str, group: h5py.Group) -> Demo:
    for key in (*_COLUMNS, "obs"):
        if key not in group:
            raise StorageError(f"{path}, {name}: {key!r} is missing")
    attributes = {key: _attribute(path, name, group, key) for key in _ATTRIBUTES}
    columns = {key: _array(path, name, group, key) for key in _COLUMNS}
    demo = Demo(
        suite=str(attributes["suite"]),
        index=int(attributes["index"]),
        instruction=str(attributes["instruction"]),
        success=bool(attributes["success"]),
        obs={key: _array(path, name, group, f"obs/{key}") for key in group["obs"]},
        spec=json.loads(attributes["spec"]),
        versions=json.loads(attributes["versions"]),
        **columns,
    )
    samples = attributes["num_samples"]
    if len(demo.actions) != samples:
        raise StorageError(f"{path}, {name}: num_samples is {samples}, actions has {len(demo.actions)}")
    _check_lengths(path, demo)
    return demo


def _attribute(path: Path, name: str, group: h5py.Group, key: str) -> Any:
    if key not in group.attrs:
        raise StorageError(f"{path}, {name}: attribute {key!r} is missing")
    return group.attrs[key]


def _array(path: Path, name: str, group: h5py.Group, key: str) -> np.ndarray:
    try:
        return group[key][()]
    except (OSError, RuntimeError, KeyError) as fault:
        raise StorageError(f"{path}, {name}: {key!r} cannot be read ({fault})") from fault


def _check_lengths(path: Path, demo: Demo) -> None:
    columns = {key: getattr(demo, key) for key in _COLUMNS} | {f"obs/{key}": v for key, v in demo.obs.items()}
    for key, values in columns.items():
        if len(values) != len(demo.actions):
            raise StorageError(f"{path}, {demo.name}: {key!r} has {len(values)} rows, actions has {len(demo.actions)}")


def _check_known(path: Path, mask: str, names: Sequence[str], known: Mapping[str, Path]) -> None:
    for name in names:
        if name not in known:
            raise StorageError(f"{path}, mask {mask!r}: there is no episode {name!r}")


def _number(name: str) -> int:
    return int(name.removeprefix("demo_"))


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise StorageError(f"{path} does not exist") from None
    except OSError as fault:
        raise StorageError(f"{path} is no HDF5 file, or a damaged one ({fault})") from fault
    with file:
        yield file


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A path to write to; it takes the name `path` only when the block ends well, and vanishes otherwise."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
