"""Draws the page of a run: `python -m benchmarks.report DIR` writes DIR/report.html from the rows that lie there."""

import base64
import json
import os
import shlex
import statistics as stdlib_statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import tyro

from benchmarks.console import named_words, summary_lines
from benchmarks.errors import UsageError
from benchmarks.journal import (
    MEDIA,
    REPORT,
    SUMMARY,
    read_results,
    read_timings,
    thumbnail_name,
    video_name,
    write_atomically,
)
from benchmarks.statistics import duration, percent, rate
from benchmarks.summary import Summary, by_family
from envs.interface import EpisodeResult

TEMPLATES = Path(__file__).parent / "templates"
EMBEDDED_BYTES = 15_000_000  # films up to this size in sum go into the page itself (base64 adds a third)
MAX_FAILURES = 60
COLOURS = {
    "success": "#2f9e5b",
    "disturbed": "#9ccc65",
    "dropped": "#f2b134",
    "slipped": "#ef8a3a",
    "missed": "#d9623b",
    "wrong_object": "#8e5bb5",
    "collision": "#c2324b",
    "timeout": "#8a94a3",
    "planner": "#5b7fc4",
    "error": "#20242b",
}


@dataclass(frozen=True)
class Bar:
    """One piece of the outcome bar: x and width in percent of the whole."""

    word: str
    count: int
    x: float
    width: float
    colour: str


@dataclass(frozen=True)
class Card:
    """An episode with its picture or film, and the command that plays it again."""

    result: EpisodeResult
    source: str | None  # a data: or relative address
    command: str


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""

    def report(folder: tyro.conf.Positional[Path]) -> Path:
        return write_report(folder)

    try:
        print(tyro.cli(report, args=arguments, prog="python -m benchmarks.report", description=__doc__))
    except UsageError as fault:
        print(f"benchmarks.report: {fault}", file=sys.stderr)
        return 2
    return 0


def write_report(folder: Path) -> Path:
    """Write the page of a finished run and return its path. Raises UsageError where there is no finished run."""
    summary = read_summary(folder)
    page = render(summary, read_results(folder), folder, [t.wall_s for t in read_timings(folder)])
    write_atomically(folder / REPORT, page)
    return folder / REPORT


def read_summary(folder: Path) -> Summary:
    """The summary of a finished run; raises UsageError where there is none."""
    try:
        values = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return Summary(**{**values, **lists})
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no finished run ({SUMMARY} is missing); go on with it by --resume") from None
    except (ValueError, TypeError) as fault:
        raise UsageError(f"{folder / SUMMARY} cannot be read: {fault}") from fault


def render(summary: Summary, results: Sequence[EpisodeResult], folder: Path, wall_s: Sequence[float]) -> str:
    """The page as text. It needs no network; films stay beside it only when they are too many to embed."""
    rows = sorted(results, key=lambda r: r.index)
    videos = [r for r in rows if (folder / MEDIA / video_name(r.index)).exists()]
    embedded = sum((folder / MEDIA / video_name(r.index)).stat().st_size for r in videos) <= EMBEDDED_BYTES
    failures = [r for r in rows if not r.success and r.outcome != "error"]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, duration=duration)
    return environment.get_template("report.html.j2").render(
        summary=summary,
        named=named_words(summary),
        headline=rate(summary.successes, summary.n),
        lines=summary_lines(summary),
        bars=outcome_bars(summary),
        families=by_family(rows),
        failures=[_failure(summary, r, folder) for r in failures[:MAX_FAILURES]],
        failures_in_all=len(failures),
        errors=[Card(r, None, rerun_command(summary, r.index)) for r in rows if r.outcome == "error"],
        videos=[_video(summary, r, folder, embedded) for r in videos],
        videos_embedded=embedded,
        rows=rows,
        machine=_machine(summary, wall_s),
        colours=COLOURS,
    )


def outcome_bars(summary: Summary) -> list[Bar]:
    """The pieces of one bar over all episodes, in the order of the outcome ladder."""
    bars, x = [], 0.0
    for word, count in summary.outcomes.items():
        if count:
            width = 100.0 * count / summary.episodes
            bars.append(Bar(word, count, x, width, COLOURS[word]))
            x += width
    return bars


def rerun_command(summary: Summary, index: int) -> str:
    """The command that plays one episode again, with a film."""
    words = ["python", "-m", "benchmarks.run", "--suite", summary.suite, "--policy", summary.policy, *summary.flags]
    words += ["--hand", summary.hand, "--attempts", str(summary.attempts)]
    return shlex.join([*words, "--first", str(index), "--episodes", "1", "--video", "1"])


def _failure(summary: Summary, result: EpisodeResult, folder: Path) -> Card:
    picture = folder / MEDIA / thumbnail_name(result.index)
    source = _data_address(picture, "image/png") if picture.exists() else None
    return Card(result, source, rerun_command(summary, result.index))


def _video(summary: Summary, result: EpisodeResult, folder: Path, embedded: bool) -> Card:
    name = video_name(result.index)
    source = _data_address(folder / MEDIA / name, "video/mp4") if embedded else f"{MEDIA}/{name}"
    return Card(result, source, rerun_command(summary, result.index))


def _data_address(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _machine(summary: Summary, wall_s: Sequence[float]) -> list[tuple[str, str]]:
    lines = [(name, version) for name, version in summary.versions.items()]
    lines += [("processor cores", str(os.cpu_count())), ("workers", str(summary.workers))]
    lines.append(("wall time", duration(summary.wall_seconds)))
    if wall_s:
        lines.append(("median episode", f"{stdlib_statistics.median(wall_s):.2f} s of wall time"))
        lines.append(("longest episode", f"{max(wall_s):.2f} s of wall time"))
    return lines


if __name__ == "__main__":
    sys.exit(main())
