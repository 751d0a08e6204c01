"""What a run of the generator consists of: jobs, each a pure function of what was asked for and of its index."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from assets.looks.looks import TRAIN_LIGHTINGS, TRAIN_TABLES, LookSpec
from assets.robots.hands import HANDS
from envs import spec
from envs.episode import EpisodeSpec, distribution, make_episode
from envs.interface import DexClutterError

NO_RECOVERY = "none"
RECOVERIES = ("joints", "shove", "miss", "slip")  # see datagen.recovery
LOSSLESS, JPEG = "lossless", "jpeg"
WHITE, TRAIN = "white", "train"
HABIT, VARIED = "habit", "varied"
LOOK_CHOICES = (WHITE, TRAIN, *TRAIN_TABLES)  # a table's name: that table under a training light
VALID_TENTH = 7  # scenes whose checksum ends in this digit are for validation


class RequestError(DexClutterError, ValueError):
    """The command asks for something that cannot be done; the message says what to do instead."""


@dataclass(frozen=True)
class Request:
    """Everything that decides what a dataset holds. The same request gives the same content on any engine.

    hold_s: how long the grasp is held up before the verdict, of the benchmark's 20 s; see datagen.stage.
    tolerant: grasps that also hold a target 1 cm and 8 degrees off are preferred. grasps: HABIT, one way to grasp that
    changes smoothly with the target's place (datagen.habit), or VARIED, the order of the scripted expert.
    image_size: (width, height) in pixels. looks: name of LOOK_CHOICES -> share; they add up to 1.
    """

    suite: str = "train"
    version: int = 1
    first: int = 0
    episodes: int = 1
    seed: int = 0
    hand: str = "g0r"
    cameras: tuple[str, ...] = spec.CAMERAS
    image_size: tuple[int, int] = spec.IMAGE_SIZE
    images: str = LOSSLESS
    looks: tuple[tuple[str, float], ...] = ((WHITE, 0.3), (TRAIN, 0.7))
    recovery: float = 0.3
    hold_s: float = spec.HOLD_S
    tolerant: bool = False
    grasps: str = HABIT
    keep_failures: bool = False

    def __post_init__(self) -> None:
        """Raises RequestError for a value that cannot be; EpisodeError for an unknown suite."""
        distribution(self.suite)
        _choose("hand", self.hand, HANDS)
        _choose("kind of grasps", self.grasps, (HABIT, VARIED))
        jpeg_quality(self.images)
        for camera in self.cameras:
            _choose("camera", camera, spec.CAMERAS)
        for name, share in self.looks:
            _choose("look", name, LOOK_CHOICES)
            _bound("share of a look", share, 0.0, 1.0)
        if abs(sum(share for _, share in self.looks) - 1.0) > 1e-6:
            raise RequestError(f"the shares of --look-mix add up to {sum(share for _, share in self.looks):g}, not 1")
        _bound("--recovery", self.recovery, 0.0, 1.0)
        _bound("--hold-seconds", self.hold_s, 1.0, spec.HOLD_S)
        _bound("--first", self.first, 0, np.inf)
        _bound("--seed", self.seed, 0, 2**63)
        _bound("--episodes", self.episodes, 1, np.inf)
        _bound("image width", self.image_size[0], 16, 4096)
        _bound("image height", self.image_size[1], 16, 4096)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the number of episodes: a dataset may grow by asking for more."""
        values = asdict(self)
        del values["episodes"]
        values["looks"] = [list(pair) for pair in self.looks]
        values["cameras"], values["image_size"] = list(self.cameras), list(self.image_size)
        return values

    def jobs(self) -> Iterator["Job"]:
        """One job for each scene, in order of the index."""
        return (make_job(self, index) for index in range(self.first, self.first + self.episodes))


@dataclass(frozen=True)
class Job:
    """One scene to be demonstrated. look: None keeps the scene's own; seed: for all that is random in the job."""

    index: int
    recovery: str
    look: LookSpec | None
    seed: tuple[int, ...]

    def rng(self, purpose: str) -> np.random.Generator:
        """The job's own random numbers for one purpose."""
        return np.random.default_rng(np.random.SeedSequence([*self.seed, zlib.crc32(purpose.encode())]))


def make_job(request: Request, index: int) -> Job:
    """The job at an index: a function of the request's shares and seed and of the index alone."""
    seed = (request.seed, zlib.crc32(request.suite.encode()), request.version, index)
    rng = Job(index, NO_RECOVERY, None, seed).rng("job")
    names = [name for name, _ in request.looks]
    chosen = names[int(np.searchsorted(np.cumsum([share for _, share in request.looks]), rng.random()))]
    disturbed, kind = rng.random() < request.recovery, RECOVERIES[int(rng.integers(len(RECOVERIES)))]
    lighting = (WHITE, *TRAIN_LIGHTINGS)[int(rng.integers(1 + len(TRAIN_LIGHTINGS)))]
    variant = int(rng.integers(1000))
    look = {WHITE: LookSpec(), TRAIN: None}.get(chosen, LookSpec(_table(chosen), lighting, variant))
    return Job(index, kind if disturbed else NO_RECOVERY, look, seed)


def scene_of(request: Request, job: Job) -> EpisodeSpec:
    """The scene of a job, dressed in its look."""
    episode = make_episode(request.suite, job.index, request.version)
    return episode if job.look is None else replace(episode, look=job.look)


def subset_of(suite: str, index: int) -> str:
    """The subset of a scene, train or (a tenth) valid: a function of the scene alone, so that none is ever in both."""
    return "valid" if zlib.crc32(f"{suite}/{index}".encode()) % 10 == VALID_TENTH else "train"


def parse_looks(text: str) -> tuple[tuple[str, float], ...]:
    """Text such as white=0.3,train=0.7 as pairs. Raises RequestError where that is no list of name=share."""
    pairs = []
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            pairs.append((name.strip(), float(share)))
        except ValueError:
            raise RequestError(f"--look-mix is a list such as white=0.3,train=0.7; got {text!r}") from None
    return tuple(pairs)


def parse_size(text: str) -> tuple[int, int]:
    """Text such as 640x480 as (640, 480). Raises RequestError for anything else."""
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise RequestError(f"--image-size is WIDTHxHEIGHT such as 640x480; got {text!r}")
    return int(width), int(height)


def jpeg_quality(images: str) -> int | None:
    """The quality that `images`, such as jpeg95, asks for; None for lossless. Raises RequestError for anything else."""
    quality = images.removeprefix(JPEG)
    if images == LOSSLESS:
        return None
    if images == quality or not quality.isdigit() or not 1 <= int(quality) <= 100:
        raise RequestError(f"--images is {LOSSLESS}, or {JPEG}1 to {JPEG}100 such as {JPEG}95; got {images!r}")
    return int(quality)


def parse_cameras(text: str) -> tuple[str, ...]:
    """Text such as head,wrist as a tuple; none as an empty one."""
    return () if text == "none" else tuple(dict.fromkeys(name.strip() for name in text.split(",")))


def _table(name: str) -> str:
    return name if name in TRAIN_TABLES else WHITE


def _choose(what: str, value: str, choices: tuple[str, ...] | Mapping[str, Any]) -> None:
    if value not in choices:
        raise RequestError(f"unknown {what} {value!r}; choose from: {', '.join(choices)}")


def _bound(what: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise RequestError(f"{what} must lie between {least:g} and {most:g}, got {value:g}")
