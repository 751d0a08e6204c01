"""Shells of the arm: white tubes and rounded elbow drums with dark seams, like the RM75.

An odd link is the housing before an elbow: a tube along +z that ends in a drum on the elbow's axis. An even link is
the drum's other half and the tube that leaves it along -y. Neither shell has walls where the next one continues.
"""

import functools
from collections.abc import Sequence

import mujoco
import numpy as np

from assets.mesh import Mesh, circle, loft
from assets.robots.palette import add_shell, painted

# Rotations that carry the z axis of a turned profile onto -y (tubes of even links, drums of odd ones).
Z_TO_MINUS_Y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
UPRIGHT = np.eye(3)

SEAM_M = 0.007
# Per elbow: tube radius before it, drum radius, half length of the drum, length of the tube before it (m).
ELBOWS = ((0.044, 0.0475, 0.053, 0.062), (0.038, 0.0410, 0.047, 0.056), (0.032, 0.0350, 0.041, 0.055))
# Per even link: tube radius near the drum and at its far end, and where the next housing begins (m).
TUBES = ((0.0415, 0.0385, 0.200), (0.0355, 0.0325, 0.155), (0.0300, 0.0290, 0.112))


def turned(profile: Sequence[tuple[float, float]], n: int, *, bottom: bool = True, top: bool = True) -> Mesh:
    """Turn (radius, z) points in m, listed bottom to top, around the z axis; flat lids where wanted."""
    ring = circle(n)
    rings = np.stack([ring * radius + [0.0, 0.0, z] for radius, z in profile])
    return loft(rings, cap_start=bottom, cap_end=top)


def add_arm_shell(spec: mujoco.MjSpec, body: mujoco.MjsBody, link: int, sides: int) -> None:
    """Dress link 0 (the base) to 7 of the arm; `sides` is the number of facets around a tube."""
    add_shell(spec, body, f"{body.name}_shell", link_parts(link, sides))


@functools.cache
def link_parts(link: int, sides: int) -> tuple[Mesh, ...]:
    """The painted meshes of one link in its own frame."""
    if link == 0:
        return _base(sides)
    if link == 7:
        return _flange(sides)
    if link % 2:
        return _housing(*ELBOWS[link // 2], sides)
    return _forearm(*ELBOWS[link // 2 - 1][1:3], *TUBES[link // 2 - 1], sides)


def _base(n: int) -> tuple[Mesh, ...]:
    top = 0.2405 - ELBOWS[0][3]
    foot = turned([(0.061, 0.0), (0.061, 0.014), (0.056, 0.018)], n)
    body = turned([(0.056, 0.018), (0.055, 0.10), (0.049, 0.150), (0.0445, top)], n, bottom=False)
    return painted(foot, "seam"), painted(body, "white")


def _housing(radius: float, drum: float, half: float, length: float, n: int) -> tuple[Mesh, ...]:
    """Seam, tube and the half of the drum that lies at y < 0."""
    seam = turned([(radius * 0.96, -length), (radius * 0.96, SEAM_M - length)], n, bottom=False, top=False)
    tube = turned([(radius, SEAM_M - length), (radius, -0.004)], n, bottom=False, top=False)
    return painted(seam, "seam"), painted(tube, "white"), *_drum(drum, half, n, Z_TO_MINUS_Y)


def _drum(radius: float, half: float, n: int, rotation: np.ndarray) -> tuple[Mesh, ...]:
    """A rounded half drum from the joint's middle outwards, with a dark gap in the middle and a dark lid."""
    gap = turned([(radius * 0.97, -0.001), (radius * 0.97, 0.003)], n, bottom=False, top=False)
    wall = turned(
        [(radius, 0.003), (radius, half - 0.015), (radius * 0.93, half - 0.005), (radius * 0.70, half)],
        n,
        bottom=False,
        top=False,
    )
    lid = turned([(radius * 0.70, half), (radius * 0.66, half - 0.002)], n, bottom=False)
    origin = np.zeros(3)
    return tuple(
        painted(mesh.moved(rotation, origin), colour)
        for mesh, colour in ((gap, "seam"), (wall, "white"), (lid, "silver"))
    )


def _forearm(drum: float, half: float, near: float, far: float, length: float, n: int) -> tuple[Mesh, ...]:
    """The other half of the drum, at z > 0, and the tube along -y."""
    profile = [(near, 0.01), (near, 0.30 * length), (far, 0.62 * length), (far, length)]
    tube = turned(profile, n, bottom=False, top=False).moved(Z_TO_MINUS_Y, np.zeros(3))
    return painted(tube, "white"), *_drum(drum, half, n, UPRIGHT)


def _flange(n: int) -> tuple[Mesh, ...]:
    """Last link: a short neck, the force sensor and the tool flange, ending at z = 0."""
    start = TUBES[2][2] - 0.1725
    seam = turned([(0.028, start), (0.028, start + SEAM_M)], n, bottom=False, top=False)
    neck = turned([(0.0305, start + SEAM_M), (0.0325, -0.030)], n, bottom=False)
    sensor = turned([(0.034, -0.030), (0.034, -0.006), (0.032, 0.0)], n)
    return painted(seam, "seam"), painted(neck, "white"), painted(sensor, "steel")
