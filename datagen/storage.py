"""Demonstrations on disk: HDF5 in robomimic's layout, where an episode is complete or absent whatever crashes.

    /data                 attrs: format, total (samples), env_args (JSON), names (JSON, see datagen.layout)
    /data/demo_<index>    attrs: num_samples, success, outcome, instruction, phrasings (JSON), expression, target,
                                 family, suite, index, spec (JSON), versions (JSON), recovery, attempts, details (JSON),
                                 image_compression
        actions (T, 13)   states (T, nstate)   rewards (T,)   dones (T,)   phases (T,)   imitate (T,)
        obs/<key> (T, ...)
    /data_failed/...      the same for failures, where they are kept
    /mask/<name>          names of the episodes of one subset, for example train and valid
    /jobs/<column>        what became of every scene that was attempted

Row t holds what was seen and where the world stood before action t, and the reward and done flag that followed it.
Images hold one frame to a chunk, deflated; with JPEG each row is the bytes of an image file (datagen.frames).
HDF5 does not survive a crash in mid-write, so each episode is first written to a file of its own in `<file>.parts`,
which gets its name only when it is whole; `DemoFile.finish` joins them into the one file, again under another name
first. Several processes may write episodes of one file at the same time; one of them finishes it.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from datagen.content import content_hash as content_hash
from datagen.frames import Frames
from envs.interface import DexClutterError

FORMAT = "dexclutter-demos/1"
ROBOMIMIC_GYM_TYPE = 2  # robomimic's EnvType for a Gym environment
STRING = h5py.string_dtype("utf-8")
UNKNOWN_PHASE = -1
DATA, FAILED = "data", "data_failed"
COLUMNS = ("actions", "states", "rewards", "dones", "phases", "imitate")
_OPTIONAL = ("imitate",)  # not in files from before there was such a column
_JSON = ("phrasings", "spec", "versions", "details")
_WORDS = ("outcome", "instruction", "expression", "target", "family", "suite", "recovery")
# Attributes are stored as HDF5 has them; this makes of each what `Demo` has.
_TYPES: dict[str, Callable[[Any], Any]] = {
    "num_samples": int, "index": int, "attempts": int, "success": bool,
    **dict.fromkeys(_WORDS, str), **dict.fromkeys(_JSON, json.loads),
}  # fmt: skip
_ATTRIBUTES = ("num_samples", "success", "index", "attempts", *_WORDS, *_JSON)
_PREFIX = {DATA: "", FAILED: "failed."}  # of the names of part files
# What HDF5 and its Python package raise over damaged bytes, wherever they lie.
_DAMAGE = (
    OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError, MemoryError,
    Image.DecompressionBombError,
)  # fmt: skip
_FULL_SHARE = 1.01  # room that the joined file takes, of the sum of its parts


class StorageError(DexClutterError, ValueError):
    """A file that is not, or no longer, what this module writes. Names the file, the episode and the key."""


@dataclass(frozen=True)
class Demo:
    """One episode of T steps.

    actions (T, 13) float32; states (T, nstate) float64, the full physics state; rewards (T,) float32; dones (T,) bool;
    phases (T,) int8, indices into datagen.search.PHASES, -1 where nobody said; imitate (T,) bool, True where what is
    done from there on is worth learning, which what goes wrong on purpose is not (all True where nobody said);
    obs: key -> (T, ...), images as (T, H, W, 3) uint8 or as encoded `Frames`; spec: the episode as plain JSON values;
    attempts: grasps carried out.
    """

    suite: str
    index: int
    instruction: str
    success: bool
    actions: np.ndarray
    states: np.ndarray
    rewards: np.ndarray
    dones: np.ndarray
    obs: Mapping[str, np.ndarray | Frames]
    spec: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    phases: np.ndarray | None = None
    imitate: np.ndarray | None = None
    outcome: str = "success"
    phrasings: Sequence[str] = ()
    expression: str = ""
    target: str = ""
    family: str = ""
    recovery: str = "none"
    attempts: int = 1
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.phases is None:
            object.__setattr__(self, "phases", np.full(len(self.actions), UNKNOWN_PHASE, np.int8))
        if self.imitate is None:
            object.__setattr__(self, "imitate", np.ones(len(self.actions), bool))

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
        self.parts = self.path.with_name(self.path.name + ".parts")

    def write(self, demo: Demo, group: str = DATA) -> int:
        """Keep one episode, replacing one of the same name, and return its size in bytes; then it is on the disk.

        group: DATA, or FAILED for a failure that is kept apart. Raises StorageError if its columns differ in length,
        OSError where the disk is full; an episode is never left half written.
        """
        return self.write_part(encoded(self.path, demo), demo.index, group)

    def write_part(self, content: bytes, index: int, group: str = DATA) -> int:
        """Keep one episode that is `encoded` already, as another machine sends it."""
        self.parts.mkdir(parents=True, exist_ok=True)
        with _replacing(self._part(index, group)) as part:
            # Not by HDF5 itself, which does not come back in order from a full disk.
            part.write_bytes(content)
        return len(content)

    def finish(
        self,
        env_args: Mapping[str, Any],
        masks: Mapping[str, Sequence[str]] | None = None,
        attributes: Mapping[str, Any] | None = None,
        jobs: Mapping[str, np.ndarray] | None = None,
        show: Callable[[int, int], None] = lambda *_: None,
    ) -> int:
        """Join all episodes into the one file and return how many demonstrations it holds.

        Episodes of an earlier `finish` stay, unless written again; masks: subset name -> names of its episodes;
        attributes: more of the group `data`; jobs: column -> values of the table of jobs; show(done, of) hears of the
        progress. Raises StorageError when the disk has no room; nothing is lost then.
        """
        sources = {group: self._sources(group) for group in (DATA, FAILED)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._check_room(sources)
        try:
            with _replacing(self.path) as whole, h5py.File(whole, "w") as file:
                data = file.create_group(DATA)
                self._join(file, sources, show)
                data.attrs["total"] = sum(int(demo.attrs["num_samples"]) for demo in data.values())
                data.attrs["format"], data.attrs["env_args"] = FORMAT, json.dumps(dict(env_args))
                data.attrs.update(attributes or {})
                for mask, names in (masks or {}).items():
                    _check_known(self.path, mask, names, sources[DATA])
                    file.create_dataset(f"mask/{mask}", data=np.array(names, dtype=object), dtype=STRING)
                for column, values in (jobs or {}).items():
                    file.create_dataset(f"jobs/{column}", data=values, dtype=STRING if values.dtype == object else None)
        except (OSError, RuntimeError) as fault:
            raise StorageError(f"{self.path} cannot be written ({fault}); all episodes lie in {self.parts}") from fault
        self.discard_parts()
        return len(sources[DATA])

    def discard_parts(self) -> None:
        """Remove what lies beside the joined file."""
        shutil.rmtree(self.parts, ignore_errors=True)

    def names(self, group: str = DATA) -> list[str]:
        """Names of all whole episodes, joined or not yet, in order of their index."""
        return sorted(self._sources(group), key=_number)

    def joined(self, group: str = DATA) -> list[str]:
        """Names of the episodes in the one file; [] where there is no such file. Raises StorageError for another."""
        if not self.path.exists():
            return []
        with opened(self.path) as file, naming(self.path, "the file", group):
            _check_format(self.path, file)
            names = list(file.get(group, ()))
            strangers = [name for name in names if not re.fullmatch(r"demo_\d+", name)]
            if strangers:
                raise StorageError(f"{self.path} holds {strangers[0]!r} in {group!r}, which is no name of an episode")
            return names

    def env_args(self) -> dict[str, Any]:
        """What the file says of the environment that it came from."""
        with naming(self.path, DATA, "env_args"):
            return dict(json.loads(self.attribute("env_args")))

    def attribute(self, key: str) -> Any:
        """An attribute of the group `data` of the joined file."""
        with opened(self.path) as file, naming(self.path, DATA, key):
            _check_format(self.path, file)
            return _attribute(self.path, DATA, file[DATA], key)

    def jobs(self) -> dict[str, np.ndarray]:
        """The table of jobs of the joined file: column -> values; empty where there is none."""
        if not self.path.exists():
            return {}
        with opened(self.path) as file, naming(self.path, "the file", "jobs"):
            _check_format(self.path, file)
            return {key: _text(column) for key, column in file.get("jobs", {}).items()}

    def read(self, name: str, group: str = DATA) -> Demo:
        """One episode. Raises StorageError naming the file, the episode and the key that is missing or damaged."""
        part = self.parts / f"{_PREFIX[group]}{name}.h5"
        path, where = (part, name) if part.exists() else (self.path, f"{group}/{name}")
        with opened(path) as file, naming(path, name, where):
            if path == self.path:
                _check_format(path, file)
            if where not in file:
                raise StorageError(f"{path} holds no episode {name}; there are {_few(self.names(group))}")
            return _read(path, name, file[where])

    def _join(
        self, file: h5py.File, sources: Mapping[str, Mapping[str, Path]], show: Callable[[int, int], None]
    ) -> None:
        wanted = [(group, name, path) for group, known in sources.items() for name, path in known.items()]
        for number, (group, name, path) in enumerate(sorted(wanted, key=lambda row: (row[0], _number(row[1])))):
            show(number, len(wanted))
            with opened(path) as source:
                where = f"{group}/{name}" if path == self.path else name
                source.copy(where, file.require_group(group), name=name)
        show(len(wanted), len(wanted))

    def _sources(self, group: str) -> dict[str, Path]:
        prefix = _PREFIX[group]
        parts = {p.stem.removeprefix(prefix): p for p in sorted(self.parts.glob(f"{prefix}demo_*.h5"))}
        return dict.fromkeys(self.joined(group), self.path) | parts

    def _part(self, index: int, group: str) -> Path:
        return self.parts / f"{_PREFIX[group]}{demo_name(index)}.h5"

    def _check_room(self, sources: Mapping[str, Mapping[str, Path]]) -> None:
        needed = sum(path.stat().st_size for path in {p for known in sources.values() for p in known.values()})
        free = shutil.disk_usage(self.path.parent).free
        if needed * _FULL_SHARE > free:
            raise StorageError(
                f"joining {self.path} needs {needed / 1e9:.2f} GB beside its parts and {free / 1e9:.2f} GB are free; "
                f"all episodes lie in {self.parts}"
            )


def encoded(path: Path, demo: Demo) -> bytes:
    """An episode as the content of its part file. Raises StorageError if its columns differ in length."""
    _check_lengths(path, demo)
    with h5py.File(demo.name, "w", driver="core", backing_store=False) as file:
        _fill(file.create_group(demo.name), demo)
        file.flush()
        return file.id.get_file_image()


def _fill(group: h5py.Group, demo: Demo) -> None:
    group.attrs.update({key: getattr(demo, key) for key in ("index", "attempts", *_WORDS)})
    group.attrs.update(num_samples=len(demo.actions), success=bool(demo.success))
    for key in _JSON:
        group.attrs[key] = json.dumps(list(demo.phrasings) if key == "phrasings" else dict(getattr(demo, key)))
    is_jpeg = any(isinstance(values, Frames) and values.is_jpeg for values in demo.obs.values())
    group.attrs["image_compression"] = "jpeg" if is_jpeg else "lossless"
    for column in COLUMNS:
        # Most of a physics state is zero: forces that nobody applies.
        how = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if column == "states" else {}
        group.create_dataset(column, data=getattr(demo, column), **how)
    for key, values in demo.obs.items():
        if isinstance(values, Frames):
            values.put(group, f"obs/{key}")
            continue
        picture = values.dtype == np.uint8 and values.ndim > 2
        # One frame to a chunk: a training window reads a few frames out of the middle of an episode.
        how = {"chunks": (1, *values.shape[1:]), "compression": "gzip", "compression_opts": 1} if picture else {}
        group.create_dataset(f"obs/{key}", data=values, **how)


def _read(path: Path, name: str, group: h5py.Group) -> Demo:
    columns = [key for key in COLUMNS if key in group or key not in _OPTIONAL]
    for key in (*columns, "obs"):
        if key not in group:
            raise StorageError(f"{path}, {name}: {key!r} is missing")
    attributes = {key: _attribute(path, name, group, key) for key in _ATTRIBUTES}
    demo = Demo(
        obs={key: _array(path, name, group, f"obs/{key}") for key in group["obs"]},
        **{key: _array(path, name, group, key) for key in columns},
        **{key: attributes[key] for key in _ATTRIBUTES if key != "num_samples"},
    )
    samples = attributes["num_samples"]
    if len(demo.actions) != samples:
        raise StorageError(f"{path}, {name}: num_samples is {samples}, actions has {len(demo.actions)}")
    _check_lengths(path, demo)
    return demo


def _attribute(path: Path, name: str, group: h5py.Group, key: str) -> Any:
    """An attribute as the type that `Demo` has for it; of unknown keys as it is."""
    with naming(path, name, key):
        if key not in group.attrs:
            raise StorageError(f"{path}, {name}: attribute {key!r} is missing")
        return _TYPES.get(key, lambda value: value)(group.attrs[key])


def _array(path: Path, name: str, group: h5py.Group, key: str) -> np.ndarray:
    with naming(path, name, key):
        return Frames.decoded(group[key][()])


def _check_format(path: Path, file: h5py.File) -> None:
    if not isinstance(file.get(DATA), h5py.Group):
        raise StorageError(f"{path} is no file of demonstrations: it has no group 'data'")
    found = file[DATA].attrs.get("format", "none at all")
    if found != FORMAT:
        raise StorageError(f"{path} has format {found!r}; this version reads {FORMAT!r}")


def _check_lengths(path: Path, demo: Demo) -> None:
    columns = {key: getattr(demo, key) for key in COLUMNS} | {f"obs/{key}": v for key, v in demo.obs.items()}
    for key, values in columns.items():
        if len(values) != len(demo.actions):
            raise StorageError(f"{path}, {demo.name}: {key!r} has {len(values)} rows, actions has {len(demo.actions)}")


def _check_known(path: Path, mask: str, names: Sequence[str], known: Mapping[str, Path]) -> None:
    for name in names:
        if name not in known:
            raise StorageError(f"{path}, mask {mask!r}: there is no episode {name!r}")


def _number(name: str) -> int:
    return int(name.removeprefix("demo_"))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "none"


def _text(column: h5py.Dataset) -> np.ndarray:
    return column.asstr()[()] if h5py.check_string_dtype(column.dtype) else column[()]


@contextmanager
def naming(path: Path, name: str, key: str, where: str = "") -> Iterator[None]:
    """Whatever goes wrong inside becomes a StorageError that names the file, the demonstration and the key."""
    try:
        yield
    except StorageError:
        raise
    except _DAMAGE as fault:
        raise StorageError(f"{path}, {name}: {key!r} cannot be read{where} ({fault})") from fault


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading. Raises StorageError for one that is not there, or is none."""
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
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name, too, has to outlast a power cut
        finally:
            os.close(folder)
    finally:
        unfinished.unlink(missing_ok=True)
