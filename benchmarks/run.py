"""Scores a policy on a suite: `python -m benchmarks.run --suite unseen_objects`."""

import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from assets.robots.hands import HANDS
from benchmarks.console import print_summary, progress
from benchmarks.errors import UsageError, WorkerError
from benchmarks.evaluate import Plan, RunnerFactory, evaluate, usable_cores
from benchmarks.journal import MEDIA, SUMMARY, Asked, Journal, write_atomically
from benchmarks.policies import make_policy
from benchmarks.report import write_report
from benchmarks.suites import Suite, get_suite
from benchmarks.summary import success_rate, summarise
from benchmarks.worker import make_runner, obs_mode
from datagen.storage import ROBOMIMIC_GYM_TYPE, DemoFile
from datagen.versions import MUJOCO, versions
from envs.episode import USER_SUITE, distribution
from envs.interface import EpisodeError, Policy

RUNS = Path("runs")


@dataclass(frozen=True)
class Options:
    """Score a policy on a suite of episodes that are the same for every policy."""

    suite: str
    """Which episodes: unseen_objects, seen_objects, or user:NAME for an object of your own."""
    policy: str = "expert"
    """Who acts: expert (privileged), random or hold-still."""
    hand: str = "g0r"
    """The hand on the arm: g0r or rh56."""
    episodes: int | None = None
    """How many episodes; without it, the rest of the published list."""
    first: int = 0
    """Index of the first episode. Beyond the published list the indices go on without end."""
    workers: int | Literal["auto"] = "auto"
    """Worker processes; auto is one per usable core. The rows do not depend on it."""
    attempts: int = 1
    """Attempts per episode; each further one starts in the scene as the last one left it."""
    out: Path | None = None
    """Folder for the results; without it, runs/<suite>-<policy>-<number>."""
    resume: bool = False
    """Go on with the run in the folder: play what is missing, and what ended in an error."""
    video: int = 0
    """Film this many episodes, from the first one on."""
    record: Path | None = None
    """HDF5 file (robomimic layout) to which the demonstrations of successful episodes are saved."""


def main(arguments: Sequence[str] | None = None, factory: RunnerFactory = make_runner) -> int:
    """The command. Returns the exit code: 0 it ran, 1 there are errors among the rows, 2 bad usage, 130 stopped."""
    options = tyro.cli(Options, args=arguments, prog="python -m benchmarks.run", description=__doc__)
    try:
        return execute(options, factory)
    except UsageError as fault:
        print(f"benchmarks.run: {fault}", file=sys.stderr)
        return 2
    except WorkerError as fault:
        print(f"benchmarks.run: {fault}\n`python -m benchmarks.doctor` says what is wrong.", file=sys.stderr)
        return 1


def execute(options: Options, factory: RunnerFactory) -> int:
    """Play what is missing of the run that `options` describe, and write its summary and report."""
    suite, policy = _checked(options)
    indices = _indices(options, suite)
    folder = options.out or _default_folder(options)
    record = None if options.record is None else _checked_record(options.record, options.resume)
    asked = Asked(
        suite=suite.name,
        version=suite.version,
        policy=options.policy,
        hand=options.hand,
        attempts=options.attempts,
        record=None if options.record is None else str(options.record),
        mujoco=versions()[MUJOCO],
    )
    plan = Plan(
        suite=suite.name,
        version=suite.version,
        policy=options.policy,
        hand=options.hand,
        attempts=options.attempts,
        media_dir=str(folder / MEDIA),
        videos=indices[: options.video],
        demos=None if options.record is None else str(options.record),
    )
    console = Console()
    journal = Journal(folder, asked, resume=options.resume)
    try:
        _refuse_outside(journal, indices)
        workers = usable_cores() if options.workers == "auto" else options.workers
        missing = _missing(journal, indices, record)
        with progress(console, len(indices), len(indices) - len(missing)) as show:
            finished = _play(journal, plan, missing, workers, factory, show)
        if not finished:
            again = shlex.join([*_command(options, folder), "--resume"])
            console.print(f"Stopped. {len(journal.results)} of {len(indices)} episodes are kept; go on with\n  {again}")
            return 130
        return _conclude(journal, options, policy, workers, record, console)
    finally:
        journal.close()


def _play(
    journal: Journal,
    plan: Plan,
    indices: Sequence[int],
    workers: int,
    factory: RunnerFactory,
    show: Callable[[int, str], None],
) -> bool:
    """Play `indices` and keep their rows; False if Ctrl-C came first."""
    began = time.monotonic()
    episodes = evaluate(plan, indices, workers, factory)
    try:
        for number, result in enumerate(episodes, start=1):
            journal.append(result, time.monotonic() - began)
            show(number, str(success_rate(list(journal.results.values()))))
    except KeyboardInterrupt:
        return False
    finally:
        episodes.close()
    return True


def _conclude(
    journal: Journal, options: Options, policy: Policy, workers: int, record: DemoFile | None, console: Console
) -> int:
    results = journal.finish()
    summary = summarise(
        results,
        policy=options.policy,
        privileged=policy.privileged,
        hand=options.hand,
        attempts=options.attempts,
        wall_seconds=journal.wall_seconds(),
        workers=workers,
        versions=versions(),
    )
    write_atomically(journal.folder / SUMMARY, json.dumps(summary.as_dict(), indent=2) + "\n")
    report = write_report(journal.folder)
    print_summary(console, summary, journal.folder, report)
    if record is not None:
        demos = record.finish(_env_args(options, policy))
        console.print(f"{demos} demonstrations in {options.record}", highlight=False)
    return 1 if summary.errors else 0


def _checked(options: Options) -> tuple[Suite, Policy]:
    suite = _suite(options.suite)
    if options.hand not in HANDS:
        raise UsageError(f"unknown hand {options.hand!r}; choose from: {', '.join(sorted(HANDS))}")
    least = {"episodes": 1, "first": 0, "workers": 1, "attempts": 1, "video": 0}
    for name, bound in least.items():
        value = getattr(options, name)
        if isinstance(value, int) and value < bound:
            raise UsageError(f"--{name} must be at least {bound}, got {value}")
    return suite, make_policy(options.policy)


def _suite(name: str) -> Suite:
    if not name.startswith(USER_SUITE):
        return get_suite(name)
    try:
        own = distribution(name)
    except EpisodeError as fault:
        raise UsageError(str(fault)) from fault
    return Suite(name, own.version, own.size, f"{', '.join(own.targets)} in clutter of seen objects")


def _indices(options: Options, suite: Suite) -> tuple[int, ...]:
    rest = suite.size - options.first
    episodes = options.episodes or (rest if rest > 0 else suite.size)
    return tuple(range(options.first, options.first + episodes))


def _missing(journal: Journal, indices: Sequence[int], record: DemoFile | None) -> list[int]:
    done = dict(journal.results)
    if record is not None:
        kept = {int(name.removeprefix("demo_")) for name in record.names()}
        done = {index: result for index, result in done.items() if index in kept or not result.success}
    return [index for index in indices if index not in done]


def _default_folder(options: Options) -> Path:
    stem = f"{options.suite.replace(':', '-')}-{options.policy}-"
    numbers = [int(p.name[len(stem) :]) for p in RUNS.glob(f"{stem}*") if p.name[len(stem) :].isdigit()]
    if options.resume:
        if not numbers:
            raise UsageError(f"there is no run {RUNS / stem}* to resume; name its folder with --out")
        return RUNS / f"{stem}{max(numbers)}"
    return RUNS / f"{stem}{max(numbers, default=0) + 1}"


def _checked_record(path: Path, resume: bool) -> DemoFile:
    if not resume and (path.exists() or DemoFile(path).names()):
        raise UsageError(f"{path} exists already; name another file with --record, or delete it")
    return DemoFile(path)


def _refuse_outside(journal: Journal, indices: Sequence[int]) -> None:
    outside = sorted(set(journal.results) - set(indices))
    if outside:
        raise UsageError(
            f"{journal.folder} holds {len(outside)} episodes (such as {outside[0]}) outside {indices[0]} to "
            f"{indices[-1]}; a resumed run may add episodes but not drop any"
        )


def _command(options: Options, folder: Path) -> list[str]:
    words = ["python", "-m", "benchmarks.run", "--out", str(folder)]
    for name in ("suite", "policy", "hand", "episodes", "first", "attempts", "video", "record"):
        value = getattr(options, name)
        if value not in (None, Options.__dataclass_fields__[name].default):
            words += [f"--{name}", str(value)]
    return words


def _env_args(options: Options, policy: Policy) -> dict[str, object]:
    kwargs = {"suite": options.suite, "obs_mode": obs_mode(policy.cameras), "hand": options.hand}
    return {
        "env_name": "DexClutter/Grasp-v0",
        "env_version": versions()["dexclutter"],
        "type": ROBOMIMIC_GYM_TYPE,
        "env_kwargs": kwargs,
    }


if __name__ == "__main__":
    sys.exit(main())
