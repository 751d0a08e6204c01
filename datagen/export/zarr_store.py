"""The zarr layout that the published DexGraspVLA training code loads: zarr format 2, images in BGR.

    data/action (K, 13) float32           data/right_state (K, 13) float32
    data/rgbm (K, H, W, 4) uint8          blue, green, red of the head camera, and the target mask with 0 and 1
    data/right_cam_img (K, H, W, 3) uint8 blue, green, red of the wrist camera
    meta/episode_ends (J,) int64          one past the last row of each episode

Units, joint names and instructions stand in the attributes of the root. One frame to a chunk, as the loader reads them.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen.export.source import (
    ExportError,
    Source,
    description,
    episode_facts,
    pictures,
    refuse_existing,
    remove,
    replace_folder,
)  # fmt: skip
from datagen.storage import Demo
from envs import spec

FORMAT = "dexclutter-zarr/1"
ROWS_PER_CHUNK = 4096  # of action and state
JOURNAL = "progress.jsonl"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ZarrSummary:
    """What was written: episodes, rows, and how many of the episodes an interrupted run had left."""

    episodes: int
    rows: int
    resumed: int


def export_zarr(
    source: Source, out: Path, overwrite: bool = False, progress: Progress = lambda done, total: None
) -> ZarrSummary:
    """Write the demonstrations to the folder `out`, which gets its name when it is whole.

    A run that was killed goes on where it stopped when it is called again for the same file.
    progress: called with (episodes done, episodes in all). Raises ExportError and StorageError.
    """
    _require_zarr()
    refuse_existing(out, overwrite)
    partial = out.with_name(out.name + ".partial")
    store = _Store.resume(partial, source.fingerprint) or _Store.create(partial, source.fingerprint)
    resumed = len(store.ends)
    progress(resumed, len(source.names))
    for demo in source.demos(resumed):
        store.append(demo)
        progress(len(store.ends), len(source.names))
    store.finish(source)
    replace_folder(partial, out)
    return ZarrSummary(len(store.ends), store.ends[-1], resumed)


class _Store:
    """A zarr folder that grows by episodes. The journal, written after the data, says which of them are whole."""

    def __init__(self, folder: Path, group: Any, facts: list[dict[str, Any]], ends: list[int]) -> None:
        self._folder, self._group, self._facts, self.ends = folder, group, facts, ends

    @staticmethod
    def create(folder: Path, fingerprint: str) -> "_Store":
        import zarr

        remove(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        group = zarr.open_group(str(folder), mode="w", zarr_format=2)
        for name in ("data", "meta"):
            group.create_group(name)
        store = _Store(folder, group, [], [])
        store._note({"fingerprint": fingerprint, "format": FORMAT})
        return store

    @staticmethod
    def resume(folder: Path, fingerprint: str) -> "_Store | None":
        import zarr

        lines = _journal(folder / JOURNAL)
        if not lines or lines[0] != {"fingerprint": fingerprint, "format": FORMAT}:
            return None
        for unfinished in folder.rglob("*.partial"):  # zarr writes each file under such a name first
            unfinished.unlink()
        group = zarr.open_group(str(folder), mode="r+", zarr_format=2)
        ends = [line["end"] for line in lines[1:]]
        rows = ends[-1] if ends else 0
        for array in dict(group["data"].arrays()).values():
            array.resize((rows, *array.shape[1:]))  # without those of an episode that was not finished
        return _Store(folder, group, [line["facts"] for line in lines[1:]], ends)

    def append(self, demo: Demo) -> None:
        head, wrist, mask = pictures(demo)
        blue_first = slice(None, None, -1)
        columns = {
            "action": np.asarray(demo.actions, np.float32),
            "right_state": np.asarray(demo.obs[spec.STATE], np.float32),
            "rgbm": np.concatenate([head[..., blue_first], mask[..., None]], axis=-1),
            "right_cam_img": np.ascontiguousarray(wrist[..., blue_first]),
        }
        for name, values in columns.items():
            self._array(name, values).append(values)
        self.ends.append((self.ends[-1] if self.ends else 0) + len(demo.actions))
        self._facts.append(episode_facts(demo))
        self._note({"end": self.ends[-1], "facts": self._facts[-1]})

    def finish(self, source: Source) -> None:
        ends = self._group["meta"].create_array(
            "episode_ends", shape=(len(self.ends),), chunks=(len(self.ends),), dtype="int64", compressors=None
        )
        ends[:] = np.array(self.ends, np.int64)
        height, width = self._group["data/rgbm"].shape[1:3]
        about = description((width, height))
        self._group.attrs.update(
            {
                "format": FORMAT,
                "source": source.path.name,
                "data/action": about.pop("actions"),
                "data/right_state": about.pop("state"),
                "data/rgbm": {"channels": ["blue", "green", "red", "mask"], "camera": spec.HEAD},
                "data/right_cam_img": {"channels": ["blue", "green", "red"], "camera": spec.WRIST},
                **{key: about[key] for key in ("control_hz", "cameras", "mask")},
                "episodes": self._facts,
            }
        )
        (self._folder / JOURNAL).unlink()

    def _array(self, name: str, values: np.ndarray) -> Any:
        import numcodecs

        data = self._group["data"]
        if name in data:
            return data[name]
        picture = values.ndim > 2
        # Bytes of a picture are not shuffled: neighbouring channels compress better together.
        compressor = numcodecs.Blosc(cname="zstd", clevel=3, shuffle=numcodecs.Blosc.NOSHUFFLE)
        return data.create_array(
            name,
            shape=(0, *values.shape[1:]),
            chunks=(1 if picture else ROWS_PER_CHUNK, *values.shape[1:]),
            dtype=values.dtype,
            compressors=compressor,
        )

    def _note(self, line: dict[str, Any]) -> None:
        with (self._folder / JOURNAL).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _journal(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal; a last one that was cut short is left out and removed from the file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def _require_zarr() -> None:
    try:
        import zarr  # noqa: F401
    except ImportError as fault:
        raise ExportError("this export needs zarr: pip install 'dexclutter[export]'") from fault
