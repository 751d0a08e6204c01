"""Is it still as good as it was? `python -m benchmarks.regress --baseline benchmarks/baselines/expert.json`.

On the machine's own kind (same MuJoCo, renderer and rounding) every episode must end as it did, to the last digit of
its readings. Elsewhere a one-sided exact test says whether the rate fell, with a false alarm in 1,000 runs at most.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from benchmarks import run
from benchmarks.baseline import (
    Baseline,
    Episode,
    baseline_of,
    episode_of,
    named,
    read_baseline,
    this_machine,
    write_baseline,
)
from benchmarks.errors import UsageError
from benchmarks.evaluate import RunnerFactory
from benchmarks.journal import SUMMARY, read_results
from benchmarks.options import Options as RunOptions
from benchmarks.options import default_folder
from benchmarks.paired import Paired, counted, mcnemar_worse
from benchmarks.power import fisher_power, fisher_worse, least_drop, mcnemar_power
from benchmarks.report import read_summary
from benchmarks.statistics import percent
from benchmarks.summary import Summary
from benchmarks.worker import make_runner
from datagen.versions import MUJOCO
from envs.episode import distribution
from envs.interface import SUCCESSES

FALSE_ALARM = 0.001
POWER = 0.8
MCNEMAR, FISHER = "exact McNemar test", "Fisher's exact test"
LISTED = 40


@dataclass(frozen=True)
class Options:
    """Plays the episodes of a baseline and compares. Exit code 0: as before; 1: regression or errors; 2: bad usage."""

    baseline: Path | None = None
    """The file to compare with; its episodes are played."""
    policy: str | None = None
    """Another policy in place of the baseline's own, such as a controller's file that is to replace it."""
    workers: int | Literal["auto"] = "auto"
    """Worker processes; auto is one per usable core. The verdict does not depend on it."""
    out: Path | None = None
    """Folder for the rows and the report; without it, runs/<suite>-<policy>-<number>."""
    exact: tyro.conf.FlagCreatePairsOff[bool] = False
    """Compare episode by episode to the last digit, also where MuJoCo, renderer, rounding or policy are others."""
    no_exact: tyro.conf.FlagCreatePairsOff[bool] = False
    """Test the rate alone, also where all of these agree."""
    run: Path | None = None
    """Folder of a finished run to judge, or to write, in place of playing."""
    write: Path | None = None
    """Write a new baseline from the run instead of comparing."""


def main(arguments: Sequence[str] | None = None, factory: RunnerFactory = make_runner) -> int:
    """The command. Returns the exit code."""
    options = tyro.cli(Options, args=arguments, prog="python -m benchmarks.regress", description=__doc__)
    try:
        return execute(options, factory)
    except UsageError as fault:
        print(f"benchmarks.regress: {fault}", file=sys.stderr)
        return 2


def execute(options: Options, factory: RunnerFactory) -> int:
    """Play or read a run, and judge it by the baseline or write it as one."""
    if options.baseline is None and (options.run is None or options.write is None):
        raise UsageError("--baseline FILE says what to compare with; --run DIR --write FILE makes such a file")
    if options.exact and options.no_exact:
        raise UsageError("--exact and --no-exact exclude each other")
    baseline = None if options.baseline is None else read_baseline(options.baseline)
    console = Console(highlight=False)
    folder = options.run
    if folder is None:
        folder, code = _played(baseline, options, factory)
        if not (folder / SUMMARY).exists():  # stopped, or the workers could not start: the run has said why
            return code
    if options.write is not None:
        written = baseline_of(read_summary(folder), read_results(folder))
        write_baseline(options.write, written)
        console.print(f"{len(written.indices)} episodes of {folder} are the baseline {options.write}", markup=False)
        return 0
    return _judge(baseline, folder, options, console)


def _played(baseline: Baseline, options: Options, factory: RunnerFactory) -> tuple[Path, int]:
    if (here := distribution(baseline.suite).version) != baseline.version:
        raise UsageError(
            f"{options.baseline} is of version {baseline.version} of {baseline.suite}, here is version {here}; "
            f"play it anew and --write a new baseline"
        )
    words = baseline.words(options.policy)
    folder = options.out or default_folder(RunOptions(suite=baseline.suite, policy=options.policy or baseline.policy))
    code = run.main([*words, "--workers", str(options.workers), "--out", str(folder)], factory)
    if code == 2:
        raise UsageError(f"the episodes of {options.baseline} cannot be played (see above)")
    return folder, code


def _judge(baseline: Baseline, folder: Path, options: Options, console: Console) -> int:
    summary = read_summary(folder)
    for what in ("suite", "version", "hand", "attempts"):
        if (there := getattr(baseline, what)) != (here := getattr(summary, what)):
            raise UsageError(f"{what} is {there!r} in the baseline and {here!r} in {folder}; write a new baseline")
    now = {row.index: row for row in read_results(folder)}
    if set(now) != set(baseline.indices):
        raise UsageError(f"{folder} holds other episodes than the baseline, which has {len(baseline.indices)}")
    episodes = {index: episode_of(row) for index, row in now.items()}
    lost = [index for index, episode in episodes.items() if episode.outcome == "error"]
    reasons = [] if options.exact else unlike(baseline, summary)
    if options.no_exact:
        reasons.append("--no-exact")
    if reasons:
        console.print(f"tested by the rate, not episode by episode: {'; '.join(reasons)}", markup=False)
        failed = _tested(baseline, {i: e for i, e in episodes.items() if i not in lost}, console)
    else:
        failed = _exact(baseline, episodes, console)
    if lost:
        console.print(f"{len(lost)} episodes lost by errors of ours (such as {lost[0]})", style="red", markup=False)
    failed = failed or bool(lost)
    console.print("REGRESSION" if failed else "no regression", style="bold red" if failed else "bold green")
    return int(failed)


def unlike(baseline: Baseline, summary: Summary) -> list[str]:
    """Why episodes of a run need not be the same to the last digit, in words; empty where they must."""
    policy, agent = summary.policy, tuple(summary.flags)
    who = named(["--suite", baseline.suite, "--policy", policy, *agent])
    here = replace(this_machine(who, baseline.suite), mujoco=summary.versions[MUJOCO])
    reasons = baseline.machine.differences(here)
    if who.checkpoint != baseline.checkpoint:
        reasons.append(f"the controller was {baseline.checkpoint or 'none'} and is {who.checkpoint or 'none'}")
    elif not who.checkpoint and policy != baseline.policy:
        reasons.append(f"the policy was {baseline.policy} and is {policy}")
    if agent != baseline.agent:
        reasons.append("planner, masks or latency differ")
    return reasons


def changes(before: Sequence[Episode], now: dict[int, Episode]) -> dict[int, str]:
    """Every episode that is not as it was to the last digit: index -> the fields that changed, in words."""
    found = {}
    for old in before:
        there, here = asdict(old), asdict(now[old.index])
        fields = [f"{name} {there[name]} → {here[name]}" for name in there if there[name] != here[name]]
        if fields:
            found[old.index] = ", ".join(fields)
    return found


def _exact(baseline: Baseline, now: dict[int, Episode], console: Console) -> bool:
    found = changes(baseline.episodes, now)
    if not found:
        console.print(f"all {len(now)} episodes are as they were, to the last digit", markup=False)
        return False
    for index in list(found)[:LISTED]:
        console.print(f"  {index:>6}  {found[index]}", markup=False)
    if len(found) > LISTED:
        console.print(f"  and {len(found) - LISTED} more", markup=False)
    outcomes = sum(now[old.index].outcome != old.outcome for old in baseline.episodes)
    scenes = sum(now[old.index].spec_hash != old.spec_hash for old in baseline.episodes)
    console.print(
        f"{len(found)} of {len(now)} episodes are not as they were, {outcomes} in their outcome, {scenes} in their "
        f"scene. A change that is meant needs a new baseline (--write).",
        markup=False,
    )
    return True


@dataclass(frozen=True)
class Verdict:
    """A one-sided exact test of whether the success rate fell. In `pairs` A is before, B is now."""

    test: str
    pairs: Paired
    p_value: float

    @property
    def regression(self) -> bool:
        """Whether the rate fell beyond what happens in 1 of 1,000 runs without a regression."""
        return self.p_value <= FALSE_ALARM

    def noticed_drop(self) -> float | None:
        """The least drop, as a share in whole points, that this test notices with 80 % power; None if there is none."""
        n, was, gained = self.pairs.n, self.pairs.both + self.pairs.only_a, self.pairs.only_b / self.pairs.n

        def power(drop: float) -> float:
            if self.test == FISHER:
                return fisher_power(drop, n, was, n, FALSE_ALARM)
            # The episodes that were gained are made up for by as many lost ones; the drop comes on top.
            return mcnemar_power(n, drop, min(1.0, drop + 2 * gained), FALSE_ALARM, sides=1)

        return least_drop(power, POWER, was / n)


def by_rate(before: Sequence[Episode], now: dict[int, Episode]) -> Verdict:
    """The test of a fallen rate over the episodes that are in both; at least one.

    McNemar's where the scenes are the same to the last digit, else Fisher's of two independent rates. Which one is
    decided by the scenes and never by the outcomes, so that the rate of false alarms stays what it is said to be.
    """
    both = [(old, now[old.index]) for old in before if old.index in now]
    pairs = counted((old.outcome in SUCCESSES, new.outcome in SUCCESSES) for old, new in both)
    if all(old.spec_hash == new.spec_hash for old, new in both):
        return Verdict(MCNEMAR, pairs, mcnemar_worse(pairs.only_a, pairs.only_b))
    was, is_now = pairs.both + pairs.only_a, pairs.both + pairs.only_b
    return Verdict(FISHER, pairs, fisher_worse(is_now, pairs.n, was, pairs.n))


def _tested(baseline: Baseline, now: dict[int, Episode], console: Console) -> bool:
    if not now:
        console.print("no episode was scored, so there is nothing to test", markup=False)
        return True
    verdict = by_rate(baseline.episodes, now)
    pairs, drop = verdict.pairs, verdict.noticed_drop()
    was, is_now = (percent((pairs.both + alone) / pairs.n) for alone in (pairs.only_a, pairs.only_b))
    console.print(
        f"success was {was} % and is {is_now} % of {pairs.n} episodes; {verdict.test}, one-sided: "
        f"p = {verdict.p_value:.2g}, a regression up to {FALSE_ALARM:g} (1 false alarm in {1 / FALSE_ALARM:,.0f} runs)",
        markup=False,
    )
    what = "no drop: the episodes are too few" if drop is None else f"a drop of {100 * drop:.0f} points"
    console.print(f"With {100 * POWER:.0f} % power it would notice {what}.", markup=False)
    return verdict.regression


if __name__ == "__main__":
    sys.exit(main())
