"""What an episode changes in the usual world, as plain numbers: finish, head camera, physics, timing, a shove."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from assets.objects.finish import FINISHES

CLASSIC, FILAMENT = "classic", "filament"
RENDERERS = (CLASSIC, FILAMENT)
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Shove:
    """The target is slid over the table, once in an episode, while the hand reaches for it.

    at_m: it begins once the middle of the palm is so near to the target's origin, though not in the first 0.3 s of an
    attempt; by_m: x and y in world (m); turn_rad: about the vertical.
    """

    at_m: float
    by_m: tuple[float, float]
    turn_rad: float


@dataclass(frozen=True)
class Changes:
    """What differs from the usual world; the defaults are the usual world.

    finish: how every object looks, one of assets.objects.finish.FINISHES; head_move_m, head_turn_rad: displacement
    and rotation vector of the head camera, in world; friction, mass: factors on those of every object; latency_ms:
    how long the world runs on while the policy thinks; renderer: what draws the policy's pictures, one of RENDERERS;
    shove: see Shove. Raises ValueError for an unknown name, or for a factor or a delay that cannot be.
    """

    finish: str = ""
    head_move_m: Vector = (0.0, 0.0, 0.0)
    head_turn_rad: Vector = (0.0, 0.0, 0.0)
    friction: float = 1.0
    mass: float = 1.0
    latency_ms: float = 0.0
    renderer: str = CLASSIC
    shove: Shove | None = None

    def __post_init__(self) -> None:
        for what, name, choices in (("finish", self.finish, FINISHES), ("renderer", self.renderer, RENDERERS)):
            if name not in choices:
                raise ValueError(f"unknown {what} {name!r}; choose one of: {', '.join(map(repr, choices))}")
        if not 0.0 < self.friction <= 1.0:
            raise ValueError(
                f"the factor on friction lies in (0, 1], so that no friction exceeds 1; got {self.friction}"
            )
        if not (self.mass > 0.0 and self.latency_ms >= 0.0):
            raise ValueError(f"mass must be > 0 and latency_ms >= 0; got {self.mass} and {self.latency_ms}")

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values of what differs from the usual world, and of nothing else."""
        return {name: value for name, value in asdict(self).items() if value != getattr(NONE, name)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Changes":
        """The inverse of `as_dict`, also from parsed JSON. Raises TypeError, KeyError or ValueError for others."""
        read = dict(values)
        for name in {"head_move_m", "head_turn_rad"} & read.keys():
            x, y, z = map(float, read[name])
            read[name] = (x, y, z)
        if read.get("shove") is not None:
            shove = dict(read["shove"])
            x, y = map(float, shove.pop("by_m"))
            read["shove"] = Shove(by_m=(x, y), **shove)
        return Changes(**read)


NONE = Changes()
