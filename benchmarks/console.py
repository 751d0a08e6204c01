"""What a run shows on the terminal: progress with the running rate, and the table at the end."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.answers import floor_words
from benchmarks.stages import Stages
from benchmarks.statistics import duration, percent, rate
from benchmarks.summary import Summary

SPEED_PERIOD_S = 120.0  # the time left follows the speed of the last two minutes
PLAIN_LINES = 10  # lines of progress where there is no terminal to redraw


@contextmanager
def progress(console: Console, total: int, done: int) -> Iterator[Callable[[int, str], None]]:
    """A progress display over `total` episodes, `done` of them earlier; yields show(finished since, running rate)."""
    if not console.is_terminal:
        yield _plain(console, total, done)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, speed_estimate_period=SPEED_PERIOD_S) as bars:
        task = bars.add_task("starting workers", total=total, completed=done)
        yield lambda finished, words: bars.update(task, completed=done + finished, description=escape(words))


def _plain(console: Console, total: int, done: int) -> Callable[[int, str], None]:
    every = max(1, (total - done) // PLAIN_LINES)

    def show(finished: int, words: str) -> None:
        if finished % every == 0 or done + finished == total:
            console.print(f"{done + finished}/{total}  {words}", markup=False, highlight=False)

    return show


def print_board(console: Console, summaries: Sequence[Summary], board: Path) -> None:
    """The table at the end of several runs."""
    table = Table(title_justify="left", title="DexClutter", title_style="bold")
    for name, side in (
        ("suite", "left"),
        ("policy", "left"),
        ("success", "left"),
        ("errors", "right"),
        ("wall", "right"),
    ):
        table.add_column(name, justify=side)
    for s in summaries:
        words = (f"{s.suite} v{s.version}", policy_words(s), str(s.rate), str(s.errors), duration(s.wall_seconds))
        table.add_row(*map(escape, words))
    console.print(table)
    console.print(f"board {board}", highlight=False, soft_wrap=True)


def print_summary(console: Console, summary: Summary, folder: Path, report: Path) -> None:
    """The table at the end of a run."""
    title = f"DexClutter · {summary.suite} v{summary.version} · policy {policy_words(summary)} · hand {summary.hand}"
    table = Table(title=title, title_justify="left", show_header=False, title_style="bold")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, value in summary_lines(summary):
        table.add_row(name, escape(value))
    table.add_row("rows", escape(str(folder)))
    table.add_row("report", escape(str(report)))
    console.print(table)


def print_stages(console: Console, stages: Stages) -> None:
    """The stages of prompts for several objects, of all prompts together; each prompt's own are in the report."""
    table = Table(title="Stages", title_justify="left", title_style="bold")
    for name in ("", stages.prompts[-1], "95 % interval", "real robot"):
        table.add_column(escape(name))
    for stage in stages.stages:
        entry = stage.entries[-1]
        known = entry.rate is not None and entry.rate.n
        interval = f"{percent(entry.rate.low)} to {percent(entry.rate.high)} %" if known else ""
        table.add_row(stage.name, entry.words, interval, entry.published)
    console.print(table)


def policy_words(summary: Summary) -> str:
    """The policy's name with what stands around it, and what of it reads more than the observation."""
    marked = f" (privileged: {', '.join(summary.privileged)})" if summary.privileged else ""
    return named_words(summary) + marked


def named_words(summary: Summary) -> str:
    """The policy's name; for a controller also its checkpoint, planner, masks, and latency where one is simulated."""
    name = summary.title or summary.policy
    if not summary.checkpoint:
        return name
    latency = f", latency {summary.latency_ms:g} ms" if summary.latency_ms else ""
    return f"{name} {summary.checkpoint}, planner {summary.planner}, masks {summary.masks}{latency}"


def privileged_words(summary: Summary) -> str:
    """What it means that the policy reads more than the observation; "" where it does not."""
    if not summary.privileged:
        return ""
    if summary.looking:
        return "the planner is ground truth: a check of the benchmark, no rival"
    if summary.checkpoint:
        verb = "is" if summary.privileged == ("planner",) else "are"
        return f"{' and '.join(summary.privileged)} {verb} ground truth: the best case for the controller"
    return f"the policy reads the {', '.join(summary.privileged)}: an upper bound, no rival"


def adaptive_words(summary: Summary) -> str:
    """Where an adaptive run stopped, and what its interval is."""
    wish = f"{percent(summary.adaptive_width)} points"
    end = f"after {summary.episodes} of {summary.adaptive_total} episodes"
    reached = (
        "its interval is narrower than" if summary.ci_high - summary.ci_low < summary.adaptive_width else "short of"
    )
    return f"{end}, {reached} {wish}; the interval holds in spite of looking on the way"


def clustered_words(summary: Summary) -> str:
    """What the rate says of targets that the suite has not got; "" where each of its targets comes up once."""
    if summary.clustered_rate is None:
        return ""
    low, high = percent(summary.clustered_rate.low), percent(summary.clustered_rate.high)
    return f"95 % interval {low} to {high} %: {summary.targets} targets in {summary.n} episodes"


def recovery_words(summary: Summary) -> str:
    """How the policy did in the episodes in which the target was shoved, and how many came to no shove."""
    words = f"recovered {rate(summary.recovered, summary.shoved)}"
    if summary.median_recovery_s is not None:
        words += f"; median {summary.median_recovery_s:.2f} s from its end to the lift"
    never = summary.shoves - summary.shoved
    return words + (f"; never shoved {never}, not counted here" if never else "")


def summary_lines(summary: Summary) -> list[tuple[str, str]]:
    """(what, value) pairs that say all a run's summary has to say, most important first."""
    lines = [("right" if summary.looking else "success", str(summary.rate))]
    if summary.adaptive_width:
        lines.append(("stopped", adaptive_words(summary)))
    if words := clustered_words(summary):
        lines.append(("other targets", words))
    if summary.privileged:
        lines.append(("privileged", privileged_words(summary)))
    lines += [
        (f"success @{k}", str(rate(count, summary.n)))
        for k, count in enumerate(summary.success_by_attempt, start=1)
        if summary.attempts > 1
    ]
    lines += [(name, str(found)) for name, found in summary.answers.items()]
    if floor := floor_words(summary.answers):
        lines.append(("without looking", floor))
    if not summary.looking:
        lines.append(("clean success", f"{rate(summary.clean_successes, summary.n)}, no neighbour disturbed"))
    lines += [
        ("outcomes", " · ".join(f"{word} {count}" for word, count in summary.outcomes.items() if count)),
    ]
    if summary.errors:
        lines.append(("errors", f"{summary.errors} of {summary.episodes} episodes lost by our own fault, not scored"))
    if summary.median_lift_s is not None:
        lines.append(("median lift", f"{summary.median_lift_s:.2f} s from the start of the attempt"))
    if summary.shoves:
        lines.append(("after the shove", recovery_words(summary)))
    each = duration(summary.wall_seconds)
    lines.append(("wall time", f"{each} on {summary.workers} worker{'s' if summary.workers > 1 else ''}"))
    return lines
