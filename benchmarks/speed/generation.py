"""Demonstrations per hour and core: `python -m benchmarks.speed.generation`, on one core, in this process.

CPU time is what counts, and of each scene the best of several repeats: other work on the machine stretches wall time,
and by way of shared caches CPU time too. Episodes are written as the generator writes them, to a folder that is removed
afterwards; starting up and joining are left out, failed attempts are not.
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

from datagen.generator import Generator
from datagen.jobs import Request
from datagen.storage import DemoFile

# name -> (what is asked for, demonstrations per hour and core to reach)
MODES = {
    "two 640x480 and mask, lossless": ({}, 1000.0),
    "two 640x480 and mask, jpeg95": ({"images": "jpeg95"}, 1000.0),
    "states only": ({"cameras": ()}, 5000.0),
    "states only, tolerant grasps": ({"cameras": (), "tolerant": True}, 5000.0),
}
LENGTH = 75  # steps of the demonstration whose size is given


@dataclass(frozen=True)
class Options:
    """Time the generator with and without pictures."""

    episodes: Annotated[int, tyro.conf.arg(help="scenes to attempt in each mode")] = 12
    first: Annotated[int, tyro.conf.arg(help="index of the first scene")] = 1000
    repeats: Annotated[int, tyro.conf.arg(help="times that each scene is played")] = 3
    recovery: Annotated[float, tyro.conf.arg(help="share of disturbed scenes")] = 0.3
    hold_seconds: Annotated[float, tyro.conf.arg(help="how long a grasp is held up; 20 is the benchmark's")] = 2.0
    only: Annotated[str, tyro.conf.arg(help="time the modes whose name begins so")] = ""
    out: Annotated[Path | None, tyro.conf.arg(help="file for the numbers as JSON")] = None


@dataclass(frozen=True)
class Timing:
    """One mode. Rates in demonstrations per hour; size in MB of 75 steps, the mean over all demonstrations."""

    mode: str
    bar: float
    attempted: int
    demos: int
    best_per_cpu_hour: float
    per_cpu_hour: float
    per_hour: float
    steps: float
    size_mb: float
    peak_memory_mb: float


def measure(mode: str, options: Options) -> Timing:
    """Make the demonstrations of one mode of MODES and throw them away."""
    changes, bar = MODES[mode]
    request = Request(
        first=options.first,
        episodes=options.episodes,
        recovery=options.recovery,
        hold_s=options.hold_seconds,
        **changes,
    )
    maker = Generator(request)
    maker.make(options.first + options.episodes)  # loads meshes and textures, and opens the renderer
    demos, steps, size, best, cpu, wall = 0, 0, 0, 0.0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        file = DemoFile(Path(folder) / "demos.h5")
        for job in request.jobs():
            seconds = []
            for _ in range(options.repeats):
                cpu_began, wall_began = time.process_time(), time.perf_counter()
                product = maker.make(job.index)
                written = 0 if product.content is None else file.write_part(product.content, job.index)
                seconds.append(time.process_time() - cpu_began)
                wall += (time.perf_counter() - wall_began) / options.repeats
            best, cpu = best + min(seconds), cpu + sum(seconds) / options.repeats
            if written:
                demos, steps, size = demos + 1, steps + product.result.steps, size + written
    # Linux counts in kilobytes, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return Timing(
        mode=mode,
        bar=bar,
        attempted=options.episodes,
        demos=demos,
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
    for name in ("mode", "bar", "CPU, best", "CPU, mean", "wall", "demos", "steps", f"MB of {LENGTH} steps", "peak MB"):
        table.add_column(name, justify="left" if name == "mode" else "right")
    for row in timings:
        table.add_row(
            row.mode,
            f"{row.bar:.0f}",
            f"{row.best_per_cpu_hour:.0f}",
            f"{row.per_cpu_hour:.0f}",
            f"{row.per_hour:.0f}",
            f"{row.demos}/{row.attempted}",
            f"{row.steps:.0f}",
            f"{row.size_mb:.2f}",
            f"{row.peak_memory_mb:.0f}",
        )
    console.print(table)


def main() -> None:
    """Measure every mode and print the table."""
    options = tyro.cli(Options, prog="python -m benchmarks.speed.generation", description=__doc__)
    timings = [measure(mode, options) for mode in MODES if mode.startswith(options.only)]
    print_timings(Console(), timings)
    if options.out is not None:
        options.out.write_text(json.dumps([asdict(row) for row in timings], indent=2) + "\n")


if __name__ == "__main__":
    main()
