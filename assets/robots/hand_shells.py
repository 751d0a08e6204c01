"""Shells of the hands, grown around the bones of a HandSpec: palm, knuckles, phalanges, fingertips.

A statue (the parked left hand) is drawn with fewer facets and without knuckles.
"""

import functools
from collections.abc import Sequence

import mujoco
import numpy as np

from assets.mesh import Mesh, circle, loft
from assets.robots.hand_types import Bone, HandSpec, HandStyle
from assets.robots.palette import add_shell, painted
from assets.robots.shells import turned

# Palm sections from wrist to knuckles: z, half width, half depth, middle (x, y), all m; shape: 2 round, 6 boxy.
PALM_SECTIONS = (
    (0.022, 0.0265, 0.0225, 0.0, 0.002, 2.4),
    (0.040, 0.0290, 0.0215, 0.0, 0.002, 3.0),
    (0.058, 0.0360, 0.0190, 0.0, 0.001, 3.6),
    (0.085, 0.0395, 0.0178, 0.0, 0.0, 4.0),
    (0.120, 0.0405, 0.0165, 0.0, 0.0, 4.0),
    (0.137, 0.0395, 0.0135, 0.0, -0.0005, 4.0),
    (0.143, 0.0370, 0.0090, 0.0, -0.0010, 4.0),
)
KNUCKLE_SECTION = 4  # from here on the palm is the bar that carries the knuckles
PALM_SIDES = {False: 18, True: 12}  # by statue
BONE_SIDES = {False: 10, True: 6}
KNUCKLE_SIDES = 12


def add_palm_shell(world: mujoco.MjSpec, palm: mujoco.MjsBody, hand: HandSpec, statue: bool) -> None:
    """Dress the palm: wrist adapter, shell, inner pad and the thumb's socket."""
    add_shell(world, palm, "palm_shell", palm_parts(hand, statue))


def add_bone_shell(world: mujoco.MjSpec, body: mujoco.MjsBody, hand: HandSpec, bone: Bone, statue: bool) -> None:
    """Dress one phalanx."""
    add_shell(world, body, f"{bone.body}_shell", bone_parts(hand.style, bone, statue))


@functools.cache
def palm_parts(hand: HandSpec, statue: bool) -> tuple[Mesh, ...]:
    """The painted meshes of the palm in the hand frame."""
    sides = PALM_SIDES[statue]
    rings = np.stack([circle(sides, rx, ry, power) + [x, y, z] for z, rx, ry, x, y, power in PALM_SECTIONS])
    wrist = turned([(0.0315, 0.0), (0.0315, 0.016), (0.0270, 0.023)], sides, bottom=False)
    parts = [
        painted(loft(rings[: KNUCKLE_SECTION + 1], cap_start=False, cap_end=False), hand.style.palm),
        painted(loft(rings[KNUCKLE_SECTION:], cap_start=False), hand.style.wrist),
        painted(wrist, hand.style.wrist),
    ]
    if not statue:
        pad = np.stack([circle(12, 0.033, 0.031, 5.0), circle(12, 0.030, 0.028, 5.0)])
        pad[:, :, 2] = [[0.0], [0.0022]]
        # Laid on the inner face: the pad's own z becomes y, its y becomes z.
        lay = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
        parts.append(painted(loft(pad, cap_start=False).moved(lay, (0.0, 0.0160, 0.098)), hand.style.pad))
    return (*parts, _thumb_socket(hand))


def _thumb_socket(hand: HandSpec) -> Mesh:
    """The motor drum on the palm about whose axis the thumb rotates."""
    bone = hand.bone("thumb_rotation")
    drum = turned([(0.0090, -0.026), (0.0110, -0.021), (0.0110, 0.002), (0.0090, 0.006)], 12)
    return painted(drum.moved(_frame(-np.array(bone.axis)), bone.pivot), hand.style.palm)


@functools.cache
def bone_parts(style: HandStyle, bone: Bone, statue: bool) -> tuple[Mesh, ...]:
    """The painted meshes of a bone, relative to its pivot."""
    path, across = np.array(bone.path) - bone.pivot, -np.array(bone.axis)
    if bone.body == "thumb_base":
        return _thumb_base(style, path, bone.radii[0], statue)
    # The thumb stands nearest to the wrist camera.
    sides = BONE_SIDES[statue] + (2 if bone.body.startswith("thumb") and not statue else 0)
    tip = bone.body.endswith("distal")
    half_width, half_depth = max(bone.radii) * 1.12, max(bone.radii) * 1.02
    stations = _fingertip(path, bone.radii) if tip else _phalanx(path)
    rings = _rings(stations, across, half_width, half_depth, sides)
    parts = []
    if tip:
        cut = len(rings) // 2
        parts.append(painted(loft(rings[: cut + 1], cap_start=False, cap_end=False), style.finger))
        parts.append(painted(loft(rings[cut:], cap_start=False, cap_end=True), style.tip))
    else:
        parts.append(painted(loft(rings, cap_start=statue, cap_end=statue), style.finger))
    if not statue:
        knuckle = turned(
            [(half_depth * 1.10, -half_width * 0.62), (half_depth * 1.10, half_width * 0.62)], KNUCKLE_SIDES
        )
        parts.append(
            painted(knuckle.moved(_frame(across), path[0] if bone.path[0] == bone.pivot else (0, 0, 0)), style.joint)
        )
    return tuple(parts)


def _thumb_base(style: HandStyle, path: np.ndarray, radius: float, statue: bool) -> tuple[Mesh, ...]:
    """The short yoke between the thumb's two motors."""
    start, end = path[0] + 0.35 * (path[0] - path[-1]), path[-1]
    along = (end - start) / np.linalg.norm(end - start)
    length = float(np.linalg.norm(end - start))
    yoke = turned([(radius, 0.0), (radius * 1.05, 0.5 * length), (radius * 0.95, length)], BONE_SIDES[statue])
    return (painted(yoke.moved(_frame(along), start), style.joint),)


def _phalanx(path: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Stations (point, direction, size) along a bone between two knuckles: waisted in the middle."""
    start, end = path[0], path[-1]
    along = (end - start) / np.linalg.norm(end - start)
    shape = ((0.0, 0.90), (0.22, 1.0), (0.75, 0.96), (1.0, 0.84))
    if len(path) == 3:  # a bent bone: pass through its middle point
        middle = path[1]
        return [
            (start, _unit(middle - start), 0.92),
            (0.5 * (start + middle), _unit(middle - start), 1.0),
            (middle, along, 0.97),
            (end, _unit(end - middle), 0.84),
        ]
    return [(start + share * (end - start), along, size) for share, size in shape]


def _fingertip(path: np.ndarray, radii: Sequence[float]) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Stations (point, direction, size) along an end link, closing in a rounded tip beyond the last point."""
    start, end = path[0], path[-1]
    middle = path[1] if len(path) == 3 else 0.5 * (start + end)
    last, taper = _unit(end - middle), radii[-1] / max(radii)
    return [
        (start, _unit(middle - start), 0.88),
        (0.5 * (start + middle), _unit(middle - start), 1.0),
        (middle, _unit(end - start), 1.0),
        (end, last, taper),
        (end + 0.55 * radii[-1] * last, last, 0.86 * taper),
        (end + 0.95 * radii[-1] * last, last, 0.42 * taper),
    ]


def _rings(stations, across: np.ndarray, half_width: float, half_depth: float, sides: int) -> np.ndarray:
    """Cross-sections (K, sides, 3): half_width along the hinge axis, half_depth across it."""
    flat, rings = circle(sides, power=2.6), []
    for point, along, size in stations:
        u = _unit(across - (across @ along) * along)
        v = np.cross(along, u)
        rings.append(point + size * (half_width * flat[:, :1] * u + half_depth * flat[:, 1:2] * v))
    return np.stack(rings)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _frame(direction: np.ndarray) -> np.ndarray:
    """A rotation (3, 3) that carries z onto a direction."""
    z = _unit(direction)
    x = _unit(np.cross(z, [0.0, 0.0, 1.0] if abs(z[2]) < 0.9 else [1.0, 0.0, 0.0]))
    return np.stack([x, np.cross(z, x), z], axis=1)
