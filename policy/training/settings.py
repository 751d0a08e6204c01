"""What can be chosen about a training run: options of the command, and overrides of the controller's configuration."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from policy.controller.config import ConfigError, ControllerConfig, get_config

arg = tyro.conf.arg


@dataclass(frozen=True)
class Recipe:
    """Numbers of a run that go with a configuration."""

    learning_rate: float
    warmup: int
    batch: int
    updates: int


# The published recipe is batch 48 on each of 8 GPUs for 84 epochs, about 34,000 updates.
RECIPES = {
    "paper": Recipe(1e-4, 2000, 48, 34_000),
    "nonprehensile": Recipe(1e-4, 2000, 48, 40_000),
    "small": Recipe(8e-4, 200, 64, 12_000),
}


@dataclass(frozen=True)
class Options:
    """Train a controller on demonstrations."""

    data: Annotated[tuple[Path, ...], arg(help="files of demonstrations")]
    out: Annotated[Path, arg(help="folder of the run: training state, checkpoints, curves")]
    config: Annotated[str, arg(help="controller: small, paper or nonprehensile")] = "small"
    set: Annotated[tuple[str, ...], arg(help="changes of the configuration, such as width=256 mask.depth=3")] = ()
    resume: Annotated[bool, arg(help="go on with the run in the folder")] = False
    devices: Annotated[str, arg(help="auto, cpu, cuda, or with a number of processes: cpu:2, cuda:8")] = "auto"
    updates: Annotated[int | None, arg(help="length of the whole schedule, in updates")] = None
    batch: Annotated[int | None, arg(help="windows of one update, over all processes")] = None
    learning_rate: Annotated[float | None, arg(help="highest learning rate")] = None
    warmup: Annotated[int | None, arg(help="updates until the highest learning rate")] = None
    seed: Annotated[int, arg(help="seed of weights, order and noise")] = 0
    precision: Annotated[Literal["fp32", "bf16"], arg(help="arithmetic of the forward pass")] = "fp32"
    ema: Annotated[bool, arg(help="export averaged weights, not the last ones")] = True
    stride: Annotated[int, arg(help="every n-th step of a demonstration begins a window")] = 1
    jitter_views: Annotated[int, arg(help="colour-jittered views of each frame; 0: the plain frame")] = 1
    limits_quantile: Annotated[float, arg(help="share of actions beyond either limit of the normaliser")] = 0.0
    online: Annotated[bool, arg(help="towers work in every update; nothing is kept on disk, colours are new")] = False
    cache: Annotated[Path | None, arg(help="folder of the towers' features; without, features/ beside OUT")] = None
    tower_weights: Annotated[tuple[str, ...], arg(help="files of towers that come without, as TOWER=FILE")] = ()
    workers: Annotated[int, arg(help="processes that make features on a CPU; with --online threads")] = 2
    threads: Annotated[int | None, arg(help="CPU threads of torch; without, one per usable core")] = None
    validate_every: Annotated[int, arg(help="updates between validations; 0: never")] = 500
    save_every: Annotated[int, arg(help="updates between saves of the training state")] = 250
    stop_after_minutes: Annotated[float | None, arg(help="interrupt then, to be resumed; the schedule stays")] = None
    rollout_every: Annotated[int, arg(help="updates between rollouts in the environment; 0: never")] = 0
    rollout_suite: Annotated[str, arg(help="suite of the rollouts")] = "seen_objects"
    rollout_episodes: Annotated[int, arg(help="episodes of a rollout")] = 20
    init: Annotated[Path | None, arg(help="checkpoint whose weights and normaliser are the start")] = None

    @property
    def cache_folder(self) -> Path:
        """Where features lie."""
        return self.out.parent / "features" if self.cache is None else self.cache

    @property
    def towers(self) -> dict[str, str]:
        """Tower name -> file of its weights. Raises ConfigError for another form."""
        return dict(_pair(text, "tower_weights") for text in self.tower_weights)

    @property
    def recipe(self) -> Recipe:
        """The configuration's recipe with what was chosen otherwise. Raises ConfigError for what cannot work."""
        usual = RECIPES[self.config]
        chosen = {key: getattr(self, key) for key in ("learning_rate", "warmup", "batch", "updates")}
        recipe = Recipe(**{key: getattr(usual, key) if value is None else value for key, value in chosen.items()})
        least = {"learning_rate": 0.0, "warmup": 0, "batch": 1, "updates": 1}
        for key, bound in least.items():
            if getattr(recipe, key) < bound:
                raise ConfigError(f"{key} is {getattr(recipe, key)}, must be at least {bound}")
        for key, bound in {"stride": 1, "jitter_views": 0, "workers": 1, "save_every": 1, "validate_every": 0}.items():
            if getattr(self, key) < bound:
                raise ConfigError(f"{key} is {getattr(self, key)}, must be at least {bound}")
        if not 0.0 <= self.limits_quantile < 0.5:
            raise ConfigError(f"limits_quantile is {self.limits_quantile}, must be from 0 to below 0.5")
        return recipe


def chosen_config(options: Options) -> ControllerConfig:
    """The configuration of a run. Raises ConfigError for unknown names, listing the choices."""
    return overridden(get_config(options.config), options.set)


def overridden(config: ControllerConfig, changes: Sequence[str]) -> ControllerConfig:
    """The configuration with changes such as "width=256", "mask.depth=3", "head.size=288,192" or "target=none"."""
    values = config.as_dict()
    for text in changes:
        key, word = _pair(text, "set")
        known = dict(_flat(values))
        if key == "target" and word == "none":
            values["target"] = None
            continue
        if key not in known:
            raise ConfigError(f"unknown setting {key!r}; choose from: {', '.join(sorted(known))}")
        holder, last = values, key
        if "." in key:
            outer, last = key.split(".")
            holder = values[outer]
        holder[last] = _typed(key, word, known[key])
    return ControllerConfig.from_dict(values)


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", inner_value) for inner, inner_value in value.items())
        elif key != "target":
            yield key, value


def _typed(key: str, word: str, now: Any) -> Any:
    """The word as a value of the type that is there now."""
    try:
        if isinstance(now, bool):
            return {"true": True, "false": False}[word.lower()]
        if isinstance(now, tuple | list):
            parts = [_typed(key, part, old) for part, old in zip(word.split(","), now, strict=True)]
            return tuple(parts)
        return type(now)(word)
    except (KeyError, ValueError):
        kind = f"{len(now)} numbers with commas" if isinstance(now, tuple | list) else type(now).__name__
        raise ConfigError(f"{key}={word}: should be {kind}, such as {now}") from None


def _pair(text: str, option: str) -> tuple[str, str]:
    key, sign, word = text.partition("=")
    if not sign or not key or not word:
        raise ConfigError(f"--{option.replace('_', '-')} takes NAME=VALUE, got {text!r}")
    return key, word
