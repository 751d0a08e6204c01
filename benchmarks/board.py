"""Puts runs side by side on one page: `python -m benchmarks.board RUN... --out board.html`."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks.console import named_words
from benchmarks.errors import UsageError
from benchmarks.journal import REPORT
from benchmarks.pages import drawn
from benchmarks.report import outcome_bars, read_summary
from benchmarks.summary import Summary
from datagen.files import write_atomically

BOARD = "board.html"


@dataclass(frozen=True)
class Entry:
    """One run of the board. suite: with its version; policy: who acts, with hand and attempts where they are not usual;
    report: the address of its page, as seen from the board."""

    summary: Summary
    suite: str
    policy: str
    report: str


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""

    def board(runs: tyro.conf.Positional[tuple[Path, ...]], out: Path = Path(BOARD)) -> Path:
        return write_board(runs, out)

    try:
        print(tyro.cli(board, args=arguments, prog="python -m benchmarks.board", description=__doc__))
    except UsageError as fault:
        print(f"benchmarks.board: {fault}", file=sys.stderr)
        return 2
    return 0


def write_board(runs: Sequence[Path], out: Path) -> Path:
    """Write the page about the folders of finished runs; its path. Raises UsageError where a run is not finished."""
    if not runs:
        raise UsageError("name the folders of the runs")
    entries = [_entry(folder, out) for folder in runs]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, render(entries))
    return out


def render(entries: Sequence[Entry]) -> str:
    """The page as text; it needs no network. Rates of one suite in one row, of one policy in one column."""
    suites, policies = (list(dict.fromkeys(getattr(e, name) for e in entries)) for name in ("suite", "policy"))
    cells = {
        (suite, policy): [e for e in entries if (e.suite, e.policy) == (suite, policy)]
        for suite in suites
        for policy in policies
    }
    bars = [outcome_bars(entry.summary) for entry in entries]
    return drawn("board.html.j2", entries=entries, suites=suites, policies=policies, cells=cells, bars=bars)


def _entry(folder: Path, out: Path) -> Entry:
    summary = read_summary(folder)
    words = [named_words(summary), f"hand {summary.hand}"]
    words += [f"{summary.attempts} attempts"] if summary.attempts > 1 else []
    words += [f"privileged: {', '.join(summary.privileged)}"] if summary.privileged else []
    report = Path(os.path.relpath(folder / REPORT, out.parent)).as_posix()
    return Entry(summary, f"{summary.suite} v{summary.version}", " · ".join(words), report)


if __name__ == "__main__":
    sys.exit(main())
