"""What a controller is made of, as frozen data: `paper` is the published one, `small` keeps every mechanism of it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from envs import spec
from envs.interface import DexClutterError

NOISE, SAMPLE = "noise", "sample"
ABSOLUTE, RELATIVE = "absolute", "relative"
BATCH, SAMPLES = "batch", "samples"
WHOLE = (0.0, 0.0, 1.0, 1.0)


class ConfigError(DexClutterError, ValueError):
    """A configuration that does not fit together, or a name that is not one."""


@dataclass(frozen=True)
class View:
    """How a camera's picture reaches a frozen tower.

    tower: name of `policy.controller.towers.TOWERS`; size: (width, height) that the tower sees, in pixels;
    crop: (x0, y0, x1, y1), the part of the picture that is resized, in shares of its width and height.
    """

    tower: str
    size: tuple[int, int]
    crop: tuple[float, float, float, float] = WHOLE


@dataclass(frozen=True)
class MaskNet:
    """The transformer that reads the mask; it is trained from scratch. Its patches match the head tower's tokens."""

    patch: int
    width: int
    depth: int
    heads: int
    feedforward: int
    positions: bool = False  # learned position embedding; the published one has none


@dataclass(frozen=True)
class ControllerConfig:
    """One controller. Lengths in tokens and steps, sizes in pixels.

    horizon: actions of a chunk, of which `execute` are carried out before the next look. width, depth, heads,
    feedforward: of the transformer. target: the zoomed view of the target at the start of an attempt, or None.
    geometry: whether place and shape of the mask arrive as a token of their own, now and at the start of the attempt.
    train_steps, inference_steps: of DDIM. predicts: NOISE or SAMPLE. arm: ABSOLUTE targets, or RELATIVE to the measured
    joints. noise_levels: noise draws for each encoded picture. goal_weight, phase_weight: of the losses that exist
    in training alone (arm posture at the grasp, phase). goal_drop: chance, while training, that the posture is
    predicted without pictures, from mask geometry and state alone. goal_token: whether the denoiser is told what
    these predict.
    reach_weight: of the distance between where a predicted and the true action put the hand; of chunks only
    where the SAMPLE is predicted.
    state_noise: standard deviation added to the measured state.
    ignore_padding: whether actions after the end of a demonstration stay out of the loss.
    jitter: of the colours while training, strengths of brightness, contrast, saturation and hue; jitter_per: one draw
    for a whole BATCH, or SAMPLES each with their own. hide: chances, while training, that the denoiser sees nothing of
    the head camera, nothing of the wrist camera, of neither; hide_per as jitter_per. antialias: when pictures are made
    smaller.
    """

    name: str
    head: View
    wrist: View
    mask: MaskNet
    horizon: int = 64
    execute: int = 6
    width: int = 1024
    depth: int = 12
    heads: int = 8
    feedforward: int = 1024
    dropout: float = 0.1
    state_hidden: int = 256
    time_channels: int = 256
    target: View | None = None
    geometry: bool = False
    train_steps: int = 50
    inference_steps: int = 16
    predicts: str = NOISE
    arm: str = ABSOLUTE
    noise_levels: int = 1
    goal_weight: float = 0.0
    goal_drop: float = 0.0
    phase_weight: float = 0.0
    goal_token: bool = False
    reach_weight: float = 0.0
    state_noise: float = 0.0
    mask_noise: bool = False
    ignore_padding: bool = False
    jitter: tuple[float, float, float, float] = (0.3, 0.3, 0.3, 0.1)  # brightness, contrast, saturation, hue
    jitter_per: str = BATCH
    hide: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hide_per: str = BATCH
    antialias: bool = False

    def __post_init__(self) -> None:
        """Raises ConfigError for what cannot work."""
        _check(self.width % self.heads == 0, f"width {self.width} is not a multiple of {self.heads} heads")
        _check(1 <= self.execute <= self.horizon, f"execute is {self.execute} of a horizon of {self.horizon}")
        _check(self.predicts in (NOISE, SAMPLE), f"predicts is {NOISE} or {SAMPLE}, not {self.predicts!r}")
        _check(self.arm in (ABSOLUTE, RELATIVE), f"arm is {ABSOLUTE} or {RELATIVE}, not {self.arm!r}")
        _check(not self.goal_token or self.hinted, "goal_token needs goal_weight or phase_weight above 0")
        _check(1 <= self.inference_steps <= self.train_steps, "inference_steps is not within 1 and train_steps")
        for name, value in (("jitter_per", self.jitter_per), ("hide_per", self.hide_per)):
            _check(value in (BATCH, SAMPLES), f"{name} is {BATCH} or {SAMPLES}, not {value!r}")
        chances = len(self.hide) == 3 and min(self.hide) >= 0.0 and sum(self.hide) <= 1.0
        _check(chances, f"hide is {self.hide}, not three chances that leave room for seeing everything")
        hue = len(self.jitter) == 4 and min(self.jitter) >= 0.0 and self.jitter[3] <= 0.5
        _check(hue, f"jitter is {self.jitter}, not four strengths from 0, hue at most 0.5")

    @property
    def action_dim(self) -> int:
        """Numbers of one action."""
        return spec.ACTION_DIM

    @property
    def hinted(self) -> bool:
        """Whether goal and phase are predicted."""
        return self.goal_weight > 0 or self.phase_weight > 0

    @property
    def views(self) -> dict[str, View]:
        """Name of the observation's part -> how it is looked at."""
        views = {"head": self.head, "wrist": self.wrist}
        return views if self.target is None else {**views, "target": self.target}

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ControllerConfig":
        """The configuration that `as_dict` described. Raises ConfigError for unknown or missing fields."""
        try:
            kwargs = dict(values)
            for key in ("head", "wrist", "target"):
                if kwargs.get(key) is not None:
                    kwargs[key] = View(**{k: tuple(v) if isinstance(v, list) else v for k, v in kwargs[key].items()})
            kwargs["mask"] = MaskNet(**kwargs["mask"])
            kwargs.update({key: tuple(kwargs[key]) for key in ("jitter", "hide") if key in kwargs})
            return cls(**kwargs)
        except (TypeError, KeyError, AttributeError) as fault:
            raise ConfigError(f"this is no configuration of a controller that this version knows: {fault}") from fault


def paper() -> ControllerConfig:
    """The published controller: 163,712,269 trainable parameters, 2,739 + 1 condition tokens."""
    return ControllerConfig(
        name="paper",
        head=View("dinov2_vitb14", (518, 518)),
        wrist=View("dinov2_vitl14", (518, 518)),
        mask=MaskNet(patch=14, width=768, depth=4, heads=8, feedforward=3072),
    )


def nonprehensile() -> ControllerConfig:
    """The published variant for flat objects: ViT-B/14 twice, width 768, horizon 100, 105,559,565 parameters."""
    return ControllerConfig(
        name="nonprehensile",
        head=View("dinov2_vitb14", (518, 518)),
        wrist=View("dinov2_vitb14", (518, 518)),
        mask=MaskNet(patch=14, width=768, depth=4, heads=8, feedforward=3072),
        horizon=100,
        width=768,
        feedforward=768,
    )


def small() -> ControllerConfig:
    """Trains in hours on two CPU cores and answers in a fraction of a second; what differs from `paper` is measured."""
    return ControllerConfig(
        name="small",
        head=View("efficientnet_lite0", (288, 192), crop=(0.1, 0.0, 1.0, 0.8)),
        wrist=View("efficientnet_lite0", (224, 160)),
        target=View("efficientnet_lite0", (128, 128)),
        mask=MaskNet(patch=32, width=128, depth=2, heads=4, feedforward=256, positions=True),
        horizon=16,
        width=192,
        depth=4,
        heads=6,
        feedforward=384,
        dropout=0.0,
        state_hidden=128,
        time_channels=128,
        geometry=True,
        predicts=SAMPLE,
        arm=RELATIVE,
        noise_levels=2,
        goal_weight=0.3,
        goal_drop=0.5,
        phase_weight=0.1,
        goal_token=True,
        reach_weight=1.0,
        state_noise=0.01,
        mask_noise=True,
        ignore_padding=True,
        jitter_per=SAMPLES,
        hide=(0.1, 0.1, 0.3),
        hide_per=SAMPLES,
        antialias=True,
    )


CONFIGS: dict[str, Callable[[], ControllerConfig]] = {"paper": paper, "nonprehensile": nonprehensile, "small": small}


def get_config(name: str) -> ControllerConfig:
    """The configuration called `name`. Raises ConfigError listing the choices."""
    if name not in CONFIGS:
        raise ConfigError(f"unknown configuration {name!r}; choose from: {', '.join(sorted(CONFIGS))}")
    return CONFIGS[name]()


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ConfigError(message)
