"""A run's folder: what was asked, one row per finished episode, and the sorted table at the end.

run.json       what was asked; a resumed run must ask the same
episodes.jsonl one result per line; only fields that (episode, policy) decide, so any worker count writes the same bytes
timing.jsonl   wall-clock seconds of the same episodes, kept apart for that reason
summary.json   the rates, and report.html the same for people; written once all episodes are there
media/         pictures of failures and films
"""

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.errors import UsageError
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
        self._lock = _locked(folder)
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
        self._rows, self._times = _appendable(self.folder / EPISODES), _appendable(self.folder / TIMING)

    def append(self, result: EpisodeResult, elapsed_s: float) -> None:
        """Keep one finished episode: it is on the disk when this returns."""
        timing = Timing(result.index, round(result.wall_s, 4), self._session, round(elapsed_s, 3))
        self.results[result.index], self.timings[result.index] = result, timing
        _put_line(self._times, _timing_line(timing))
        _put_line(self._rows, _result_line(result))

    def wall_seconds(self) -> float:
        """Wall time of the run, summed over the sessions in which it was played."""
        sessions: dict[int, float] = {}
        for timing in self.timings.values():
            sessions[timing.session] = max(sessions.get(timing.session, 0.0), timing.elapsed_s)
        return sum(sessions.values())

    def finish(self) -> list[EpisodeResult]:
        """Sort both tables by index, once all are there, and return the results in that order."""
        self._rows.close()
        self._times.close()
        self._rewrite()
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
        row["attempt_outcomes"] = tuple(row["attempt_outcomes"])
        rows[row["index"]] = EpisodeResult(**row)
    return list(rows.values())


def read_timings(folder: Path) -> list[Timing]:
    """The wall-clock rows of a run's folder."""
    return [Timing(**row) for row in _read_lines(folder / TIMING)]


def read_asked(folder: Path) -> Asked:
    """What the run in `folder` was asked for; raises UsageError where there is no run."""
    try:
        return Asked(**json.loads((folder / RUN).read_text()))
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no run ({RUN} is missing); start one without --resume") from None
    except (ValueError, TypeError) as fault:
        raise UsageError(f"{folder / RUN} cannot be read ({fault}); start a new run with --out") from fault


def write_atomically(path: Path, text: str) -> None:
    """Replace a file as a whole: a reader, or a crash, meets the old text or the new one."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def _check_same(folder: Path, asked: Asked) -> None:
    there, here = asdict(read_asked(folder)), asdict(asked)
    wrong = [f"{key} is {there[key]!r} there and {here[key]!r} here" for key in here if there[key] != here[key]]
    if wrong:
        what = "; ".join(wrong)
        raise UsageError(f"cannot resume {folder}: {what}. Ask for the same, or name a new folder with --out")


def _locked(folder: Path) -> IO[str]:
    lock = (folder / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise UsageError(f"another process is writing to {folder}; wait, or name a new folder with --out") from None
    return lock


def _result_line(result: EpisodeResult) -> str:
    row = result.as_dict()
    del row[WALL_CLOCK_FIELD]
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _timing_line(timing: Timing) -> str:
    return json.dumps(asdict(timing)) + "\n"


def _appendable(path: Path) -> IO[str]:
    return path.open("a", encoding="utf-8")


def _put_line(file: IO[str], line: str) -> None:
    file.write(line)
    file.flush()
    os.fsync(file.fileno())


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
