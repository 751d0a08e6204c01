"""Makes the agent that a command line names: a checkpoint, a planner, masks; or a policy of the user's own."""

import dataclasses
import hashlib
import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import OmitArgPrefixes

from envs.interface import DexClutterError, Policy
from policy.agent import Agent, Controller
from policy.masks.sources import MASKS, make_masks
from policy.planner import PLANNERS, PlannerConfig, planner_from
from policy.timetable import Timetable

DEFAULT = "default"
SHIPPED = Path(__file__).parent / "weights" / "small.safetensors"
FINGERPRINT_LETTERS = 12
PRIVILEGED, PUBLISHED = "privileged", "published"
PUBLISHED_SUFFIXES = (".ckpt", ".pt", ".pth", ".safetensors")
_MAX_HEADER_BYTES = 1 << 20


class BuildError(DexClutterError, ValueError):
    """What was asked for cannot be made; the message says what to ask for instead."""


@dataclass(frozen=True)
class AgentOptions:
    """What stands around a controller, as commands name it."""

    planner: OmitArgPrefixes[PlannerConfig] = dataclasses.field(default_factory=PlannerConfig)
    masks: str = PRIVILEGED
    """Where masks come from: privileged (ground truth), classic (OpenCV) or sam2."""
    masks_weights: str | None = None
    """sam2: a folder with weights, or a name on the hub."""
    latency_ms: float = 0.0
    """Time in which a chunk is computed while the one before it goes on; 0: none."""
    device: str = "cpu"
    """Where the controller computes: cpu or cuda."""
    precision: str = "float32"
    """How it computes: float32, or bfloat16 (worth it for large controllers on a GPU)."""
    tower_weights: dict[str, str] = dataclasses.field(default_factory=dict)
    """Files with the weights of towers that come with no package, such as dinov2_vitb14 FILE."""

    @property
    def privileged(self) -> tuple[str, ...]:
        """What of it reads the simulation: the agent's `privileged`, known before the agent is made."""
        return tuple(
            part for part, name in (("planner", self.planner.name), ("masks", self.masks)) if name == PRIVILEGED
        )

    def check(self) -> None:
        """Raises BuildError listing the choices for an unknown planner or masks."""
        for what, name, choices in (("planner", self.planner.name, PLANNERS), ("masks", self.masks, MASKS)):
            if name not in choices:
                raise BuildError(f"unknown {what} {name!r}; choose from: {', '.join(sorted(choices))}")

    def words(self) -> list[str]:
        """The words of a command line that ask for this; those of the defaults are left out."""
        flags = {f"--{f.name.replace('_', '-')}": (f, self) for f in dataclasses.fields(self) if f.name != "planner"}
        for f in dataclasses.fields(self.planner):
            flags["--planner" if f.name == "name" else f"--planner-{f.name.replace('_', '-')}"] = (f, self.planner)
        words = []
        for flag, (f, owner) in flags.items():
            default = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
            if (value := getattr(owner, f.name)) != default:
                words += [flag, *_spelt(value)]
        return words


@dataclass(frozen=True)
class Known:
    """What can be said of a checkpoint without loading it. Of a published one the horizon is not known (0)."""

    path: Path
    title: str  # of its configuration: "small"
    fingerprint: str
    horizon: int
    execute: int


def peek(path: Path) -> Known:
    """Read a checkpoint's header and fingerprint. Raises BuildError where `path` is no controller."""
    if not path.is_file():
        raise BuildError(f"{path} does not exist; a controller is a file that policy.train has written")
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(size)) if size <= _MAX_HEADER_BYTES else {}
            config = json.loads(header["__metadata__"]["config"])
            title, horizon, execute = str(config["name"]), int(config["horizon"]), int(config["execute"])
        except (ValueError, KeyError, TypeError) as fault:
            if path.suffix not in PUBLISHED_SUFFIXES:
                raise BuildError(f"{path} is no controller: {type(fault).__name__} in its header ({fault})") from fault
            title, horizon, execute = PUBLISHED, 0, 0
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256")
    return Known(path, title, digest.hexdigest()[:FINGERPRINT_LETTERS], horizon, execute)


def examined(path: Path, options: AgentOptions) -> Known:
    """What is known of the checkpoint, after every check that needs no torch. Raises BuildError or TimetableError."""
    options.check()
    known = peek(path)
    if known.horizon:
        Timetable(known.horizon, known.execute, options.latency_ms)
    return known


def make_agent(path: Path, options: AgentOptions, fingerprint: str = "") -> Agent:
    """The agent with the controller in `path`. Torch is loaded here.

    fingerprint: that of the file, where it is known already. Raises DexClutterError in one of its kinds: for a file
    that is no controller or another one by now, for a planner or masks that cannot be had, for too long a latency.
    """
    known = examined(path, options)
    if fingerprint and known.fingerprint != fingerprint:
        raise BuildError(f"{path} was {fingerprint} and is {known.fingerprint} by now: somebody wrote to it")
    settings: dict[str, Any] = {} if options.masks_weights is None else {"weights": options.masks_weights}
    return Agent(
        planner_from(options.planner),
        make_masks(options.masks, **settings),
        _predictor(known, options),
        latency_ms=options.latency_ms,
        name=known.title,
    )


def _predictor(known: Known, options: AgentOptions) -> Controller:
    if known.title == PUBLISHED:
        from policy.controller.published import load_published_checkpoint

        return load_published_checkpoint(known.path).predictor(options.device, precision=options.precision)
    from policy.controller.checkpoint import load
    from policy.controller.predictor import Predictor

    controller, _ = load(known.path)
    return Predictor(controller, options.tower_weights, options.device, precision=options.precision)


def _spelt(value: Any) -> list[str]:
    """A setting's value in the words of a command line."""
    if isinstance(value, dict):
        return [word for pair in value.items() for word in pair]
    return [str(part) for part in value] if isinstance(value, tuple) else [str(value)]


def checkpoint_path(name: str) -> Path:
    """The file that a policy's name stands for: DEFAULT, or a path. Raises BuildError where nothing is shipped."""
    if name != DEFAULT:
        return Path(name)
    if not SHIPPED.is_file():
        raise BuildError(
            "no trained controller is shipped with this version; score the scripted expert with --policy expert, or "
            "name a controller of yours with --policy PATH (policy.train writes one)"
        )
    return SHIPPED


def make_policy(name: str, options: AgentOptions) -> tuple[Policy, str]:
    """The policy called DEFAULT, PATH or module:factory, and the fingerprint of its weights where that is known.

    Raises DexClutterError in one of its kinds.
    """
    if is_import_path(name):
        return own_policy(name), ""
    known = peek(checkpoint_path(name))
    return make_agent(known.path, options, known.fingerprint), known.fingerprint


def is_import_path(name: str) -> bool:
    """Whether `name` reads as module:factory."""
    module, colon, factory = name.partition(":")
    return bool(colon) and factory.isidentifier() and all(part.isidentifier() for part in module.split("."))


def own_policy(name: str) -> Policy:
    """The policy that `module:factory` makes; the working directory may hold the module.

    Raises BuildError where there is no such module or factory, or it makes no policy.
    """
    module, _, factory = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        make = getattr(importlib.import_module(module), factory)
    except ModuleNotFoundError as fault:
        raise BuildError(f"{name}: there is no module {fault.name!r} on the path or in {here}") from fault
    except AttributeError as fault:
        raise BuildError(f"{name}: module {module!r} has no {factory!r}") from fault
    policy = make() if callable(make) else None
    if not isinstance(policy, Policy):
        raise BuildError(f"{name}: calling it makes {type(policy).__name__}, not an envs.interface.Policy")
    return policy
