"""How far predicted chunks lead the hand astray, in centimetres: `python -m benchmarks.chunks --policy P --data D`.

For windows of demonstrations that were held back, a checkpoint's chunks are sampled and the arm's forward kinematics
tells where the flange would go. Distances to the demonstration's own commands are grouped by phase and by step of the
chunk; the last line is the guess of where the hand will close, where the checkpoint was trained to make one.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from assets.robots.kinematics import forward
from envs import spec
from envs.interface import DexClutterError

CM = 100.0
PHASES = ("reach", "pregrasp", "close", "lift")


@dataclass(frozen=True)
class Options:
    """Where predicted chunks would put the hand, against demonstrations."""

    policy: Annotated[Path, tyro.conf.arg(help="checkpoint of a controller")]
    data: Annotated[tuple[Path, ...], tyro.conf.arg(help="files of demonstrations")]
    windows: Annotated[int, tyro.conf.arg(help="windows, evenly over the demonstrations")] = 128
    subset: Annotated[str, tyro.conf.arg(help="subset of the files: valid or train")] = "valid"
    stride: Annotated[int, tyro.conf.arg(help="every n-th step may begin a window")] = 4
    cache: Annotated[Path | None, tyro.conf.arg(help="folder of features; without, features/ beside the policy")] = None
    out: Annotated[Path | None, tyro.conf.arg(help="file for the numbers as JSON")] = None


@dataclass(frozen=True)
class Astray:
    """Distances of the flange in cm over some windows: median and 90th percentile.

    executed: of the steps that are carried out; chunk: of all steps that are not padded; windows: how many.
    """

    name: str
    windows: int
    executed: tuple[float, float]
    chunk: tuple[float, float]


def flange_in_base(actions: np.ndarray) -> np.ndarray:
    """(..., 13) action numbers -> (..., 3) position of the flange in the arm's base (m)."""
    joints = np.asarray(actions, np.float64)[..., spec.ARM] * spec.ARM_SCALE_RAD
    poses = np.array([forward(q) for q in joints.reshape(-1, spec.ARM_DOF)])
    return poses[:, :3, 3].reshape(*joints.shape[:-1], 3)


def astray(
    true: np.ndarray, sampled: np.ndarray, padded: np.ndarray, phase: np.ndarray, execute: int
) -> Iterator[Astray]:
    """One row for each phase that occurs and one for all. true, sampled (N, T, 13); padded (N, T); phase (N,)."""
    distance = CM * np.linalg.norm(flange_in_base(true) - flange_in_base(sampled), axis=-1)
    real = ~padded
    groups = {name: phase == k for k, name in enumerate(PHASES)} | {"all": np.ones(len(phase), bool)}
    for name, rows in groups.items():
        if rows.any():
            early = distance[rows, :execute][real[rows, :execute]]
            yield Astray(name, int(rows.sum()), _spread(early), _spread(distance[rows][real[rows]]))


def grasp_error(goal: np.ndarray, guessed: np.ndarray) -> tuple[float, float]:
    """Distance in cm between where the hand will close, goal (N, 13), and the guess of the arm (N, 7)."""
    there = np.concatenate([guessed, np.zeros((len(guessed), spec.HAND_DOF))], axis=-1)
    return _spread(CM * np.linalg.norm(flange_in_base(goal) - flange_in_base(there), axis=-1))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0 it ran, 2 a fault that is named."""
    options = tyro.cli(Options, args=arguments, prog="python -m benchmarks.chunks", description=__doc__)
    from policy.training.inspect import foretold  # imports torch

    try:
        cache = options.policy.parent / "features" if options.cache is None else options.cache
        found, execute = foretold(
            options.policy, options.data, options.subset, cache, windows=options.windows, stride=options.stride
        )
    except DexClutterError as fault:
        print(f"benchmarks.chunks: {fault}", file=sys.stderr)
        return 2
    rows = list(astray(found.true, found.sampled, found.padded, found.phase, execute))
    table = Table("phase", "windows", f"first {execute} steps", "whole chunk", title="flange, cm: median (90 %)")
    for row in rows:
        table.add_row(row.name, str(row.windows), _words(row.executed), _words(row.chunk))
    grasp = None if found.goal_sampled is None else grasp_error(found.goal, found.goal_sampled)
    if grasp is not None:
        table.add_row("guess of the grasp", str(len(found.goal)), "", _words(grasp))
    Console().print(table)
    if options.out is not None:
        text = json.dumps({"policy": str(options.policy), "rows": [asdict(row) for row in rows], "grasp_cm": grasp})
        options.out.write_text(text, encoding="utf-8")
    return 0


def _spread(values: np.ndarray) -> tuple[float, float]:
    return float(np.median(values)), float(np.quantile(values, 0.9))


def _words(spread: tuple[float, float]) -> str:
    return f"{spread[0]:.2f} ({spread[1]:.2f})"


if __name__ == "__main__":
    sys.exit(main())
