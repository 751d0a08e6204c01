"""Puts the shards of a run together: `python -m benchmarks.merge OUT SHARD...` writes the folder of the whole run."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import tyro
from rich.console import Console

from benchmarks.console import print_summary
from benchmarks.errors import UsageError
from benchmarks.journal import (
    MEDIA,
    SUMMARY,
    Asked,
    Journal,
    differences,
    read_asked,
    read_results,
    read_timings,
)
from benchmarks.report import publish, read_summary
from benchmarks.summary import Summary, summarise

# What the summary of the whole takes over from those of the shards.
SAME = (
    "policy",
    "privileged",
    "hand",
    "attempts",
    "versions",
    "title",
    "checkpoint",
    "planner",
    "masks",
    "latency_ms",
    "flags",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0 merged, 1 merged with errors among the rows, 2 shards that do not fit."""

    def words(out: tyro.conf.Positional[Path], shards: tyro.conf.Positional[tuple[Path, ...]]) -> Summary:
        return merge(out, shards)

    try:
        summary = tyro.cli(words, args=arguments, prog="python -m benchmarks.merge", description=__doc__)
    except UsageError as fault:
        print(f"benchmarks.merge: {fault}", file=sys.stderr)
        return 2
    return 1 if summary.errors else 0


def merge(out: Path, shards: Sequence[Path]) -> Summary:
    """Write to `out` what the whole run would have written there, and return its summary.

    Raises UsageError, naming the folder, where a shard is missing, there twice, unfinished, or of another run.
    """
    asked = _fitting(shards)
    for folder in shards:
        _check_finished(folder)
    summaries = [read_summary(folder) for folder in shards]
    journal = Journal(out, replace(asked, shard=None), resume=False)
    try:
        for folder in shards:
            journal.take_in(read_results(folder), read_timings(folder))
            if (folder / MEDIA).exists():
                shutil.copytree(folder / MEDIA, out / MEDIA, dirs_exist_ok=True)
        results = journal.finish()
        summary = summarise(
            results,
            **{name: getattr(summaries[0], name) for name in SAME},
            wall_seconds=journal.wall_seconds(),
            workers=max(summary.workers for summary in summaries),
        )
        print_summary(Console(), summary, out, publish(out, summary))
    finally:
        journal.close()
    return summary


def _fitting(folders: Sequence[Path]) -> Asked:
    """What all the shards were asked for. Raises UsageError unless they are the parts of one run, each once."""
    if not folders:
        raise UsageError("name the folders of all shards after the folder to write")
    asked = {folder: read_asked(folder) for folder in folders}
    first = asked[folders[0]]
    places: dict[int, Path] = {}
    for folder, one in asked.items():
        if one.shard is None:
            raise UsageError(f"{folder} is a whole run and no shard of one")
        other = differences(replace(first, shard=None), replace(one, shard=None))
        if other or (one.shard.of, one.shard.whole) != (first.shard.of, first.shard.whole):
            what = other or f"it is shard {one.shard}, and not of the same {first.shard.of} parts"
            raise UsageError(f"{folder} is a shard of another run than {folders[0]}: {what}")
        if one.shard.number in places:
            raise UsageError(f"{folder} and {places[one.shard.number]} are both shard {one.shard}")
        places[one.shard.number] = folder
    if len(folders) > len(asked):
        twice = next(folder for folder in folders if folders.count(folder) > 1)
        raise UsageError(f"{twice} is named more than once")
    missing = [str(number) for number in range(1, first.shard.of + 1) if number not in places]
    if missing:
        there = ", ".join(map(str, folders))
        raise UsageError(f"shard {', '.join(missing)} of {first.shard.of} is missing; there are only {there}")
    return first


def _check_finished(folder: Path) -> None:
    shard, rows = read_asked(folder).shard, {result.index for result in read_results(folder)}
    if rows != set(shard.indices) or not (folder / SUMMARY).exists():
        done = f"{len(rows & set(shard.indices))} of {len(shard.indices)} episodes"
        raise UsageError(f"{folder} is unfinished ({done}); go on with it by --resume")


if __name__ == "__main__":
    sys.exit(main())
