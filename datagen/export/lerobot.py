"""LeRobotDataset v3.0: many episodes to a parquet and an mp4 file, written here directly and read by `lerobot`.

The files are written without the `lerobot` package, whose pins (torch, NumPy, PyAV) would bind this project, and which
passes every frame through a PNG file on its way into the video. What it reads is plain parquet, JSON and mp4.

    data/chunk-000/file-000.parquet        one row per step: observation.state, action, timestamp, indices, ...
    videos/observation.images.head/...     one mp4 for up to FRAMES_PER_VIDEO frames of a camera; wrist and mask too
    meta/info.json  meta/stats.json  meta/tasks.parquet  meta/episodes/chunk-000/file-000.parquet  meta/dexclutter.json
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from datagen.export import lerobot_meta, statistics
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
from datagen.export.video import VideoWriter
from datagen.storage import Demo
from envs import spec

# The reader looks a frame up by its time as float32, within 0.1 ms: fine for 300 s, not for an hour.
FRAMES_PER_VIDEO = 300 * spec.CONTROL_HZ
DATA_FILE, EPISODES_FILE = "data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class LeRobotSummary:
    """What was written."""

    episodes: int
    frames: int
    tasks: int


def export_lerobot(
    source: Source,
    out: Path,
    codec: str = "h264",
    mask: bool = True,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
) -> LeRobotSummary:
    """Write the demonstrations to the folder `out`, which gets its name when it is whole.

    codec: "h264" or "av1" for the cameras. mask: also write the target mask, as a third, lossless video.
    progress: called with (episodes done, episodes in all). Raises ExportError and StorageError.
    """
    _require_pyarrow()
    refuse_existing(out, overwrite)
    partial = out.with_name(out.name + ".partial")
    remove(partial)
    partial.mkdir(parents=True)
    writer = _Writer(partial, codec, mask)
    try:
        for done, demo in enumerate(source.demos()):
            progress(done, len(source.names))
            writer.append(demo)
        summary = writer.finish(source)
    finally:
        writer.abandon()
    progress(len(source.names), len(source.names))
    replace_folder(partial, out)
    return summary


@dataclass
class _Camera:
    """The video files of one camera, one after the other."""

    key: str
    codec: str
    root: Path
    file_index: int = -1
    writer: VideoWriter | None = None

    def append(self, frames: np.ndarray) -> dict[str, Any]:
        """Write an episode's frames (T, H, W, 3); where they lie, as columns of the table of episodes."""
        if self.writer is None or self.writer.frames + len(frames) > FRAMES_PER_VIDEO:
            self.close()
            self.file_index += 1
            height, width = frames.shape[1:3]
            self.writer = VideoWriter(self.path(self.file_index), (width, height), spec.CONTROL_HZ, self.codec)
        first = self.writer.frames
        self.writer.write(frames)
        chunk, file = divmod(self.file_index, lerobot_meta.CHUNK_SIZE)
        return {
            f"videos/{self.key}/chunk_index": chunk,
            f"videos/{self.key}/file_index": file,
            f"videos/{self.key}/from_timestamp": first / spec.CONTROL_HZ,
            f"videos/{self.key}/to_timestamp": (first + len(frames)) / spec.CONTROL_HZ,
        }

    def path(self, file_index: int) -> Path:
        chunk, file = divmod(file_index, lerobot_meta.CHUNK_SIZE)
        return self.root / lerobot_meta.VIDEO_PATH.format(video_key=self.key, chunk_index=chunk, file_index=file)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.writer = None

    def abandon(self) -> None:
        if self.writer is not None:
            self.writer.abandon()
        self.writer = None


@dataclass
class _Writer:
    """Collects episodes: rows and pictures go to disk at once, the small tables of meta at the end."""

    root: Path
    codec: str
    mask: bool
    _cameras: list[_Camera] = field(init=False)
    _table: Any = None
    _size: tuple[int, int] = (0, 0)
    _tasks: dict[str, int] = field(default_factory=dict)
    _episodes: list[dict[str, Any]] = field(default_factory=list)
    _stats: list[dict[str, statistics.Stats]] = field(default_factory=list)
    _facts: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.codec not in ("h264", "av1"):
            raise ExportError(f"unknown video codec {self.codec!r}; choose h264 or av1")
        self._cameras = [_Camera(lerobot_meta.IMAGE_PREFIX + name, self.codec, self.root) for name in spec.CAMERAS]
        if self.mask:
            self._cameras.append(_Camera(lerobot_meta.IMAGE_PREFIX + "mask", "h264-lossless", self.root))

    def append(self, demo: Demo) -> None:
        head, wrist, mask = pictures(demo)
        shown = [head, wrist] + ([np.repeat(mask[..., None] * np.uint8(255), 3, axis=-1)] if self.mask else [])
        self._size = (head.shape[2], head.shape[1])
        first = self._episodes[-1]["dataset_to_index"] if self._episodes else 0
        task = self._tasks.setdefault(demo.instruction, len(self._tasks))
        columns = _columns(demo, len(self._episodes), first, task)
        self._write_rows(columns)
        row = {
            "episode_index": len(self._episodes), "tasks": [demo.instruction], "length": len(demo.actions),
            "data/chunk_index": 0, "data/file_index": 0,
            "dataset_from_index": first, "dataset_to_index": first + len(demo.actions),
        }  # fmt: skip
        for camera, frames in zip(self._cameras, shown, strict=True):
            row |= camera.append(frames)
        stats = {key: statistics.of_rows(values) for key, values in columns.items()}
        stats |= {camera.key: statistics.of_pictures(f) for camera, f in zip(self._cameras, shown, strict=True)}
        row |= {f"stats/{key}/{name}": v.tolist() for key, each in stats.items() for name, v in each.items()}
        self._episodes.append(row | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})
        self._stats.append(stats)
        self._facts.append(episode_facts(demo))

    def finish(self, source: Source) -> LeRobotSummary:
        import pyarrow as pa
        import pyarrow.parquet as pq

        for camera in self._cameras:
            camera.close()
        self._table.close()
        frames = self._episodes[-1]["dataset_to_index"]
        meta = self.root / "meta"
        (self.root / EPISODES_FILE).parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._episodes), self.root / EPISODES_FILE, compression="snappy")
        pq.write_table(lerobot_meta.tasks_table(list(self._tasks)), meta / "tasks.parquet")
        whole = {key: statistics.together([each[key] for each in self._stats]) for key in self._stats[0]}
        _write_json(meta / "stats.json", {k: {n: v.tolist() for n, v in each.items()} for k, each in whole.items()})
        cameras = {camera.key: camera.codec for camera in self._cameras}
        _write_json(
            meta / "info.json", lerobot_meta.info(len(self._episodes), frames, len(self._tasks), cameras, self._size)
        )
        about = {"source": source.path.name, **description(self._size), "episodes": self._facts}
        _write_json(meta / "dexclutter.json", about)
        return LeRobotSummary(len(self._episodes), frames, len(self._tasks))

    def abandon(self) -> None:
        for camera in self._cameras:
            camera.abandon()
        if self._table is not None:
            self._table.close()

    def _write_rows(self, columns: dict[str, np.ndarray]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table({key: _arrow(values) for key, values in columns.items()})
        if self._table is None:
            (self.root / DATA_FILE).parent.mkdir(parents=True)
            self._table = pq.ParquetWriter(self.root / DATA_FILE, table.schema, compression="snappy")
        self._table.write_table(table)


def _columns(demo: Demo, episode: int, first: int, task: int) -> dict[str, np.ndarray]:
    steps = np.arange(len(demo.actions), dtype=np.int64)
    return {
        "observation.state": np.asarray(demo.obs[spec.STATE], np.float32),
        "action": np.asarray(demo.actions, np.float32),
        "next.reward": np.asarray(demo.rewards, np.float32),
        "next.done": np.asarray(demo.dones, bool),
        "phase": demo.phases.astype(np.int64),
        "timestamp": (steps / spec.CONTROL_HZ).astype(np.float32),
        "frame_index": steps,
        "episode_index": np.full(len(steps), episode, np.int64),
        "index": first + steps,
        "task_index": np.full(len(steps), task, np.int64),
    }


def _arrow(values: np.ndarray) -> Any:
    import pyarrow as pa

    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")


def _require_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as fault:
        raise ExportError("this export needs pyarrow: pip install 'dexclutter[export]'") from fault
