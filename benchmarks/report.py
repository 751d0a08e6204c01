"""Draws the page of a run: `python -m benchmarks.report DIR` writes DIR/report.html from the rows that lie there."""

import base64
import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks.axes import axes, heat_map, suite_levels
from benchmarks.console import named_words, summary_lines
from benchmarks.errors import UsageError
from benchmarks.journal import (
    MEDIA,
    REPORT,
    SUMMARY,
    Timing,
    read_results,
    read_timings,
    thumbnail_name,
    video_name,
)
from benchmarks.pages import COLOURS, drawn
from benchmarks.published import BY_SUITE
from benchmarks.stages import stages_of
from benchmarks.statistics import Rate, duration, percent
from benchmarks.summary import Summary
from datagen.files import write_atomically
from envs.interface import EpisodeResult

EMBEDDED_BYTES = 15_000_000  # films up to this size in sum go into the page itself (base64 adds a third)
MAX_FAILURES = 60
# Why an episode failed, in the words of the protocol.
REASONS = {
    "dropped": "lifted 10 cm, and lost during the 20 s",
    "slipped": "lifted over 2 cm, and lost before it was up",
    "missed": "touched, never lifted",
    "wrong_object": "another object was lifted",
    "collision": "more than 150 N on table or station",
    "timeout": "never touched",
    "planner": "the planner chose the wrong thing or gave up",
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

    @property
    def reason(self) -> str:
        """How the episode ended, in plain words; earlier attempts in brackets."""
        earlier = ", ".join(self.result.attempt_outcomes[:-1])
        return REASONS.get(self.result.outcome, "") + (f" (attempts before: {earlier})" if earlier else "")


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
    page = render(read_summary(folder), read_results(folder), folder, read_timings(folder))
    write_atomically(folder / REPORT, page)
    return folder / REPORT


def publish(folder: Path, summary: Summary) -> Path:
    """Write the summary of a finished run and its page; the path of the page."""
    write_atomically(folder / SUMMARY, json.dumps(summary.as_dict(), indent=2) + "\n")
    return write_report(folder)


def read_summary(folder: Path) -> Summary:
    """The summary of a finished run; raises UsageError where there is none."""
    try:
        values = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        answers = {name: Rate(**value) for name, value in values.get("answers", {}).items()}
        return Summary(**{**values, **lists, "answers": answers})
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no finished run ({SUMMARY} is missing); go on with it by --resume") from None
    except (ValueError, TypeError) as fault:
        raise UsageError(f"{folder / SUMMARY} cannot be read: {fault}") from fault


def render(summary: Summary, results: Sequence[EpisodeResult], folder: Path, timings: Sequence[Timing]) -> str:
    """The page as text. It needs no network; films stay beside it only when they are too many to embed."""
    rows = sorted(results, key=lambda r: r.index)
    videos = [r for r in rows if (folder / MEDIA / video_name(r.index)).exists()]
    embedded = sum((folder / MEDIA / video_name(r.index)).stat().st_size for r in videos) <= EMBEDDED_BYTES
    failures = [r for r in rows if not r.success and r.outcome != "error"]
    wall_s = {timing.index: timing.wall_s for timing in timings}
    levels = suite_levels(rows)
    return drawn(
        "report.html.j2",
        summary=summary,
        named=named_words(summary),
        lines=summary_lines(summary),
        bars=outcome_bars(summary),
        published=beside_published(summary),
        stages=stages_of(rows),
        axes=axes(rows, levels),
        heat_map=heat_map(rows),
        failures=[_failure(summary, r, folder) for r in failures[:MAX_FAILURES]],
        failures_in_all=len(failures),
        reasons=Counter(r.outcome for r in failures).most_common(),
        why=REASONS,
        errors=[Card(r, None, rerun_command(summary, r.index)) for r in rows if r.outcome == "error"],
        videos=[_video(summary, r, folder, embedded) for r in videos],
        videos_embedded=embedded,
        rows=rows,
        levels=levels,
        level_names=list(dict.fromkeys(name for level in levels.values() for name in level)),
        wall_s=wall_s,
        budget=time_budget(summary, rows, wall_s),
        machine=[*summary.versions.items(), ("processor cores", str(os.cpu_count()))],
        example=rerun_command(summary, (failures or rows)[0].index),
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
    """The command that plays one episode again, with a film where somebody acts."""
    words = ["python", "-m", "benchmarks.run", "--suite", summary.suite, "--policy", summary.policy, *summary.flags]
    words += ["--hand", summary.hand]
    if summary.looking:
        return shlex.join([*words, "--episode", str(index)])
    return shlex.join([*words, "--attempts", str(summary.attempts), "--episode", str(index), "--video", "1"])


def beside_published(summary: Summary) -> list[tuple[str, list[str]]]:
    """(who, rates after 1, 2, ... attempts) of the real robot where it was asked the same, under those of this run."""
    published = BY_SUITE.get(summary.suite, ())
    if not published or not summary.n:
        return []
    attempts = max(len(percents) for _, _, percents in published)
    ours = [percent(count / summary.n) for count in summary.success_by_attempt[:attempts]]
    rows = [("this run, simulated", ours)]
    rows += [
        (f"{what} (real robot, n = {n})", [f"{share:.1f}" for share in percents]) for what, n, percents in published
    ]
    return [(who, [f"{share} %" for share in shares] + [""] * (attempts - len(shares))) for who, shares in rows]


def time_budget(summary: Summary, rows: Sequence[EpisodeResult], wall_s: Mapping[int, float]) -> list[tuple[str, str]]:
    """(what, value) pairs: where the wall time of a run went."""
    known = {row.index: row for row in rows if row.index in wall_s}
    spent = sorted(wall_s[index] for index in known)
    lines = [("wall time", f"{duration(summary.wall_seconds)} with {summary.workers} at work")]
    if not spent or not summary.wall_seconds:
        return lines
    total, simulated = sum(spent), sum(row.policy_s for row in known.values())
    lines += [
        ("episodes", f"{60 * len(spent) / summary.wall_seconds:.1f} a minute"),
        (
            "one episode",
            f"median {_quantile(spent, 0.5)}, 9 in 10 within {_quantile(spent, 0.9)}, longest {spent[-1]:.2f} s",
        ),
        ("workers busy", f"{100 * min(1.0, total / (summary.wall_seconds * summary.workers)):.0f} % of the time"),
        (
            "policy time",
            f"{simulated / len(spent):.1f} s simulated in an episode, at {simulated / total:.2f} times real time",
        ),
    ]
    shares = Counter[str]()
    for index, row in known.items():
        shares[row.outcome] += 100 * wall_s[index] / total
    lines.append(("by outcome", " · ".join(f"{word} {share:.0f} %" for word, share in shares.most_common())))
    return lines


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


def _quantile(ordered: Sequence[float], share: float) -> str:
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))]:.2f} s"


if __name__ == "__main__":
    sys.exit(main())
