"""A run's folder: what was asked, one row per finished episode, and the sorted table at the end.

run.json       what was asked; a resumed run must ask the same
episodes.jsonl one result per line; only fields that (episode, policy) decide, so any worker count writes the same bytes
timing.jsonl   wall-clock seconds of the same episodes, kept apart for that reason
summary.json   the rates, and report.html the same for people; written once all episodes are there
media/         pictures of failures and films
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from benchmarks.errors import UsageError
from benchmarks.shards import Shard
from datagen.files import locked, put, write_atomically
from envs.interface import EpisodeResult

RUN, EPISODES, TIMING = "run.json", "episodes.jsonl", "timing.jsonl"
SUMMARY, REPORT, MEDIA = "summary.json", "report.html", "media"
WALL_CLOCK_FIELD = "wall_s"


@dataclass(frozen=True)
class Asked:
    """What a run was asked for. Rows are comparable, and so may share a folder, only where all of it agrees."""

    suite: str
    version: int
    policy: str
    hand: str
    attempts: int
    record: str | None
    mujoco: str
    # Of a trained controller; "" and 0 for every other policy, and in the folders of versions that had none.
    checkpoint: str = ""
    planner: str = ""
    planner_model: str = ""
    masks: str = ""
    masks_weights: str = ""
    latency_ms: float = 0.0
    device: str = ""
    precision: str = ""
    # Of a run that may stop early: how narrow its interval shall be, and after how many episodes it ends at the latest.
    adaptive_width: float = 0.0
    adaptive_total: int = 0
    shard: Shard | None = None  # which part of a run this is, where it is not the whole


@dataclass(frozen=True)
class Timing:
    """When one episode was finished: its own wall time, and the time since its session of the run began."""

    index: int
    wall_s: float
    session: int
    elapsed_s: float


class Journal:
    """The open folder of a run. One process at a time may write to it."""

    def __init__(self, folder: Path, asked: Asked, *, resume: bool) -> None:
        """Begin a run in `folder`, or take up the one that is there.

        Raises UsageError if the folder is in use, holds something else, or was asked for something else.
        """
        self.folder = folder
        if resume:
            _check_same(folder, asked)
        elif folder.exists() and any(folder.iterdir()):
            raise UsageError(
                f"{folder} is not empty; go on with it by --resume, or name a new folder with --out, or delete it"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = locked(folder)
        if self._lock is None:
            raise UsageError(f"another process is writing to {folder}; wait, or name a new folder with --out")
        try:
            if not resume:
                write_atomically(folder / RUN, json.dumps(asdict(asked), indent=2) + "\n")
            self._take_up()
        except BaseException:
            self._lock.close()
            raise

    def _take_up(self) -> None:
        # Errors are our own fault and may have passed: a resumed run plays those episodes again.
        self.results = {r.index: r for r in read_results(self.folder) if r.outcome != "error"}
        timings = {t.index: t for t in read_timings(self.folder)}
        self._session = 1 + max((t.session for t in timings.values()), default=-1)
        self.timings = {index: timings[index] for index in self.results if index in timings}
        self._rewrite()
        self._rows = (self.folder / EPISODES).open("a", encoding="utf-8")
        self._times = (self.folder / TIMING).open("a", encoding="utf-8")

    def append(self, result: EpisodeResult, elapsed_s: float) -> None:
        """Keep one finished episode: it is on the disk when this returns."""
        timing = Timing(result.index, round(result.wall_s, 4), self._session, round(elapsed_s, 3))
        self.results[result.index], self.timings[result.index] = result, timing
        put(self._times, _timing_line(timing))
        put(self._rows, _result_line(result))

    def take_in(self, results: Iterable[EpisodeResult], timings: Iterable[Timing]) -> None:
        """Add the rows of another folder of the same run; they are on the disk after `finish`."""
        self.results.update((result.index, result) for result in results)
        timings, begun = list(timings), self._session
        self.timings.update((t.index, replace(t, session=begun + t.session)) for t in timings)
        self._session = 1 + max((t.session for t in self.timings.values()), default=-1)

    def drop_all_but(self, indices: Collection[int]) -> None:
        """Forget the rows of other episodes, on the disk after `finish`."""
        for index in set(self.results) - set(indices):
            del self.results[index]
            self.timings.pop(index, None)

    def wall_seconds(self) -> float:
        """Wall time of the run, summed over the sessions in which it was played."""
        sessions: dict[int, float] = {}
        for timing in self.timings.values():
            sessions[timing.session] = max(sessions.get(timing.session, 0.0), timing.elapsed_s)
        return sum(sessions.values())

    def finish(self) -> list[EpisodeResult]:
        """Sort both tables by index, once all are there, and return the results in that order.

        Pictures and films of episodes without a row, which were cut short, go.
        """
        self._rows.close()
        self._times.close()
        self._rewrite()
        named = {name(index) for index in self.results for name in (thumbnail_name, video_name)}
        for path in (self.folder / MEDIA).glob("*"):
            if path.name not in named:
                path.unlink()
        return [self.results[index] for index in sorted(self.results)]

    def close(self) -> None:
        """Let go of the folder; rows written so far stay."""
        self._rows.close()
        self._times.close()
        self._lock.close()

    def _rewrite(self) -> None:
        order = sorted(self.results)
        write_atomically(self.folder / EPISODES, "".join(_result_line(self.results[i]) for i in order))
        times = (self.timings[i] for i in order if i in self.timings)
        write_atomically(self.folder / TIMING, "".join(_timing_line(t) for t in times))


def thumbnail_name(index: int) -> str:
    """File name, within the media folder, of the picture of a failure."""
    return f"{index:06d}.png"


def video_name(index: int) -> str:
    """File name, within the media folder, of the film of an episode."""
    return f"{index:06d}.mp4"


def read_results(folder: Path) -> list[EpisodeResult]:
    """The rows of a run's folder, later ones replacing earlier ones of the same index; a torn last line is left out."""
    rows = {}
    for row in _read_lines(folder / EPISODES):
        rows[row["index"]] = EpisodeResult.from_dict(row)
    return list(rows.values())


def read_timings(folder: Path) -> list[Timing]:
    """The wall-clock rows of a run's folder."""
    return [Timing(**row) for row in _read_lines(folder / TIMING)]


def read_asked(folder: Path) -> Asked:
    """What the run in `folder` was asked for; raises UsageError where there is no run."""
    try:
        values = json.loads((folder / RUN).read_text())
        return Asked(**{**values, "shard": values.get("shard") and Shard(**values["shard"])})
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no run ({RUN} is missing); start one without --resume") from None
    except (ValueError, TypeError) as fault:
        raise UsageError(f"{folder / RUN} cannot be read ({fault}); start a new run with --out") from fault


def differences(there: Asked, here: Asked) -> str:
    """What was asked for differently, in words; "" for the same."""
    pairs = [(f.name, getattr(there, f.name), getattr(here, f.name)) for f in fields(Asked)]
    return "; ".join(f"{name} is {_said(a)} there and {_said(b)} here" for name, a, b in pairs if a != b)


def _said(value: object) -> str:
    return str(value) if isinstance(value, Shard) else repr(value)


def _check_same(folder: Path, asked: Asked) -> None:
    wrong = differences(read_asked(folder), asked)
    if wrong:
        raise UsageError(f"cannot resume {folder}: {wrong}. Ask for the same, or name a new folder with --out")


def _result_line(result: EpisodeResult) -> str:
    row = result.as_dict()
    del row[WALL_CLOCK_FIELD]
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _timing_line(timing: Timing) -> str:
    return json.dumps(asdict(timing)) + "\n"


def _read_lines(path: Path) -> Iterable[dict[str, Any]]:
    if not path.exists():
        return
    lines = path.read_bytes().split(b"\n")
    # What stands after the last newline was torn by a crash in mid-write; its episode is simply played again.
    for number, line in enumerate(lines[:-1], start=1):
        try:
            yield json.loads(line)
        except ValueError as fault:
            raise UsageError(f"{path}, line {number} cannot be read ({fault}); start a new run with --out") from fault
