"""Plays a list of episodes on a pool of processes or on a Ray cluster, and yields their rows."""

import os
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from datagen import pool
from datagen.storage import DemoFile
from envs.interface import EpisodeResult
from policy.build import DEFAULT, AgentOptions

Rows = Generator[EpisodeResult, None, None]


@dataclass(frozen=True)
class Plan:
    """All that a worker must know to play any episode of a run. Plain values: it crosses to another process."""

    suite: str
    version: int
    policy: str
    hand: str
    attempts: int = 1
    media_dir: str | None = None  # where thumbnails of failures and videos go
    videos: tuple[int, ...] = ()  # indices to film
    demos: str | None = None  # HDF5 file to which successful episodes are recorded
    agent: AgentOptions | None = None  # what stands around a trained controller
    checkpoint: str = ""  # fingerprint of the controller's file


Runner = Callable[[int], EpisodeResult]
RunnerFactory = Callable[[Plan], Runner]


def error_result(plan: Plan, index: int, text: str) -> EpisodeResult:
    """The row of an episode that was lost by our own fault; `text` says how."""
    return EpisodeResult(
        suite=plan.suite,
        version=plan.version,
        index=index,
        spec_hash="",
        instruction="",
        target="",
        family="",
        objects=0,
        outcome="error",
        success=False,
        attempts=0,
        attempt_outcomes=(),
        steps=0,
        policy_s=0.0,
        lift_s=None,
        max_contact_force_n=0.0,
        max_neighbour_motion_m=0.0,
        slip_m=None,
        error=text,
    )


def evaluate(
    plan: Plan, indices: Sequence[int], workers: int, factory: RunnerFactory, limit_s: float = pool.JOB_LIMIT_S
) -> Rows:
    """Yield one row per index, in the order in which they finish.

    factory: importable by name, since it is called in the workers. An exception in an episode becomes a row with
    outcome "error"; so does an episode whose worker died or hung twice. Raises WorkerError if `factory` itself fails.
    Closing the iterator ends the workers.
    """
    work = pool.Work(partial(factory, plan), _as_it_is, partial(error_result, plan))
    return pool.run_local(work, indices, workers, limit_s)


def evaluate_on_ray(plan: Plan, indices: Sequence[int], factory: RunnerFactory, address: str | None) -> Rows:
    """The same on a Ray cluster. Its machines need not see this one's disk: pictures and demonstrations travel back.

    address: of a running cluster, or None for one of this machine's own. A controller's file must lie at the same
    path on every machine. Raises WorkerError as `evaluate` does, and where the cluster does not answer.
    """
    if plan.checkpoint and plan.policy != DEFAULT:  # a file, which workers would look for in folders of their own
        plan = replace(plan, policy=str(Path(plan.policy).absolute()))
    work = pool.Work(partial(_Packing, factory, plan), partial(_unpacked, plan), partial(error_result, plan))
    return pool.run_ray(work, indices, address)


def _as_it_is(result: EpisodeResult) -> EpisodeResult:
    return result


@dataclass(frozen=True)
class _Parcel:
    """An episode that was played on another machine, with the files that it left there: name -> content."""

    result: EpisodeResult
    media: dict[str, bytes]
    demos: dict[str, bytes]


class _Packing:
    """Plays episodes in a scratch folder and packs up what they leave there."""

    def __init__(self, factory: RunnerFactory, plan: Plan) -> None:
        self._scratch = tempfile.TemporaryDirectory()
        self._media, demos = Path(self._scratch.name, "media"), DemoFile(Path(self._scratch.name, "demos.h5"))
        self._demos = demos.parts
        here = replace(plan, media_dir=plan.media_dir and str(self._media), demos=plan.demos and str(demos.path))
        self._play = factory(here)

    def __call__(self, index: int) -> _Parcel:
        """Play one episode."""
        return _Parcel(self._play(index), _emptied(self._media), _emptied(self._demos))


def _unpacked(plan: Plan, parcel: _Parcel) -> EpisodeResult:
    if plan.media_dir is not None:
        _fill(Path(plan.media_dir), parcel.media)
    if plan.demos is not None:
        _fill(DemoFile(plan.demos).parts, parcel.demos)
    return parcel.result


def _emptied(folder: Path) -> dict[str, bytes]:
    files = {}
    for path in sorted(folder.glob("*")):
        files[path.name] = path.read_bytes()
        path.unlink()
    return files


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".{os.getpid()}-{name}"
        unfinished.write_bytes(content)
        os.replace(unfinished, folder / name)
