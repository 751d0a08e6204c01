"""What a controller is made of and what a chunk of actions costs: `python -m policy.info paper`.

Shapes at every step, parameters, operations and memory. Nothing is run and no weights are needed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console, Group
from rich.table import Table

from envs.interface import DexClutterError
from policy.controller import checkpoint
from policy.controller.account import FLOAT_BYTES, Account, account
from policy.controller.config import CONFIGS, ControllerConfig, get_config

MEGA, GIGA = 1e6, 1e9


@dataclass(frozen=True)
class Options:
    """Count a controller."""

    what: Annotated[tyro.conf.Positional[str], tyro.conf.arg(help="paper, nonprehensile, small, or a checkpoint")]


def configuration(what: str) -> tuple[ControllerConfig, str]:
    """The configuration of that name or of the checkpoint at that path, and where it comes from.

    Raises ConfigError for an unknown name, CheckpointError for a file that is no controller.
    """
    if what in CONFIGS or not (Path(what).exists() or Path(what).suffix):
        return get_config(what), "configuration"
    controller, origin = checkpoint.load(Path(what))
    data = f", data {', '.join(origin.data)}" if origin.data else ""
    return controller.config, f"checkpoint after {origin.updates:,} updates{data}"


def shapes(counted: Account, title: str) -> Table:
    """One row for each step on the way from pictures to a chunk."""
    table = Table(title=title, title_justify="left")
    table.add_column("step", no_wrap=True)
    table.add_column("shape", no_wrap=True)
    table.add_column("GFLOP", justify="right")
    table.add_column("")
    for stage in counted.stages:
        flops = f"{stage.flops / GIGA:,.3f}" if stage.flops else ""
        table.add_row(stage.name, " × ".join(map(str, stage.shape)), flops, stage.note)
    chunk = (1, counted.config.horizon, counted.config.action_dim)
    table.add_row("chunk", " × ".join(map(str, chunk)), "", f"the first {counted.config.execute} are carried out")
    return table


def costs(counted: Account) -> Table:
    """Parameters, operations and memory."""
    config, steps = counted.config, counted.config.inference_steps
    both = counted.trainable + counted.frozen
    denoising = steps * counted.step_flops
    ratio = counted.recomputed_flops / counted.chunk_flops
    alone = (steps * counted.remember_flops + denoising) / (counted.remember_flops + denoising)
    table = Table(show_header=False, title="a chunk costs", title_justify="left")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    rows = [
        ("trainable parameters", f"{counted.trainable:,}", ""),
        ("frozen parameters", f"{counted.frozen:,}", ", ".join(sorted({v.tower for v in config.views.values()}))),
        ("towers", f"{counted.tower_flops / GIGA:,.2f} GFLOP", ""),
        ("encoder", f"{counted.observe_flops / GIGA:,.2f} GFLOP", ""),
        ("keys and values", f"{counted.remember_flops / GIGA:,.2f} GFLOP", "once per chunk"),
        ("denoising", f"{denoising / GIGA:,.2f} GFLOP", f"{steps} × {counted.step_flops / GIGA:,.3f}"),
        ("together", f"{counted.chunk_flops / GIGA:,.2f} GFLOP",
         f"{counted.recomputed_flops / GIGA:,.2f} with keys and values at each step: {ratio:.2f} times as much, "
         f"{alone:.2f} in the transformer alone"),
        ("weights", f"{both * FLOAT_BYTES / MEGA:,.1f} MB", "in float32; half of it in bfloat16"),
        ("keys and values kept", f"{counted.memory_bytes / MEGA:,.1f} MB", ""),
        ("most at once", f"{counted.peak_bytes / MEGA:,.1f} MB", "beside the weights, one observation, float32"),
    ]  # fmt: skip
    for row in rows:
        table.add_row(*row)
    return table


def main(options: Options) -> None:
    """Print both tables. Exit code 2 with a message for what is no controller."""
    console = Console()
    try:
        config, source = configuration(options.what)
        counted = account(config)
    except DexClutterError as fault:
        console.print(str(fault), markup=False, highlight=False)
        raise SystemExit(2) from fault
    console.print(Group(shapes(counted, f"{config.name} ({source}), one observation"), costs(counted)))


if __name__ == "__main__":
    main(tyro.cli(Options))
