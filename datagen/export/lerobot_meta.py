"""What a LeRobotDataset v3.0 says of itself: `meta/info.json` with its features, and the table of tasks."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from datagen.export.source import description
from envs import spec

VERSION = "v3.0"
CHUNK_SIZE = 1000  # files per folder
IMAGE_PREFIX = "observation.images."
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
ROBOT = "rm75_dexterous_hand"
SCALARS = {"next.reward": "float32", "next.done": "bool", "timestamp": "float32"} | dict.fromkeys(
    ("phase", "frame_index", "episode_index", "index", "task_index"), "int64"
)


def info(episodes: int, frames: int, tasks: int, cameras: Mapping[str, str], size: tuple[int, int]) -> dict[str, Any]:
    """The content of `meta/info.json`. cameras: feature -> video codec; size: (width, height)."""
    return {
        "codebase_version": VERSION,
        "robot_type": ROBOT,
        "total_episodes": episodes,
        "total_frames": frames,
        "total_tasks": tasks,
        "chunks_size": CHUNK_SIZE,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": spec.CONTROL_HZ,
        "splits": {"train": f"0:{episodes}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH,
        "features": features(cameras, size),
    }


def features(cameras: Mapping[str, str], size: tuple[int, int]) -> dict[str, Any]:
    """Feature -> dtype, shape, names and, in `info`, units and meaning."""
    about = description(size)
    found: dict[str, Any] = {
        key: {
            "dtype": "float32",
            "shape": [spec.ACTION_DIM],
            "names": about[column]["names"],
            "info": {word: about[column][word] for word in ("unit", "scale", "meaning")},
        }
        for key, column in (("observation.state", "state"), ("action", "actions"))
    }
    width, height = size
    for key, codec in cameras.items():
        found[key] = {
            "dtype": "video",
            "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": height,
                "video.width": width,
                "video.fps": spec.CONTROL_HZ,
                "video.channels": 3,
                "video.codec": "av1" if codec == "av1" else "h264",
                "video.pix_fmt": "yuv420p",
                "video.is_depth_map": False,
                "has_audio": False,
            },
        }
    found |= {key: {"dtype": dtype, "shape": [1], "names": None} for key, dtype in SCALARS.items()}
    found["phase"]["info"] = {"meaning": about["phases"]}
    return found


def tasks_table(tasks: Sequence[str]) -> Any:
    """A pyarrow table with the task texts as its pandas index, which is where the reader looks for them."""
    import pyarrow as pa

    index = "__index_level_0__"
    text = {"name": None, "field_name": index, "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    number = {
        "name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64",
        "metadata": None,
    }  # fmt: skip
    pandas = {"index_columns": [index], "column_indexes": [], "columns": [number, text], "pandas_version": "2.0.0"}
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), index: pa.array(list(tasks), pa.string())})
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})
