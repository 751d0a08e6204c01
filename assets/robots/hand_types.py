"""The words in which a hand is described: motors, bones, digits, boxes, colours, and the whole hand.

Everything is written in the hand frame (x towards the little finger, y = palm normal, the side to which the fingers
close, z along the fingers, origin at the wrist) and in the zero posture, which is the open hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from envs.spec import HAND_ORDER

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Motor:
    """A position servo: torque limit in N m at the joint and the free speed in rad/s that its damping allows."""

    limit_nm: float
    speed_rad_s: float


@dataclass(frozen=True)
class Bone:
    """One link and the hinge that carries it.

    joint: joint name; pivot, axis: (3,) hinge in the hand frame, a positive angle closes; range_rad: (low, high);
    path: points (n, 3) along the bone in m, radii: (n - 1,) m of the collision capsules between them;
    motor: the servo, or None where `coupling` (5,) gives angle = sum coupling[k] leader^k, the leader being
    the joint named `leader`.
    """

    body: str
    joint: str
    pivot: Point
    axis: Point
    range_rad: tuple[float, float]
    path: tuple[Point, ...]
    radii: tuple[float, ...]
    mass_kg: float
    armature: float
    damping: float = 0.0
    motor: Motor | None = None
    leader: str = ""
    coupling: tuple[float, ...] = ()


@dataclass(frozen=True)
class Digit:
    """A finger or the thumb: its bones from the palm outward and the centre of the fingertip pad (3,)."""

    name: str
    bones: tuple[Bone, ...]
    tip: Point


@dataclass(frozen=True)
class Box:
    """A box in the hand frame: centre (3,) and half sizes (3,) in m."""

    center: Point
    half: Point


@dataclass(frozen=True)
class HandStyle:
    """Colours of the palette for the parts of a hand."""

    palm: str
    wrist: str
    pad: str
    finger: str
    joint: str
    tip: str


@dataclass(frozen=True)
class HandSpec:
    """All there is to know of a hand: `open_rad` is what action 1 means, `closed_rad` action 0, linear between.

    driven_joints, open_rad, closed_rad: (6,) in the order of envs.spec.HAND_ORDER, names as after attaching.
    rest_action: (6,) in [0, 1], how the hand is held before it grasps: open, with the thumb rotated out of the wrist
    camera's view, as in the published photograph.
    palm: collision boxes; palm_mass_kg includes motors and wrist adapter.
    """

    name: str
    palm: tuple[Box, ...]
    palm_mass_kg: float
    palm_com: Point
    digits: tuple[Digit, ...]
    open_rad: tuple[float, ...]
    closed_rad: tuple[float, ...]
    style: HandStyle
    rest_action: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0, 0.25)

    @property
    def driven_joints(self) -> tuple[str, ...]:
        """The six motor joints in action order, as named in the station."""
        return tuple(f"hand/{name}" for name in HAND_ORDER)

    @property
    def mass_kg(self) -> float:
        """Palm and all bones."""
        return self.palm_mass_kg + sum(bone.mass_kg for bone in self.bones())

    def bones(self) -> Iterator[Bone]:
        """Every bone, digit by digit, from the palm outward."""
        return (bone for digit in self.digits for bone in digit.bones)

    def bone(self, joint: str) -> Bone:
        """The bone that turns about `joint`; KeyError lists the joints if there is none."""
        found = {bone.joint: bone for bone in self.bones()}
        if joint not in found:
            raise KeyError(f"hand {self.name} has no joint {joint!r}; it has {', '.join(found)}")
        return found[joint]


def mirrored(spec: HandSpec) -> HandSpec:
    """The other hand: x becomes -x. Axes turn the other way, so that positive angles still close."""

    def flip(p: Point) -> Point:
        return (-p[0], p[1], p[2])

    def flip_bone(bone: Bone) -> Bone:
        axis = (bone.axis[0], -bone.axis[1], -bone.axis[2])
        return replace(bone, pivot=flip(bone.pivot), axis=axis, path=tuple(flip(p) for p in bone.path))

    return replace(
        spec,
        palm=tuple(replace(box, center=flip(box.center)) for box in spec.palm),
        palm_com=flip(spec.palm_com),
        digits=tuple(
            replace(digit, tip=flip(digit.tip), bones=tuple(flip_bone(bone) for bone in digit.bones))
            for digit in spec.digits
        ),
    )
