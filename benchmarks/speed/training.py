"""Windows per second while training from cached features: `python -m benchmarks.speed.training`.

Features, masks and motions are made up; everything else is the code of `policy.train`: batches from disk with their
noise, losses, gradients, optimiser, averaged weights. The exit code is 1 where the bar is missed.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.table import Table

BAR = 80.0  # windows per second of `small` on two cores
LOADER_BAR = 0.1  # of the time of an update


@dataclass(frozen=True)
class Options:
    """Measure how fast a controller trains."""

    config: Annotated[str, tyro.conf.arg(help="controller: small or paper")] = "small"
    set: Annotated[tuple[str, ...], tyro.conf.arg(help="changes of the configuration, as in policy.train")] = ()
    batch: Annotated[int, tyro.conf.arg(help="windows of an update")] = 64
    updates: Annotated[int, tyro.conf.arg(help="updates that are measured")] = 12
    threads: Annotated[int, tyro.conf.arg(help="CPU threads")] = 2
    precision: Annotated[Literal["fp32", "bf16"], tyro.conf.arg(help="arithmetic of the forward pass")] = "fp32"
    out: Annotated[Path | None, tyro.conf.arg(help="file for the numbers as JSON")] = None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0 the bar is reached, 1 it is missed."""
    options = tyro.cli(Options, args=arguments, prog="python -m benchmarks.speed.training", description=__doc__)
    from policy.controller.config import get_config
    from policy.training.measure import measure
    from policy.training.settings import overridden

    config = overridden(get_config(options.config), options.set)
    with tempfile.TemporaryDirectory() as folder:
        speed = measure(
            config,
            Path(folder),
            batch=options.batch,
            updates=options.updates,
            threads=options.threads,
            precision=options.precision,
        )
    table = Table("windows/s", "windows/CPU s", "loader", "parameters", title=f"{config.name}, {options.precision}")
    cells = (f"{speed.windows_per_s:.1f}", f"{speed.windows_per_cpu_s:.1f}", f"{speed.loader:.1%}")
    table.add_row(*cells, f"{speed.parameters:,}")
    Console().print(table)
    if options.out is not None:
        options.out.write_text(json.dumps(asdict(options) | asdict(speed), indent=2, default=str), encoding="utf-8")
    return 0 if speed.windows_per_s >= BAR and speed.loader <= LOADER_BAR else 1


if __name__ == "__main__":
    sys.exit(main())
