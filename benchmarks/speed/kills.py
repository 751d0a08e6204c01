"""Kills a run of the generator at random moments: `python -m benchmarks.speed.kills`.

Each round starts a run, kills it with SIGKILL at a random moment, reads every finished episode, resumes to the end and
compares the content with that of a run that nobody disturbed.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from datagen.content import content_hash
from datagen.storage import DemoFile


@dataclass(frozen=True)
class Options:
    """Count what is lost when a run is killed."""

    rounds: Annotated[int, tyro.conf.arg(help="runs that are killed")] = 20
    episodes: Annotated[int, tyro.conf.arg(help="scenes of each run")] = 6
    workers: Annotated[int, tyro.conf.arg(help="worker processes")] = 1
    cameras: Annotated[str, tyro.conf.arg(help="head,wrist or none")] = "none"
    seed: Annotated[int, tyro.conf.arg(help="for the moments of death")] = 0


def run(out: Path, options: Options, *, resume: bool, dies_after_s: float | None = None) -> None:
    """One run of the command, killed with everything it started after a time, if one is given."""
    words = [sys.executable, "-m", "datagen.generate", "--out", str(out), "--episodes", str(options.episodes)]
    words += ["--workers", str(options.workers), "--cameras", options.cameras, "--image-size", "160x120"]
    words += ["--hold-seconds", "1"] + (["--resume"] if resume else [])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        code = process.wait(dies_after_s)
    except subprocess.TimeoutExpired:
        process.kill()  # the parent alone: its workers have to notice by themselves
        process.wait()
    else:
        if code:
            raise SystemExit(f"the generator ended with exit code {code}")


def readable(path: Path) -> set[str]:
    """Names of all finished episodes; each is read in full."""
    file = DemoFile(path)
    return {name for name in file.names() if len(file.read(name).actions)}


def main() -> int:
    """Play all rounds; the exit code says whether nothing was lost."""
    options = tyro.cli(Options, prog="python -m benchmarks.speed.kills", description=__doc__)
    console, moments = Console(), random.Random(options.seed)
    lost, equal = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        whole, out = Path(folder) / "whole.h5", Path(folder) / "killed.h5"
        began = time.monotonic()
        run(whole, options, resume=False)
        lasts, wanted = time.monotonic() - began, content_hash(whole)
        for number in range(options.rounds):
            moment = moments.uniform(0.05, 1.0) * lasts
            run(out, options, resume=False, dies_after_s=moment)
            before = readable(out) if out.exists() or DemoFile(out).parts.exists() else set()
            run(out, options, resume=out.exists() or DemoFile(out).parts.exists())
            lost += len(before - readable(out))
            same = content_hash(out) == wanted
            equal += same
            console.print(
                f"{number + 1:3d}  killed after {moment:5.1f} s of {lasts:.1f} s  {len(before)} kept  {same=}"
            )
            out.unlink()
            shutil.rmtree(DemoFile(out).parts, ignore_errors=True)
    console.print(f"finished episodes lost: {lost}; resumed content equal: {equal} of {options.rounds}")
    return int(lost > 0 or equal < options.rounds)


if __name__ == "__main__":
    sys.exit(main())
