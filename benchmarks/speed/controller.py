"""How long the controller takes for a chunk of actions: `python -m benchmarks.speed.controller`.

Two bars: a transformer of the paper's size must be 2.5 times faster per chunk when it remembers keys and values of the
observation than when it computes them again at each denoising step; `small` must answer within 250 ms, towers included.
Processor time is what counts, the least of several: other work on the machine disturbs the clock, not that. The exit
code is 1 where a bar is missed.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

REMEMBERING_BAR = 2.5  # times faster
ANSWER_BAR_MS = 250.0


@dataclass(frozen=True)
class Options:
    """Measure a chunk of actions."""

    transformer: Annotated[str, tyro.conf.arg(help="configuration whose transformer remembers or not; none: ''")] = (
        "paper"
    )
    answer: Annotated[str, tyro.conf.arg(help="configuration that answers from pictures on; none: ''")] = "small"
    threads: Annotated[int, tyro.conf.arg(help="CPU threads")] = 1
    repeats: Annotated[int, tyro.conf.arg(help="repetitions of an answer")] = 20
    chunks: Annotated[int, tyro.conf.arg(help="repetitions of the large transformer's chunk")] = 1
    precision: Annotated[Literal["float32", "bfloat16"], tyro.conf.arg(help="arithmetic of products")] = "float32"
    out: Annotated[Path | None, tyro.conf.arg(help="file for the numbers as JSON")] = None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0 the bars are reached, 1 one is missed."""
    options = tyro.cli(Options, args=arguments, prog="python -m benchmarks.speed.controller", description=__doc__)
    from policy.controller.config import get_config
    from policy.controller.measure import answering, remembering

    numbers: dict[str, Any] = asdict(options)
    table = Table("", "CPU ms", "ms", "", title=f"one chunk, {options.threads} thread(s), {options.precision}")
    shared = {"threads": options.threads, "precision": options.precision}
    reached = []
    if options.answer:
        took = answering(get_config(options.answer), repeats=options.repeats, **shared)
        for part in took:
            table.add_row(f"{options.answer}: {part.name}", f"{part.cpu_ms:.1f}", f"{part.wall_ms:.1f}", "")
        numbers["answering"] = [asdict(part) for part in took]
        reached.append(took[0].cpu_ms < ANSWER_BAR_MS)
    if options.transformer:
        found = remembering(get_config(options.transformer), repeats=options.chunks, **shared)
        words = f"{found.times_faster:.2f} times faster, actions differ by {found.difference:.1e}"
        for part, note in ((found.cached, words), (found.recomputed, "")):
            table.add_row(f"{options.transformer}: {part.name}", f"{part.cpu_ms:,.0f}", f"{part.wall_ms:,.0f}", note)
        numbers["remembering"] = {**asdict(found), "times_faster": found.times_faster}
        reached.append(found.times_faster >= REMEMBERING_BAR)
    Console().print(table)
    if options.out is not None:
        options.out.write_text(json.dumps(numbers, indent=1, default=str), encoding="utf-8")
    return 0 if all(reached) else 1


if __name__ == "__main__":
    raise SystemExit(main())
