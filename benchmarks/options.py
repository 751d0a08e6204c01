"""What can be asked of a run, the checks that need nothing but the words, and the words for asking it again."""

import dataclasses
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from assets.robots.hands import HANDS
from benchmarks.errors import UsageError
from benchmarks.suites import Suite, get_suite
from envs.episode import USER_SUITE, distribution
from envs.interface import EpisodeError
from policy.build import DEFAULT, AgentOptions

RUNS = Path("runs")
COMMAND = ("python", "-m", "benchmarks.run")


@dataclass(frozen=True)
class Options:
    """Score a policy on a suite of episodes that are the same for every policy."""

    suite: str
    """Which episodes: unseen_objects, seen_objects, or user:NAME for an object of your own."""
    policy: str = DEFAULT
    """Who acts: default (the shipped controller), a controller's file, module:factory of your own policy, expert
    (privileged), random or hold-still."""
    agent: tyro.conf.OmitArgPrefixes[AgentOptions] = field(default_factory=AgentOptions)
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


def checked_suite(options: Options) -> Suite:
    """The suite that is asked for. Raises UsageError for an impossible wish."""
    suite = _suite(options.suite)
    if options.hand not in HANDS:
        raise UsageError(f"unknown hand {options.hand!r}; choose from: {', '.join(sorted(HANDS))}")
    least = {"episodes": 1, "first": 0, "workers": 1, "attempts": 1, "video": 0}
    for name, bound in least.items():
        value = getattr(options, name)
        if isinstance(value, int) and value < bound:
            raise UsageError(f"--{name} must be at least {bound}, got {value}")
    return suite


def asked_indices(options: Options, suite: Suite) -> tuple[int, ...]:
    """The episodes that are asked for."""
    rest = suite.size - options.first
    episodes = options.episodes or (rest if rest > 0 else suite.size)
    return tuple(range(options.first, options.first + episodes))


def default_folder(options: Options) -> Path:
    """A fresh numbered folder, or the latest one of its kind where a run is resumed."""
    policy = options.policy.replace(":", "-").replace(".", "-") if ":" in options.policy else Path(options.policy).stem
    stem = f"{options.suite.replace(':', '-')}-{policy}-"
    numbers = [int(p.name[len(stem) :]) for p in RUNS.glob(f"{stem}*") if p.name[len(stem) :].isdigit()]
    if options.resume:
        if not numbers:
            raise UsageError(f"there is no run {RUNS / stem}* to resume; name its folder with --out")
        return RUNS / f"{stem}{max(numbers)}"
    return RUNS / f"{stem}{max(numbers, default=0) + 1}"


def resume_command(options: Options, folder: Path) -> str:
    """The words that go on with the run in `folder`."""
    words = [*COMMAND, "--out", str(folder)]
    for name in ("suite", "policy", "hand", "episodes", "first", "attempts", "video", "record"):
        value = getattr(options, name)
        if value not in (None, _default(name)):
            words += [f"--{name}", str(value)]
    return shlex.join([*words, *options.agent.words(), "--resume"])


def _default(name: str) -> object:
    return next(f.default for f in dataclasses.fields(Options) if f.name == name)


def _suite(name: str) -> Suite:
    if not name.startswith(USER_SUITE):
        return get_suite(name)
    try:
        own = distribution(name)
    except EpisodeError as fault:
        raise UsageError(str(fault)) from fault
    return Suite(name, own.version, own.size, f"{', '.join(own.targets)} in clutter of seen objects")
