"""What a run of the generator shows: how many, how fast, how well, how large, how long."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from datagen.generator import ERROR, JobResult
from datagen.rates import duration, wilson_interval
from datagen.storage import DemoFile

PLAIN_LINES = 10  # lines of progress where there is no terminal to redraw


class Tally:
    """Running counts of a run over `total` scenes, `done` of them from earlier."""

    def __init__(self, total: int, done: Sequence[JobResult], file: DemoFile) -> None:
        self.total, self.done = total, len(done)
        self._earlier, self._began = len(done), time.monotonic()
        self._outcomes = Counter(result.outcome for result in done)
        self._successes, self._errors = sum(result.success for result in done), 0
        self._file, self._bytes = file, _size(file)

    def add(self, result: JobResult) -> None:
        """Count one finished job."""
        self.done += 1
        self._outcomes[result.outcome] += 1
        self._successes += result.success
        self._errors += result.outcome == ERROR
        for name in (f"demo_{result.index}.h5", f"failed.demo_{result.index}.h5"):
            path = self._file.parts / name
            self._bytes += path.stat().st_size if path.exists() else 0

    def words(self) -> str:
        """One line: episodes per minute, success rate with its 95 % interval, size on disk, time left."""
        played = self.done - self._earlier
        seconds = max(1e-9, time.monotonic() - self._began)
        left = "" if not played else f" · {duration((self.total - self.done) * seconds / played)} left"
        return f"{60 * played / seconds:.1f} episodes/min · {self._rate()} · {_bytes(self._bytes)}{left}"

    def last_words(self, path: Path) -> str:
        """What stands at the end of a run."""
        outcomes = " · ".join(f"{word} {count}" for word, count in self._outcomes.most_common())
        size = path.stat().st_size if path.exists() else 0
        return f"{self._successes} demonstrations in {path}, {_bytes(size)} · {self._rate()} · {outcomes}"

    def _rate(self) -> str:
        scored = self.done - self._errors
        low, high = wilson_interval(self._successes, scored)
        share = 100.0 * self._successes / scored if scored else 0.0
        return f"success {share:.1f} % ({self._successes}/{scored}, {100 * low:.1f} to {100 * high:.1f} %)"


@contextmanager
def progress(console: Console, tally: Tally) -> Iterator[Callable[[Tally], None]]:
    """A progress display; yields show(tally), to be called after every job."""
    if not console.is_terminal:
        yield _plain(console, tally)
        return
    columns = (BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("starting workers", total=tally.total, completed=tally.done)
        yield lambda now: bars.update(task, completed=now.done, description=now.words())


def _plain(console: Console, tally: Tally) -> Callable[[Tally], None]:
    every = max(1, (tally.total - tally.done) // PLAIN_LINES)

    def show(now: Tally) -> None:
        if now.done % every == 0 or now.done == now.total:
            console.print(f"{now.done}/{now.total}  {now.words()}", markup=False, highlight=False, soft_wrap=True)

    return show


@contextmanager
def joining(console: Console, episodes: int) -> Iterator[Callable[[int, int], None]]:
    """A display for the joining of the part files; yields show(done, of)."""
    if not console.is_terminal:
        console.print(f"joining {episodes} demonstrations", highlight=False)
        yield lambda done, of: None
        return
    with Progress(TextColumn("joining"), BarColumn(bar_width=None), MofNCompleteColumn(), console=console) as bars:
        task = bars.add_task("joining", total=episodes)
        yield lambda done, of: bars.update(task, completed=done, total=of)


def _size(file: DemoFile) -> int:
    paths = [file.path, *file.parts.glob("*.h5")]
    return sum(os.stat(path).st_size for path in paths if path.exists())


def _bytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
