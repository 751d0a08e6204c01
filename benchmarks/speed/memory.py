"""Memory of the generator's processes over many scenes: is it little, and does it stay so?

All processes of a run count, the parent with its workers, each with all the memory that it holds (resident set), so
that what they share counts more than once. It is looked up ten times a second, by way of /proc: on Linux alone.
"""

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from datagen.engines import run_local
from datagen.jobs import Request

BAR_MB = 3000.0
PERIOD_S = 0.1
SPANS = 5  # the run is cut into so many spans of equally many scenes, each with a peak of its own


@dataclass(frozen=True)
class Memory:
    """Peaks in MB of all processes together, over the run and over each fifth of its scenes; seconds of wall time."""

    workers: int
    scenes: int
    demos: int
    seconds: float
    peak_mb: float
    span_peaks_mb: tuple[float, ...]


def measure(request: Request, workers: int) -> Memory:
    """Play a request on local workers and throw the demonstrations away."""
    indices = [job.index for job in request.jobs()]
    done, demos, began = 0, 0, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, _watched() as peaks:
        path = Path(folder) / "demos.h5"
        for result in run_local(request, path, indices, workers):
            done, demos = done + 1, demos + result.success
            for part in path.with_name(path.name + ".parts").glob("*.h5"):
                part.unlink()  # the disk is not what is measured
            if done * SPANS // len(indices) > len(peaks) - 1 and done < len(indices):
                peaks.append(0.0)
    return Memory(
        workers=workers,
        scenes=done,
        demos=demos,
        seconds=time.perf_counter() - began,
        peak_mb=max(peaks),
        span_peaks_mb=tuple(peaks),
    )


@contextmanager
def _watched() -> Iterator[list[float]]:
    """Yields a list of peaks; the last one rises with what this process and its children hold."""
    peaks, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(PERIOD_S):
            peaks[-1] = max(peaks[-1], held_mb())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


def held_mb() -> float:
    """MB that this process and its children hold now."""
    children = (child.pid for child in multiprocessing.active_children())
    return sum(_resident_mb(pid) for pid in (os.getpid(), *children) if pid is not None)


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def print_memory(console: Console, mode: str, memory: Memory) -> None:
    """One line of numbers, and the peaks along the run."""
    table = Table(title=f"memory of the generator, {memory.workers} workers, {mode}", title_justify="left")
    spans = [f"fifth {k}" for k in range(1, len(memory.span_peaks_mb) + 1)]
    for name in ("bar MB", "peak MB", *spans, "demos", "minutes"):
        table.add_column(name, justify="right")
    peaks = [f"{peak:.0f}" for peak in memory.span_peaks_mb]
    done, minutes = f"{memory.demos}/{memory.scenes}", f"{memory.seconds / 60:.1f}"
    table.add_row(f"{BAR_MB:.0f}", f"{memory.peak_mb:.0f}", *peaks, done, minutes)
    console.print(table)
