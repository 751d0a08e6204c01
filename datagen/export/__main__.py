"""`python -m datagen.export zarr|lerobot demos.h5 OUT`: a file of demonstrations in another project's layout."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from datagen.export.lerobot import export_lerobot
from datagen.export.source import ExportError, Source
from datagen.export.zarr_store import export_zarr
from datagen.storage import StorageError

_SUBSET = "subset of the file to export, for example train; all demonstrations without"
_WHOLE = "also the first rows of some demonstrations in which something goes wrong on purpose"
_OVERWRITE = "replace what is at OUT, once the new folder is whole"


@dataclass(frozen=True)
class Zarr:
    """The layout that the published DexGraspVLA training code loads (zarr format 2). An interrupted run goes on."""

    demos: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(help="file of demonstrations")]
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(help="folder to write")]
    subset: Annotated[str | None, tyro.conf.arg(help=_SUBSET)] = None
    whole: Annotated[bool, tyro.conf.arg(help=_WHOLE)] = False
    overwrite: Annotated[bool, tyro.conf.arg(help=_OVERWRITE)] = False


@dataclass(frozen=True)
class LeRobot:
    """LeRobotDataset v3.0: parquet and video."""

    demos: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(help="file of demonstrations")]
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(help="folder to write")]
    subset: Annotated[str | None, tyro.conf.arg(help=_SUBSET)] = None
    codec: Annotated[Literal["h264", "av1"], tyro.conf.arg(help="video codec of the cameras")] = "h264"
    mask: Annotated[bool, tyro.conf.arg(help="also write the target mask, as a lossless video")] = True
    whole: Annotated[bool, tyro.conf.arg(help=_WHOLE)] = False
    overwrite: Annotated[bool, tyro.conf.arg(help=_OVERWRITE)] = False


Command = (
    Annotated[Zarr, tyro.conf.subcommand("zarr", prefix_name=False)]
    | Annotated[LeRobot, tyro.conf.subcommand("lerobot", prefix_name=False)]
)


def run(command: Zarr | LeRobot) -> str:
    """Export, with a progress bar; the sentence that says what was written."""
    source = Source.open(command.demos, command.subset, command.whole)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("episodes", total=len(source.names))

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if isinstance(command, Zarr):
            made = export_zarr(source, command.out, command.overwrite, progress)
            went_on = f", {made.resumed} of them from an interrupted run" if made.resumed else ""
            return f"{command.out}: {made.episodes} episodes, {made.rows} rows{went_on}"
        made = export_lerobot(source, command.out, command.codec, command.mask, command.overwrite, progress)
        return f"{command.out}: {made.episodes} episodes, {made.frames} frames, {made.tasks} tasks"


def main(args: list[str] | None = None) -> int:
    """Exit code 0 when the folder is whole, 2 with a sentence when it cannot be written."""
    command = tyro.cli(Command, prog="python -m datagen.export", args=args)
    try:
        print(run(command))
    except (ExportError, StorageError) as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
