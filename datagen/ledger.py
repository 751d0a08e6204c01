"""What a run of the generator has done so far, beside the episodes it has finished; enough to go on after any crash.

In `<file>.parts`, until the episodes are joined: asked.json, what was asked for, and ledger.jsonl, one line per
finished job. Afterwards both stand in the file itself: the attribute `asked` and the table `jobs`.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np

from datagen.files import locked, put, write_atomically
from datagen.generator import ERROR, JobResult
from datagen.jobs import Request, RequestError
from datagen.storage import DATA, FAILED, DemoFile, demo_name

ASKED, LEDGER = "asked.json", "ledger.jsonl"
COLUMNS = {"index": np.int64, "outcome": object, "recovery": object, "attempts": np.int64, "steps": np.int64}


class Ledger:
    """The open records of a run. One process at a time may hold them."""

    def __init__(self, file: DemoFile, request: Request, *, resume: bool) -> None:
        """Begin a run, or take up the one that is there.

        Raises RequestError if the file is in use, is there already, or was asked for with something else.
        """
        self.file, self._request = file, request
        if not resume and (file.path.exists() or file.parts.exists()):
            raise RequestError(f"{file.path} is there already; go on with it by --resume, or name another with --out")
        if resume and not (file.path.exists() or file.parts.exists()):
            raise RequestError(f"there is no {file.path} to resume; start without --resume")
        file.parts.mkdir(parents=True, exist_ok=True)
        self._lock = locked(file.parts)
        if self._lock is None:
            raise RequestError(f"another process is writing to {file.parts}; wait, or name another file with --out")
        try:
            _check_same(file, request)
            for torn in file.parts.glob(".*.h5.*"):
                torn.unlink()
            self.results = self._finished()
            write_atomically(file.parts / ASKED, json.dumps(request.as_dict()) + "\n")
            write_atomically(file.parts / LEDGER, "".join(map(_line, self.results.values())))
            self._lines = (file.parts / LEDGER).open("a", encoding="utf-8")
        except BaseException:
            self._lock.close()
            raise

    def missing(self) -> list[int]:
        """Indices that are still to be played. Raises RequestError if more is there than was asked for."""
        wanted = range(self._request.first, self._request.first + self._request.episodes)
        outside = sorted(set(self.results) - set(wanted))
        if outside:
            raise RequestError(
                f"{self.file.path} holds {len(outside)} scenes (such as {outside[0]}) outside {wanted[0]} to "
                f"{wanted[-1]}; a resumed run may add scenes but not drop any"
            )
        return [index for index in wanted if index not in self.results]

    def append(self, result: JobResult) -> None:
        """Keep what became of one job: it is on the disk when this returns. Errors are for another try."""
        if result.outcome == ERROR:
            return
        put(self._lines, _line(result))
        self.results[result.index] = result

    def table(self) -> dict[str, np.ndarray]:
        """All finished jobs as columns, in order of their index."""
        rows = [self.results[index] for index in sorted(self.results)]
        return {key: np.array([getattr(row, key) for row in rows], dtype=kind) for key, kind in COLUMNS.items()}

    def close(self) -> None:
        """Let go of the file; what is recorded stays."""
        self._lines.close()
        self._lock.close()

    def _finished(self) -> dict[int, JobResult]:
        """Jobs that are recorded and, where they should have left an episode, whose episode is there."""
        there = {group: set(self.file.names(group)) for group in (DATA, FAILED)}
        results = {result.index: result for result in _recorded(self.file)}
        return {i: r for i, r in sorted(results.items()) if self._is_whole(r, there)}

    def _is_whole(self, result: JobResult, there: dict[str, set[str]]) -> bool:
        if result.success:
            return demo_name(result.index) in there[DATA]
        return not (self._request.keep_failures and result.steps) or demo_name(result.index) in there[FAILED]


def _recorded(file: DemoFile) -> Iterable[JobResult]:
    table = file.jobs()
    kept = set(file.joined())
    for row in zip(*(table[key].tolist() for key in COLUMNS), strict=True) if table else ():
        values = dict(zip(COLUMNS, row, strict=True))
        yield JobResult(success=demo_name(values["index"]) in kept, **values)
    path = file.parts / LEDGER
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            yield JobResult(**json.loads(line))
        except ValueError:
            continue  # torn by a crash in mid-write: the job is simply played again


def _check_same(file: DemoFile, request: Request) -> None:
    path = file.parts / ASKED
    if path.exists():
        there = json.loads(path.read_text(encoding="utf-8"))
    elif file.path.exists():
        there = json.loads(file.attribute("asked"))
    else:
        return
    here: dict[str, Any] = json.loads(json.dumps(request.as_dict()))
    wrong = [f"{key} is {there.get(key)!r} there and {here[key]!r} here" for key in here if there.get(key) != here[key]]
    if wrong:
        raise RequestError(f"cannot resume {file.path}: {'; '.join(wrong)}. Ask for the same, or name another file")


def _line(result: JobResult) -> str:
    return json.dumps(asdict(result)) + "\n"
