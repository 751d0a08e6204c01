"""Scores a policy on a suite: `python -m benchmarks.run --suite unseen_objects`."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from rich.console import Console

from assets import vulkan
from assets.gl import RenderingError
from benchmarks.board import BOARD, write_board
from benchmarks.console import print_board, print_stages, print_summary, progress
from benchmarks.ending import Ending
from benchmarks.errors import UsageError, WorkerError
from benchmarks.evaluate import Plan, Rows, RunnerFactory, evaluate, evaluate_on_ray
from benchmarks.journal import MEDIA, RUN, Asked, Journal
from benchmarks.options import (
    Options,
    Wanted,
    asked_suites,
    checked,
    default_folder,
    for_suite,
    resume_command,
    suite_folder,
    wanted,
)
from benchmarks.policies import Entrant, entrant, planner_words
from benchmarks.report import publish, read_summary
from benchmarks.stages import stages_of
from benchmarks.suites import Suite, asks_for_several, get_suite, is_drawn_by_filament
from benchmarks.summary import success_rate, summarise
from benchmarks.worker import make_runner
from datagen import layout
from datagen.pool import cluster_cores, usable_cores
from datagen.storage import DemoFile
from datagen.versions import MUJOCO, versions
from envs import spec

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None, factory: RunnerFactory = make_runner) -> int:
    """The command. Returns the exit code: 0 it ran, 1 there are errors among the rows, 2 bad usage, 130 stopped."""
    options = tyro.cli(Options, args=arguments, prog="python -m benchmarks.run", description=__doc__)
    try:
        return execute(checked(options), factory)
    except UsageError as fault:
        print(f"benchmarks.run: {fault}", file=sys.stderr)
        return 2
    except WorkerError as fault:
        print(f"benchmarks.run: {fault}\n`python -m benchmarks.doctor` says what is wrong.", file=sys.stderr)
        return 1


def execute(options: Options, factory: RunnerFactory) -> int:
    """Play what is missing of the runs that `options` describe, and write their summaries and reports."""
    asked = [for_suite(options, name) for name in asked_suites(options.suite)]
    suites = [get_suite(each.suite) for each in asked]
    policies = {name: entrant(name, options.agent) for name in dict.fromkeys(each.policy for each in asked)}
    runs = [_run(each, suite, policies[each.policy]) for each, suite in zip(asked, suites, strict=True)]
    if len(runs) > 1 and options.record is not None:
        raise UsageError("--record keeps the demonstrations of one suite; name one with --suite")
    console, folder = Console(), options.out or default_folder(options)
    again = resume_command(options, folder)
    if len(runs) == 1:
        return _play_run(runs[0], folder, options.resume, again, factory, console)
    codes, folders = [], [folder / suite_folder(run.suite.name) for run in runs]
    _refuse_foreign(folder, options.resume)
    for run, place in zip(runs, folders, strict=True):
        console.rule(run.suite.name, align="left")
        codes.append(_play_run(run, place, (place / RUN).exists(), again, factory, console))
        if codes[-1] == INTERRUPTED:
            return INTERRUPTED
    print_board(console, [read_summary(place) for place in folders], write_board(folders, folder / BOARD))
    return max(codes)


@dataclass(frozen=True)
class _Run:
    """One suite, and who plays what of it."""

    options: Options
    suite: Suite
    policy: Entrant
    wanted: Wanted
    ending: Ending


def _run(options: Options, suite: Suite, policy: Entrant) -> _Run:
    episodes = wanted(options, suite)
    if asks_for_several(suite.name):
        if options.record is not None:
            raise UsageError(f"--record keeps demonstrations of single grasps; {suite.name} asks for several objects")
        options = replace(options, attempts=1)  # how often each object is tried is part of the protocol
        if policy.agent is None:  # the privileged planner takes the prompts apart
            policy = replace(policy, privileged=(*policy.privileged, "planner"))
    if policy.cameras and options.engine == "local" and is_drawn_by_filament(suite.name):
        try:
            vulkan.load()
        except RenderingError as fault:
            raise UsageError(
                f"what a policy sees in {suite.name} is drawn by Filament, which needs Vulkan: {fault}"
            ) from fault
    return _Run(options, suite, policy, episodes, Ending(options.adaptive, episodes.indices))


def _refuse_foreign(folder: Path, resume: bool) -> None:
    if not resume and folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; go on with it by --resume, or name a new folder with --out")


def _play_run(run: _Run, folder: Path, resume: bool, again: str, factory: RunnerFactory, console: Console) -> int:
    """Play what is missing of one suite; the exit code. `again` are the words that go on with it."""
    options, indices = run.options, run.wanted.indices
    record = None if options.record is None else _checked_record(options.record, resume)
    journal = Journal(folder, _asked(run), resume=resume)
    try:
        _refuse_outside(journal, indices)
        missing = [] if run.ending.prefix(journal.results) else _missing(journal, indices, record)
        workers, episodes = _engine(run, folder, missing, factory)
        with progress(console, len(indices), len(indices) - len(missing)) as show:
            finished = _play(journal, episodes, run.ending, show)
        if not finished:
            kept = f"{len(journal.results)} of {len(indices)} episodes are kept"
            console.print(f"Stopped. {kept}; go on with\n  {again}", soft_wrap=True)
            return INTERRUPTED
        journal.drop_all_but(run.ending.prefix(journal.results) or indices)
        return _conclude(journal, run, workers, record, console)
    finally:
        journal.close()


def _engine(run: _Run, folder: Path, indices: Sequence[int], factory: RunnerFactory) -> tuple[int, Rows]:
    """How many workers there are, and the rows that they will play."""
    options, policy = run.options, run.policy
    plan = Plan(
        suite=run.suite.name,
        version=run.suite.version,
        policy=options.policy,
        hand=options.hand,
        attempts=options.attempts,
        media_dir=str(folder / MEDIA),
        videos=run.wanted.whole[: options.video],
        demos=None if options.record is None else str(options.record),
        agent=policy.agent,
        checkpoint=policy.checkpoint,
    )
    if options.engine == "ray":
        return cluster_cores(options.ray_address), evaluate_on_ray(plan, indices, factory, options.ray_address)
    workers = usable_cores() if options.workers == "auto" else options.workers
    return workers, evaluate(plan, indices, workers, factory)


def _play(journal: Journal, episodes: Rows, ending: Ending, show: Callable[[int, str], None]) -> bool:
    """Keep the rows as they come; False if Ctrl-C came first."""
    began = time.monotonic()
    try:
        for number, result in enumerate(episodes, start=1):
            journal.append(result, time.monotonic() - began)
            show(number, str(success_rate(list(journal.results.values()))))
            if ending.prefix(journal.results):
                break
    except KeyboardInterrupt:
        return False
    finally:
        episodes.close()
    return True


def _conclude(journal: Journal, run: _Run, workers: int, record: DemoFile | None, console: Console) -> int:
    options, policy, results = run.options, run.policy, journal.finish()
    summary = summarise(
        results,
        policy=options.policy,
        privileged=policy.privileged,
        hand=options.hand,
        attempts=options.attempts,
        title=policy.title,
        checkpoint=policy.checkpoint,
        **_around(policy),
        **run.ending.settings(results),
        wall_seconds=journal.wall_seconds(),
        workers=workers,
        versions=versions(),
    )
    print_summary(console, summary, journal.folder, publish(journal.folder, summary))
    if (stages := stages_of(results)) is not None:
        print_stages(console, stages)
    if record is not None:
        demos = _join(record, options, policy.cameras)
        console.print(f"{demos} demonstrations in {options.record}", highlight=False)
    return 1 if summary.errors else 0


def _asked(run: _Run) -> Asked:
    options, agent = run.options, run.policy.agent
    asked = Asked(
        suite=run.suite.name,
        version=run.suite.version,
        policy=options.policy,
        hand=options.hand,
        attempts=options.attempts,
        record=None if options.record is None else str(options.record),
        mujoco=versions()[MUJOCO],
        checkpoint=run.policy.checkpoint,
        adaptive_width=options.adaptive or 0.0,
        adaptive_total=len(run.wanted.whole) if options.adaptive else 0,
        shard=run.wanted.shard,
    )
    if agent is None:
        return asked
    asked = replace(asked, planner=agent.planner.name, planner_model=agent.planner.model)
    if not run.policy.checkpoint:  # a planner that is asked alone
        return asked
    return replace(
        asked,
        masks=agent.masks,
        masks_weights=agent.masks_weights or "",
        latency_ms=agent.latency_ms,
        device=agent.device,
        precision=agent.precision,
    )


def _around(policy: Entrant) -> dict[str, object]:
    """What the summary says of planner and masks; nothing where there are none."""
    if policy.agent is None:
        return {}
    agent = policy.agent
    masks = agent.masks if policy.checkpoint else ""  # a planner that is asked alone has none
    return {
        "planner": planner_words(agent.planner),
        "masks": masks,
        "latency_ms": agent.latency_ms,
        "flags": agent.words(),
    }


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
