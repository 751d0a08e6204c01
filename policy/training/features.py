"""What the frozen towers see in the frames of demonstrations, computed once and kept on disk.

    <cache>/<key>/about.json              what the key stands for
    <cache>/<key>/shard_0000/head.npy     (F, K, tokens, channels) float16: F frames, K jittered views of each
                            /wrist.npy    the same
                            /mask.npy     (F, bytes) uint8: the mask as the head view shows it, packed to bits
                            /start_mask.npy, target.npy   (D, ...): of the first frame of each of D demonstrations

A shard is a dozen demonstrations. It gets its name when it is whole, so a run that was killed goes on where it was.
The key hangs on the content of the data file, on the towers' weights and on everything that decides a picture.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from datagen.storage import content_hash
from policy.controller.config import ControllerConfig
from policy.training.demos import Track

FORMAT = 1
ABOUT, KNOWN = "about.json", "known_files.json"
_SHARDS_AT_MOST = 128  # each keeps some files open

Show = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Plan:
    """Which pictures of a file become features.

    tracks: the demonstrations; digests: tower name -> fingerprint of its weights; weights: tower name -> file, for
    towers without a usual place; jitter_views: jittered views of each frame, 0 for the plain frame alone; device:
    where towers run; shard_demos: demonstrations of a shard, more where there would be too many shards.
    """

    path: Path
    data_hash: str
    config: ControllerConfig
    tracks: tuple[Track, ...]
    stride: int
    jitter_views: int
    seed: int
    digests: dict[str, str]
    weights: dict[str, str]
    device: str = "cpu"
    shard_demos: int = 8

    @property
    def views(self) -> int:
        """Views of each frame in the cache."""
        return max(self.jitter_views, 1)

    @cached_property
    def starts(self) -> list[np.ndarray]:
        """For each track the steps at which its windows begin."""
        return [track.starts(self.stride) for track in self.tracks]

    @property
    def shards(self) -> list[range]:
        """Numbers of the tracks of each shard."""
        size = max(self.shard_demos, -(-len(self.tracks) // _SHARDS_AT_MOST))
        return [range(k, min(k + size, len(self.tracks))) for k in range(0, len(self.tracks), size)]

    def about(self) -> dict[str, Any]:
        """Everything that decides the features, as plain values."""
        config = self.config.as_dict()
        views = {name: config[name] | {"weights": self.digests[v.tower]} for name, v in self.config.views.items()}
        return {
            "format": FORMAT,
            "data": self.data_hash,
            "shard": len(self.shards[0]) if self.tracks else 0,
            "demonstrations": [
                [track.name, steps.tolist()] for track, steps in zip(self.tracks, self.starts, strict=True)
            ],
            "views": views,
            "antialias": self.config.antialias,
            "geometry": self.config.geometry,
            "jitter": list(self.config.jitter) if self.jitter_views else None,
            "jitter_views": self.jitter_views,
            "seed": self.seed if self.jitter_views else None,
        }

    def folder(self, cache: Path) -> Path:
        """Where these features lie."""
        text = json.dumps(self.about(), sort_keys=True)
        return cache / hashlib.sha256(text.encode()).hexdigest()[:16]

    def frames(self, shard: range | None = None) -> int:
        """How many frames there are, in a shard or in all."""
        return sum(len(self.starts[k]) for k in (range(len(self.tracks)) if shard is None else shard))

    def missing(self, cache: Path) -> list[int]:
        """Numbers of the shards that are still to be made."""
        folder = self.folder(cache)
        return [number for number in range(len(self.shards)) if not shard_path(folder, number).is_dir()]


class FeatureStore:
    """Features of a plan, read from disk as they are asked for. Windows count in order of tracks and starts."""

    def __init__(self, cache: Path, plan: Plan) -> None:
        self.plan = plan
        self.mask_size = (plan.config.head.size[1], plan.config.head.size[0])
        folder = plan.folder(cache)
        self._shards = [_opened(shard_path(folder, number)) for number in range(len(plan.shards))]
        places, demos = [], []
        for number, shard in enumerate(plan.shards):
            counts = [len(plan.starts[k]) for k in shard]
            rows = np.arange(sum(counts))
            places.append(np.stack([np.full(len(rows), number), rows, np.repeat(np.arange(len(shard)), counts)], 1))
            demos += [np.full(len(plan.starts[k]), k) for k in shard]
        self._places = np.concatenate(places)
        self.demos = np.concatenate(demos)
        self.steps = np.concatenate(plan.starts)

    def __len__(self) -> int:
        return len(self._places)

    def read(self, window: int, view: int) -> dict[str, np.ndarray]:
        """What is kept of one window: features (tokens, channels) float16, masks (1, h, w) uint8 of 0 and 1."""
        number, row, demo = self._places[window]
        shard = self._shards[number]
        found = {key: shard[key][row, view] for key in ("head", "wrist")}
        found["mask"] = self._mask(shard["mask"][row])
        if "target" in shard:
            found["target"] = shard["target"][demo, view]
        if "start_mask" in shard:
            found["start_mask"] = self._mask(shard["start_mask"][demo])
        return found

    def _mask(self, packed: np.ndarray) -> np.ndarray:
        height, width = self.mask_size
        return np.unpackbits(packed, count=height * width).reshape(1, height, width)


def shard_path(folder: Path, number: int) -> Path:
    """Where a whole shard lies."""
    return folder / f"shard_{number:04d}"


def write_shard(folder: Path, number: int, arrays: dict[str, np.ndarray]) -> None:
    """Put a shard on disk, at once or not at all."""
    final = shard_path(folder, number)
    fresh = final.with_name(f".{final.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        for key, values in arrays.items():
            with (fresh / f"{key}.npy").open("wb") as file:
                np.save(file, values)
                file.flush()
                os.fsync(file.fileno())
        os.replace(fresh, final)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def write_about(cache: Path, plan: Plan) -> None:
    """Say beside the shards what they are made of."""
    folder = plan.folder(cache)
    folder.mkdir(parents=True, exist_ok=True)
    _write_text(folder / ABOUT, json.dumps({"file": plan.path.name} | plan.about(), indent=1))


def data_hash(path: Path, cache: Path) -> str:
    """The content hash of a data file, remembered in the cache as long as its size and its time stay the same."""
    stat = path.stat()
    name, now = str(path.resolve()), [stat.st_size, stat.st_mtime_ns]
    book = cache / KNOWN
    known = json.loads(book.read_text(encoding="utf-8")) if book.exists() else {}
    if known.get(name, {}).get("stat") != now:
        known[name] = {"stat": now, "hash": content_hash(path)}
        cache.mkdir(parents=True, exist_ok=True)
        _write_text(book, json.dumps(known, indent=1))
    return known[name]["hash"]


def total_frames(plans: Sequence[Plan]) -> int:
    """Frames of several plans."""
    return sum(plan.frames() for plan in plans)


def _opened(folder: Path) -> dict[str, np.ndarray]:
    # A plain array over the map: numpy's own class for maps is slow to index.
    return {path.stem: np.asarray(np.load(path, mmap_mode="r")) for path in sorted(folder.glob("*.npy"))}


def _write_text(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)
