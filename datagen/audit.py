"""Checks a file of demonstrations and writes its card: `python -m datagen.audit demos.h5 [--out card.md] [--sample N]`.

Exit code 0: every invariant holds; 1: some demonstration breaks one, or the file cannot be read; 2: bad usage.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from assets.gl import RenderingError
from datagen.card import write_card
from datagen.examine import examine
from datagen.findings import INVARIANTS, Audit
from datagen.storage import StorageError

FINDINGS_SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""

    def audit(
        file: tyro.conf.Positional[Path], out: Path | None = None, sample: int = 20, training: bool = False
    ) -> int:
        """Check a file of demonstrations and write its dataset card.

        Args:
            file: the file, finished.
            out: where the card goes, as Markdown; the page of the same name with .html lies beside it. By default
                beside the file.
            sample: how many demonstrations, spread evenly, are drawn again and compared.
            training: this is to be training data: fail if it holds anything that policies are tested on. Files that
                come from the suite train or from your own objects always fail for that; others get a note.
        """
        return run(file, out or file.with_suffix(".md"), sample, training)

    return tyro.cli(audit, args=arguments, prog="python -m datagen.audit", description=__doc__)


def run(file: Path, out: Path, sample: int, training: bool = False) -> int:
    """Check `file`, write the card to `out`, print the verdict. Returns the exit code."""
    fault = usage_fault(file, out, sample)
    if fault:
        print(f"datagen.audit: {fault}", file=sys.stderr)
        return 2
    console = Console(stderr=True)
    try:
        with _progress(console) as show:
            result = examine(file, sample, show, training)
    except (StorageError, RenderingError) as error:
        print(f"datagen.audit: {error}", file=sys.stderr)
        return 1
    page = write_card(result, out)
    print_verdict(Console(), result, out, page)
    return 0 if result.passed else 1


def usage_fault(file: Path, out: Path, sample: int) -> str:
    """What is wrong with the command, or ""."""
    if not file.is_file():
        return f"{file} is no file"
    if out.suffix != ".md":
        return f"--out is the Markdown card, a name that ends in .md; got {out}"
    if not out.parent.is_dir():
        return f"folder {out.parent} does not exist"
    if sample < 0:
        return f"--sample is at least 0; got {sample}"
    return ""


def print_verdict(console: Console, result: Audit, out: Path, page: Path) -> None:
    """What was found, and where the card is."""
    for finding in result.findings[:FINDINGS_SHOWN]:
        where = f"{result.path}, {finding.demo}" if finding.demo else str(result.path)
        console.print(
            f"[red]{finding.invariant}[/red] {escape(where)}: {escape(finding.problem)}",
            highlight=False,
            soft_wrap=True,
        )
    left = len(result.findings) - FINDINGS_SHOWN
    if left > 0:
        console.print(f"... and {left} more, all in the card")
    broken = len({finding.invariant for finding in result.findings})
    unseen = [invariant for invariant in INVARIANTS if not result.checked[invariant]]
    looked = len(INVARIANTS) - len(unseen)
    verdict = "[green]pass[/green]" if result.passed else f"[red]fail[/red]: {broken} of {looked} invariants broken"
    console.print(
        f"{verdict}  {len(result.rows)} demonstrations, {looked} invariants looked at", highlight=False, soft_wrap=True
    )
    if result.not_for_training:
        console.print(f"no training data: holds {result.not_for_training}", highlight=False, soft_wrap=True)
    if unseen:
        console.print(f"not looked at: {', '.join(unseen)}", highlight=False, soft_wrap=True)
    console.print(escape(f"card {out}, page {page}"), highlight=False, soft_wrap=True)


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[int, int, str], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("checking")

        def show(done: int, of: int, name: str) -> None:
            bars.update(task, completed=done, total=of, description=escape(name or "writing the card"))

        yield show


if __name__ == "__main__":
    sys.exit(main())
