"""Lists the suites, their size, axes and cost: `python -m benchmarks.list`."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.errors import UsageError
from benchmarks.suites import Suite, axis_levels, expert_minutes, get_suite, suite_names

WORKERS = 2
WIDTH = 120  # of the table where no terminal says how wide it is


@dataclass(frozen=True)
class Options:
    """What can be scored: every suite, or one of them with the levels of its axes."""

    suite: tyro.conf.Positional[str | None] = None
    """A suite to look at more closely; also user:NAME, or a JSON file of episodes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or 2 for a suite that does not exist."""
    options = tyro.cli(Options, args=arguments, prog="python -m benchmarks.list")
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    try:
        if options.suite is None:
            console.print(overview(tuple(map(get_suite, suite_names()))))
        else:
            suite = get_suite(options.suite)
            console.print(f"{suite.name} v{suite.version}: {suite.description}", markup=False, highlight=False)
            console.print(f"{suite.size} episodes, {minutes_words(suite)} with the expert", highlight=False)
            for axis in suite.axes:
                console.print(levels_table(suite, axis))
    except UsageError as fault:
        print(f"benchmarks.list: {fault}", file=sys.stderr)
        return 2
    return 0


def overview(suites: Sequence[Suite]) -> Table:
    """One row for each suite."""
    table = Table(caption=f"time: the expert on {WORKERS} cores", caption_justify="left")
    table.add_column("suite", no_wrap=True)
    table.add_column("episodes", justify="right")
    table.add_column("version", justify="right")
    for column in ("axes", "what it asks"):
        table.add_column(column)
    table.add_column("time", justify="right", no_wrap=True)
    for suite in suites:
        axes = ", ".join(f"{axis} ({len(levels(suite, axis))})" for axis in suite.axes) or "-"
        cells = (suite.name, f"{suite.size:,}", str(suite.version), axes, suite.description, minutes_words(suite))
        table.add_row(*map(escape, cells))
    return table


def levels_table(suite: Suite, axis: str) -> Table:
    """The levels of one axis and how many of the published episodes stand at each."""
    table = Table(axis)
    table.add_column("episodes", justify="right")
    for level, count in levels(suite, axis).items():
        table.add_row(escape(level), str(count))
    return table


def levels(suite: Suite, axis: str) -> Counter[str]:
    """Level -> number of published episodes, in the order in which they come up."""
    return Counter(axis_levels(suite, index)[axis] for index in range(suite.size))


def minutes_words(suite: Suite) -> str:
    """How long the expert takes on WORKERS cores."""
    minutes = expert_minutes(suite, WORKERS)
    return f"{minutes:.0f} min" if minutes >= 1 else "under 1 min"


if __name__ == "__main__":
    sys.exit(main())
