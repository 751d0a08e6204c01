"""Demonstrations per hour and core, and their size: `python -m benchmarks.speed.generation`, on one core, one process.

CPU time is what counts, and of each scene the best of several repeats: other work on the machine stretches wall time,
and by way of shared caches CPU time too. Episodes are written as the generator writes them, to a folder that is removed
afterwards; starting up and joining are left out, failed attempts are not.

First attempts: of the scenes in which the first grasp was not made to fail, those that it succeeds in. A grasp is tried
out before it becomes the first attempt; "in vain" is how many grasps a scene were tried and taken back.

`--memory 500` plays so many scenes on two workers instead and says how much memory that takes; see
benchmarks.speed.memory.
"""

import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.speed import memory
from datagen.generator import Generator
from datagen.jobs import Request
from datagen.play import FAIL_FIRST
from datagen.storage import DemoFile
from envs.episode import make_episode

# name -> (what is asked for, demonstrations per hour and core to reach, MB of 75 steps to stay under; None: no bar)
MODES = {
    "two 640x480 and mask, lossless": ({}, 1000.0, 15.0),
    "two 640x480 and mask, jpeg95": ({"images": "jpeg95"}, 1000.0, 4.0),
    "states only": ({"cameras": ()}, 5000.0, None),
    "states only, tolerant grasps": ({"cameras": (), "tolerant": True}, None, None),
}
WIDTH = 160  # of the table where no terminal says how wide it is
LENGTH = 75  # steps of the demonstration whose size is given


@dataclass(frozen=True)
class Options:
    """Time the generator with and without pictures."""

    episodes: Annotated[int, tyro.conf.arg(help="scenes to attempt in each mode")] = 24
    first: Annotated[int, tyro.conf.arg(help="index of the first scene")] = 1000
    repeats: Annotated[int, tyro.conf.arg(help="times that each scene is played")] = 2
    recovery: Annotated[float, tyro.conf.arg(help="share of disturbed scenes")] = 0.3
    hold_seconds: Annotated[float, tyro.conf.arg(help="how long a grasp is held up; 20 is the benchmark's")] = 2.0
    only: Annotated[str, tyro.conf.arg(help="time the modes whose name begins so")] = ""
    memory: Annotated[int, tyro.conf.arg(help="measure memory over so many scenes instead, in the first mode")] = 0
    workers: Annotated[int, tyro.conf.arg(help="worker processes while memory is measured")] = 2
    out: Annotated[Path | None, tyro.conf.arg(help="file for the numbers as JSON")] = None


@dataclass(frozen=True)
class Timing:
    """One mode. Rates in demonstrations per hour; sizes in MB of 75 steps, the mean over all demonstrations.

    The size depends on the looks that were drawn: a few dozen scenes give it within a tenth.
    """

    mode: str
    bar: float | None
    size_bar_mb: float | None
    attempted: int
    demos: int
    first_attempts: int
    first_successes: int
    in_vain: int
    best_per_cpu_hour: float
    per_cpu_hour: float
    per_hour: float
    steps: float
    size_mb: float
    peak_memory_mb: float


def request_of(mode: str, options: Options, episodes: int) -> Request:
    """What is asked for in a mode of MODES."""
    changes, _, _ = MODES[mode]
    return Request(
        first=options.first,
        episodes=episodes,
        recovery=options.recovery,
        hold_s=options.hold_seconds,
        **changes,
    )


def measure(mode: str, options: Options) -> Timing:
    """Make the demonstrations of one mode of MODES and throw them away."""
    _, bar, size_bar_mb = MODES[mode]
    request = request_of(mode, options, options.episodes)
    maker = Generator(request)
    maker.make(options.first + options.episodes)  # loads meshes and textures, and opens the renderer
    results, size, best, cpu, wall = [], 0, 0.0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        file = DemoFile(Path(folder) / "demos.h5")
        for job in request.jobs():
            seconds = []
            for _ in range(options.repeats):
                make_episode.cache_clear()  # composing the scene is part of the work
                cpu_began, wall_began = time.process_time(), time.perf_counter()
                product = maker.make(job.index)
                written = 0 if product.content is None else file.write_part(product.content, job.index)
                seconds.append(time.process_time() - cpu_began)
                wall += (time.perf_counter() - wall_began) / options.repeats
            best, cpu, size = best + min(seconds), cpu + sum(seconds) / options.repeats, size + written
            results.append(product.result)
    made = [result for result in results if result.success]
    demos, steps = len(made), sum(result.steps for result in made)
    # Not those that were told to fail first.
    first = [result for result in results if result.recovery not in FAIL_FIRST]
    # Linux counts in kilobytes, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return Timing(
        mode=mode,
        bar=bar,
        size_bar_mb=size_bar_mb,
        attempted=options.episodes,
        demos=demos,
        first_attempts=len(first),
        first_successes=sum(result.success and result.attempts == 1 for result in first),
        in_vain=sum(result.vain for result in results),
        best_per_cpu_hour=3600.0 * demos / best,
        per_cpu_hour=3600.0 * demos / cpu,
        per_hour=3600.0 * demos / wall,
        steps=steps / max(1, demos),
        size_mb=LENGTH * size / max(1, steps) / 1e6,
        peak_memory_mb=peak,
    )


def print_timings(console: Console, timings: list[Timing]) -> None:
    """The table, one row a mode."""
    table = Table(title=f"demonstrations per hour on one core, load {os.getloadavg()[0]:.1f}", title_justify="left")
    size = f"MB of {LENGTH} steps"
    rates = ("bar", "CPU, best", "CPU, mean", "wall")
    for name in ("mode", *rates, "demos", "first attempts", "in vain", "steps", "size bar", size, "peak MB"):
        table.add_column(name, justify="left" if name == "mode" else "right")
    for row in timings:
        table.add_row(
            row.mode,
            "" if row.bar is None else f"{row.bar:.0f}",
            f"{row.best_per_cpu_hour:.0f}",
            f"{row.per_cpu_hour:.0f}",
            f"{row.per_hour:.0f}",
            f"{row.demos}/{row.attempted}",
            f"{row.first_successes}/{row.first_attempts}",
            f"{row.in_vain / row.attempted:.2f}",
            f"{row.steps:.0f}",
            "" if row.size_bar_mb is None else f"{row.size_bar_mb:.0f}",
            f"{row.size_mb:.2f}",
            f"{row.peak_memory_mb:.0f}",
        )
    console.print(table)


def main() -> None:
    """Measure every mode and print the table, or measure memory."""
    options = tyro.cli(Options, prog="python -m benchmarks.speed.generation", description=__doc__)
    modes = [mode for mode in MODES if mode.startswith(options.only)]
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    if options.memory:
        numbers = memory.measure(request_of(modes[0], options, options.memory), options.workers)
        memory.print_memory(console, modes[0], numbers)
        found = asdict(numbers)
    else:
        timings = [measure(mode, options) for mode in modes]
        print_timings(console, timings)
        found = [asdict(row) for row in timings]
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
