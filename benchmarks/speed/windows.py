"""Random training windows per second, next to robomimic's loader on the same file: `... -m benchmarks.speed.windows`.

A window is one head and one wrist frame, the state and 64 actions. robomimic's `SequenceDataset` has one length for all
that it returns, so a sample with 64 actions reads 64 frames of each camera; that is the comparison that counts. The
second line lets it read a single frame and a single action, which no chunk of actions can be learned from: what is
left there is mostly the decompression, where the extra `data` (libdeflate) helps us. Run it where robomimic 0.3.0 is
installed, see `tests/external/check_robomimic.py`; without it, only our own rate is measured. CPU time of one process,
in alternating blocks, because other work on the machine disturbs both alike.
"""

import contextlib
import io
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from datagen.expert import Expert
from datagen.frames import Frames
from datagen.playback import Playback
from datagen.sight import bounds
from datagen.storage import ROBOMIMIC_GYM_TYPE, Demo, DemoFile, demo_name
from datagen.windows import HORIZON, WindowReader
from envs import spec
from envs.episode import make_episode
from envs.outcome import is_success
from envs.sim import SimEnv

BAR = 3.0
SUITE = "train"
MAX_SCENES_TRIED = 20


@dataclass(frozen=True)
class Options:
    """Make a file of demonstrations, or take one, and read random windows from it."""

    file: Annotated[Path | None, tyro.conf.arg(help="file to read; without, one is made and removed again")] = None
    demos: Annotated[int, tyro.conf.arg(help="demonstrations in the file that is made")] = 500
    steps: Annotated[int, tyro.conf.arg(help="steps of each of them")] = 75
    scenes: Annotated[int, tyro.conf.arg(help="how many of them are different")] = 4
    size: Annotated[tuple[int, int], tyro.conf.arg(help="width and height of the pictures")] = spec.IMAGE_SIZE
    blocks: Annotated[int, tyro.conf.arg(help="alternating blocks")] = 5
    windows: Annotated[int, tyro.conf.arg(help="windows of ours in a block")] = 100
    keep: Annotated[Path | None, tyro.conf.arg(help="where to leave the file that is made")] = None
    out: Annotated[Path | None, tyro.conf.arg(help="file for the numbers as JSON")] = None


@dataclass(frozen=True)
class Loader:
    """A way to read sample number i, and what it is called."""

    name: str
    read: Callable[[int], Any]
    samples: int
    open_s: float
    share: float = 1.0  # of the samples of a block, for slow ones


@dataclass(frozen=True)
class Rate:
    """Samples per second of CPU and of wall time, medians over blocks."""

    name: str
    per_cpu_s: float
    per_wall_s: float
    open_s: float


def measure(path: Path, blocks: int, windows: int) -> list[Rate]:
    """The rate of every loader that is there, ours first."""
    ways = [_ours(path, (spec.HEAD, spec.WRIST)), *_robomimic(path)]
    rng = np.random.default_rng(0)
    spent: dict[str, list[tuple[float, float]]] = {way.name: [] for way in ways}
    for _ in range(blocks):
        for way in ways:
            chosen = rng.integers(way.samples, size=max(1, round(windows * way.share)))
            cpu, wall = time.process_time(), time.perf_counter()
            for index in chosen:
                way.read(int(index))
            spent[way.name].append(
                ((time.process_time() - cpu) / len(chosen), (time.perf_counter() - wall) / len(chosen))
            )
    return [Rate(way.name, *(1 / np.median(spent[way.name], axis=0)).tolist(), way.open_s) for way in ways]


def _ours(path: Path, images: tuple[str, ...]) -> Loader:
    start = time.process_time()
    reader = WindowReader(path, images=images)
    return Loader("WindowReader", reader.__getitem__, len(reader), time.process_time() - start)


def _robomimic(path: Path) -> list[Loader]:
    """robomimic's loader in its recommended mode (low-dimensional data cached); nothing where it is not installed."""
    try:
        import robomimic.utils.obs_utils as obs_utils
        from robomimic.utils.dataset import SequenceDataset
    except ImportError:
        return []
    settings = {
        "hdf5_path": str(path), "obs_keys": (spec.STATE, *spec.CAMERAS), "dataset_keys": ("actions",),
        "hdf5_cache_mode": "low_dim", "load_next_obs": False, "get_pad_mask": True,
    }  # fmt: skip
    loaders = []
    for name, length, share in ((f"robomimic, {HORIZON} long", HORIZON, 0.04), ("robomimic, 1 long", 1, 1.0)):
        start = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            modalities = {"obs": {"low_dim": [spec.STATE], "rgb": list(spec.CAMERAS)}}
            obs_utils.initialize_obs_utils_with_obs_specs(modalities)
            dataset = SequenceDataset(seq_length=length, **settings)
        loaders.append(Loader(name, dataset.__getitem__, len(dataset), time.process_time() - start, share))
    return loaders


def fabricate(path: Path, demos: int, steps: int, scenes: int, size: tuple[int, int]) -> None:
    """A file of `demos` demonstrations of `steps` rows; `scenes` of them are played, the others repeat their bytes."""
    played = _played(scenes, steps, size)
    seeds = DemoFile(path.with_name("seeds.h5"))
    for demo in played:
        seeds.write(demo)
    seeds.finish({"env_name": "DexClutter/Grasp-v0", "env_version": "0", "type": ROBOMIMIC_GYM_TYPE, "env_kwargs": {}})
    with h5py.File(seeds.path, "r") as source, h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs.update(source["data"].attrs)
        for index in range(demos):
            source.copy(source[f"data/{played[index % len(played)].name}"], data, name=demo_name(index))
        data.attrs["total"] = demos * steps
    seeds.path.unlink()


def _played(scenes: int, steps: int, size: tuple[int, int]) -> list[Demo]:
    """The last `steps` rows of successes of the expert, with pictures."""
    env, expert, demos = SimEnv(SUITE), Expert(), []
    for index in range(MAX_SCENES_TRIED):
        if len(demos) == scenes:
            break
        episode = make_episode(SUITE, index)
        observation, _ = env.reset(seed=0, options={"episode": episode})
        expert.reset(env, seed=0)
        rows: list[dict[str, np.ndarray]] = []
        while env.outcome is None:
            action = expert.act(observation).astype(np.float32)
            rows.append({"action": action, "state": observation[spec.STATE], "physics": env.save_state().physics})
            observation, *_ = env.step(action)
        if is_success(env.outcome) and len(rows) >= steps:
            demos.append(_drawn(index, episode, rows[-steps:], size))
    env.close()
    return demos


def _drawn(index: int, episode: Any, rows: Sequence[Mapping[str, np.ndarray]], size: tuple[int, int]) -> Demo:
    column = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    drawn: dict[str, list[np.ndarray]] = {spec.HEAD: [], spec.WRIST: [], "mask": []}
    with Playback(episode, size=size) as playback:
        for state in column["physics"]:
            playback.place(state)
            for camera in spec.CAMERAS:
                drawn[camera].append(playback.frame(camera))
            drawn["mask"].append(playback.mask())
    packed = {key: Frames.pack(frames, frames[0].shape) for key, frames in drawn.items()}
    boxes = np.stack([bounds(mask) for mask in drawn["mask"]])
    done = np.arange(len(rows)) == len(rows) - 1
    return Demo(
        suite=SUITE, index=index, instruction=episode.instruction, success=True, spec=episode.as_dict(),
        actions=column["action"], states=column["physics"], rewards=done.astype(np.float32), dones=done,
        obs={spec.STATE: column["state"], **packed, "box": boxes},
    )  # fmt: skip


def report(rates: Sequence[Rate], title: str) -> Table:
    """One row per loader, and how many times faster ours is."""
    table = Table(title=title)
    for name in ("loader", "windows per CPU s", "windows per s", "opened in s", "ours is faster by"):
        table.add_column(name, justify="left" if name == "loader" else "right")
    for rate in rates:
        times = f"{rates[0].per_cpu_s / rate.per_cpu_s:.2f}"
        table.add_row(rate.name, f"{rate.per_cpu_s:.1f}", f"{rate.per_wall_s:.1f}", f"{rate.open_s:.2f}", times)
    return table


def main(options: Options) -> list[Rate]:
    """Measure, print the table, return the numbers. Exit code 1 when the bar against robomimic is missed."""
    with tempfile.TemporaryDirectory(prefix="windows-") as folder:
        path = options.file or options.keep or Path(folder, "demos.h5")
        if options.file is None:
            fabricate(path, options.demos, options.steps, options.scenes, options.size)
        size_gb = path.stat().st_size / 1e9
        rates = measure(path, options.blocks, options.windows)
    Console().print(report(rates, f"Random windows from a file of {size_gb:.2f} GB"))
    if options.out is not None:
        options.out.write_text(json.dumps([asdict(rate) for rate in rates], indent=1), encoding="utf-8")
    if len(rates) > 1 and rates[0].per_cpu_s < BAR * rates[1].per_cpu_s:
        raise SystemExit(1)
    return rates


if __name__ == "__main__":
    main(tyro.cli(Options))
