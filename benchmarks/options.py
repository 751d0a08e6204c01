"""What can be asked of a run, the checks that need nothing but the words, and the words for asking it again."""

import dataclasses
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from assets.robots.hands import HANDS
from benchmarks.errors import UsageError
from benchmarks.policies import NO_POLICY
from benchmarks.shards import Shard, parse_shard
from benchmarks.suites import DESCRIPTIONS, LOOKING, Suite
from datagen.pool import NO_RAY, has_ray
from envs.episode import USER_SUITE
from envs.suites import TRAINING_SUITES
from policy.build import DEFAULT, AgentOptions

RUNS = Path("runs")
ALL = "all"  # in which a policy is scored
NOT_OF_ALL = (*TRAINING_SUITES, *LOOKING)
SEVERAL = "suites"  # what the folder of several suites is called in place of a suite
COMMAND = ("python", "-m", "benchmarks.run")


@dataclass(frozen=True)
class Options:
    """Score a policy on a suite of episodes that are the same for every policy."""

    suite: str
    """Which episodes: unseen_objects, seen_objects, a JSON file, user:NAME for an object of your own; several with
    commas between them, or all."""
    policy: str = DEFAULT
    """Who acts: default (the shipped controller), a controller's file, module:factory of your own policy, expert
    (privileged), random or hold-still. In planner_boxes and planner_verdicts nobody acts: name a --planner alone."""
    agent: tyro.conf.OmitArgPrefixes[AgentOptions] = field(default_factory=AgentOptions)
    hand: str = "g0r"
    """The hand on the arm: g0r or rh56."""
    episodes: int | None = None
    """How many episodes; without it, the rest of the published list."""
    first: int = 0
    """Index of the first episode. Beyond the published list the indices go on without end."""
    episode: int | None = None
    """This one episode: short for --first N --episodes 1."""
    adaptive: float | None = None
    """Stop as soon as the 95 % interval is narrower than this share, such as 0.1 for ten points."""
    shard: str | None = None
    """i/n: only the i-th of n parts, each on a machine of its own; benchmarks.merge puts them together."""
    engine: Literal["local", "ray"] = "local"
    """Where episodes are played: processes of this machine, or a Ray cluster. The rows do not depend on it."""
    ray_address: str | None = None
    """Address of a running Ray cluster; without it Ray starts one on this machine."""
    workers: int | Literal["auto"] = "auto"
    """Worker processes of the engine local; auto is one per usable core. The rows do not depend on it."""
    attempts: int = 1
    """Attempts per episode; each further one starts in the scene as the last one left it."""
    out: Path | None = None
    """Folder for the results; without it, runs/<suite>-<policy>-<number>. Several suites get a folder each in it."""
    resume: bool = False
    """Go on with the run in the folder: play what is missing, and what ended in an error."""
    video: int = 0
    """Film this many episodes, from the first one on."""
    record: Path | None = None
    """HDF5 file (robomimic layout) to which the demonstrations of successful episodes are saved."""


def checked(options: Options) -> Options:
    """The options with short forms written out. Raises UsageError for an impossible wish."""
    if options.hand not in HANDS:
        raise UsageError(f"unknown hand {options.hand!r}; choose from: {', '.join(sorted(HANDS))}")
    least = {"episodes": 1, "first": 0, "episode": 0, "workers": 1, "attempts": 1, "video": 0}
    for name, bound in least.items():
        value = getattr(options, name)
        if isinstance(value, int) and value < bound:
            raise UsageError(f"--{name} must be at least {bound}, got {value}")
    if options.adaptive is not None and not 0.0 < options.adaptive < 1.0:
        raise UsageError(f"--adaptive must lie between 0 and 1 (0.1 for ten points), got {options.adaptive:g}")
    for one, other, why in _QUARRELS:
        if _is_set(options, one) and _is_set(options, other):
            raise UsageError(f"--{one} does not go with --{other}: {why}")
    if options.engine == "ray" and not has_ray():
        raise UsageError(NO_RAY)
    if options.episode is None:
        return options
    return dataclasses.replace(options, first=options.episode, episodes=1, episode=None)


_QUARRELS = (
    ("episode", "first", "it is short for --first and --episodes"),
    ("episode", "episodes", "it is short for --first and --episodes"),
    ("adaptive", "shard", "a part cannot know when the whole has seen enough"),
    ("adaptive", "record", "what was played beyond the end would be recorded too"),
    ("shard", "record", "one process at a time may write to a file of demonstrations"),
)


def asked_suites(words: str) -> tuple[str, ...]:
    """The names that `--suite` asks for: one, several with commas between them, or all. Raises UsageError.

    The commas of user:mug,cup belong to that suite: only a published name, or another user:, begins a new one.
    """
    if words == ALL:
        return tuple(name for name in DESCRIPTIONS if name not in NOT_OF_ALL)
    names: list[str] = []
    for word in map(str.strip, words.split(",")):
        if names and names[-1].startswith(USER_SUITE) and word not in DESCRIPTIONS and not word.startswith(USER_SUITE):
            names[-1] += f",{word}"
        else:
            names.append(word)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"--suite names {twice[0]} more than once")
    return tuple(names)


def for_suite(options: Options, name: str) -> Options:
    """The options for one of the suites that they ask for. Raises UsageError for a wish that it cannot fulfil.

    Where no policy acts, `policy` is NO_POLICY.
    """
    if name not in LOOKING:
        if options.policy == NO_POLICY:
            raise UsageError(f"--policy {NO_POLICY} is for {' and '.join(LOOKING)}; in {name} somebody must act")
        return dataclasses.replace(options, suite=name)
    if options.policy not in (DEFAULT, NO_POLICY):
        raise UsageError(f"no policy acts in {name}: leave --policy {options.policy} out and name a --planner")
    for wish in ("attempts", "record", "video"):
        if _is_set(options, wish):
            raise UsageError(f"--{wish} does not go with {name}: no policy acts in it")
    return dataclasses.replace(options, suite=name, policy=NO_POLICY)


@dataclass(frozen=True)
class Wanted:
    """The episodes of a run: `whole` is all of them, in order; `indices` those of its shard, where it is one."""

    whole: tuple[int, ...]
    shard: Shard | None

    @property
    def indices(self) -> tuple[int, ...]:
        """What is to be played here."""
        return self.whole if self.shard is None else tuple(self.shard.indices)


def wanted(options: Options, suite: Suite) -> Wanted:
    """The episodes that are asked for. Raises UsageError for an impossible shard."""
    rest = suite.size - options.first
    episodes = options.episodes or (rest if rest > 0 else suite.size)
    whole = tuple(range(options.first, options.first + episodes))
    return Wanted(whole, None if options.shard is None else parse_shard(options.shard, whole))


def default_folder(options: Options) -> Path:
    """A fresh numbered folder, or the latest one of its kind where a run is resumed."""
    policy = options.policy.replace(":", "-").replace(".", "-") if ":" in options.policy else Path(options.policy).stem
    names = asked_suites(options.suite)
    if set(names) <= set(LOOKING):
        policy = options.agent.planner.name
    suite = suite_folder(names[0]) if len(names) == 1 else SEVERAL
    stem = f"{suite}-{policy}-"
    numbers = [int(p.name[len(stem) :]) for p in RUNS.glob(f"{stem}*") if p.name[len(stem) :].isdigit()]
    if options.resume:
        if not numbers:
            raise UsageError(f"there is no run {RUNS / stem}* to resume; name its folder with --out")
        return RUNS / f"{stem}{max(numbers)}"
    return RUNS / f"{stem}{max(numbers, default=0) + 1}"


def suite_folder(name: str) -> str:
    """The name of a suite, as part of a folder's."""
    return Path(name).stem.replace(":", "-")


def resume_command(options: Options, folder: Path) -> str:
    """The words that go on with the run in `folder`."""
    words = [*COMMAND, "--out", str(folder)]
    for name in Options.__dataclass_fields__:
        if name not in ("agent", "out", "resume", "workers") and _is_set(options, name):
            words += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    return shlex.join([*words, *options.agent.words(), "--resume"])


def _is_set(options: Options, name: str) -> bool:
    return getattr(options, name) != Options.__dataclass_fields__[name].default
