"""Scores a policy on a suite: `python -m benchmarks.run --suite unseen_objects`."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import tyro
from rich.console import Console

from benchmarks.console import print_summary, progress
from benchmarks.errors import UsageError, WorkerError
from benchmarks.evaluate import Plan, RunnerFactory, evaluate
from benchmarks.journal import MEDIA, SUMMARY, Asked, Journal, write_atomically
from benchmarks.options import Options, asked_indices, checked_suite, default_folder, resume_command
from benchmarks.policies import Entrant, entrant
from benchmarks.report import write_report
from benchmarks.suites import Suite
from benchmarks.summary import success_rate, summarise
from benchmarks.worker import make_runner
from datagen import layout
from datagen.pool import usable_cores
from datagen.storage import DemoFile
from datagen.versions import MUJOCO, versions
from envs import spec


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
    suite = checked_suite(options)
    policy = entrant(options.policy, options.agent)
    indices = asked_indices(options, suite)
    folder = options.out or default_folder(options)
    record = None if options.record is None else _checked_record(options.record, options.resume)
    asked = _asked(options, suite, policy)
    plan = Plan(
        suite=suite.name,
        version=suite.version,
        policy=options.policy,
        hand=options.hand,
        attempts=options.attempts,
        media_dir=str(folder / MEDIA),
        videos=indices[: options.video],
        demos=None if options.record is None else str(options.record),
        agent=policy.agent,
        checkpoint=policy.checkpoint,
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
            again = resume_command(options, folder)
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
    journal: Journal, options: Options, policy: Entrant, workers: int, record: DemoFile | None, console: Console
) -> int:
    results = journal.finish()
    summary = summarise(
        results,
        policy=options.policy,
        privileged=policy.privileged,
        hand=options.hand,
        attempts=options.attempts,
        title=policy.title,
        checkpoint=policy.checkpoint,
        **_around(policy),
        wall_seconds=journal.wall_seconds(),
        workers=workers,
        versions=versions(),
    )
    write_atomically(journal.folder / SUMMARY, json.dumps(summary.as_dict(), indent=2) + "\n")
    report = write_report(journal.folder)
    print_summary(console, summary, journal.folder, report)
    if record is not None:
        demos = _join(record, options, policy.cameras)
        console.print(f"{demos} demonstrations in {options.record}", highlight=False)
    return 1 if summary.errors else 0


def _asked(options: Options, suite: Suite, policy: Entrant) -> Asked:
    agent = policy.agent
    return Asked(
        suite=suite.name,
        version=suite.version,
        policy=options.policy,
        hand=options.hand,
        attempts=options.attempts,
        record=None if options.record is None else str(options.record),
        mujoco=versions()[MUJOCO],
        checkpoint=policy.checkpoint,
        planner="" if agent is None else agent.planner.name,
        planner_model="" if agent is None else agent.planner.model,
        masks="" if agent is None else agent.masks,
        masks_weights="" if agent is None else agent.masks_weights or "",
        latency_ms=0.0 if agent is None else agent.latency_ms,
        device="" if agent is None else agent.device,
        precision="" if agent is None else agent.precision,
    )


def _around(policy: Entrant) -> dict[str, object]:
    """What the summary says of planner and masks; nothing where there are none."""
    if policy.agent is None:
        return {}
    agent = policy.agent
    planner = f"{agent.planner.name} ({agent.planner.model})" if agent.planner.model else agent.planner.name
    return {"planner": planner, "masks": agent.masks, "latency_ms": agent.latency_ms, "flags": agent.words()}


def _missing(journal: Journal, indices: Sequence[int], record: DemoFile | None) -> list[int]:
    done = dict(journal.results)
    if record is not None:
        kept = {int(name.removeprefix("demo_")) for name in record.names()}
        done = {index: result for index, result in done.items() if index in kept or not result.success}
    return [index for index in indices if index not in done]


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


def _join(record: DemoFile, options: Options, cameras: tuple[str, ...]) -> int:
    known = layout.env_args(options.suite, options.hand, versions()["dexclutter"], cameras, spec.IMAGE_SIZE)
    names = json.dumps(layout.names(cameras, spec.IMAGE_SIZE))
    return record.finish(known, attributes={"names": names, "policy": options.policy})


if __name__ == "__main__":
    sys.exit(main())
