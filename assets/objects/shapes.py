"""Building bricks of the families: matching collision pieces and visual meshes, with texture coordinates."""

from collections.abc import Sequence

import numpy as np

from assets.mesh import Mesh, circle, loft
from assets.objects.solids import rotation
from assets.objects.types import Piece

Profile = Sequence[tuple[float, float]]
Vec3 = tuple[float, float, float]
Quat = tuple[float, float, float, float]

UPRIGHT: Quat = (1.0, 0.0, 0.0, 0.0)
# Quats that turn the body's z axis onto another axis.
Z_TO_X: Quat = (0.5**0.5, 0.0, 0.5**0.5, 0.0)
Z_TO_Y: Quat = (0.5**0.5, -(0.5**0.5), 0.0, 0.0)


def about_z(angle_rad: float) -> Quat:
    """Quat of a turn about z."""
    return (float(np.cos(angle_rad / 2)), 0.0, 0.0, float(np.sin(angle_rad / 2)))


def about_y(angle_rad: float) -> Quat:
    """Quat of a turn about y."""
    return (float(np.cos(angle_rad / 2)), 0.0, float(np.sin(angle_rad / 2)), 0.0)


def cylinder(radius: float, bottom: float, top: float, x: float = 0.0, y: float = 0.0, density: float = 1.0) -> Piece:
    """An upright cylinder piece between two heights (m)."""
    return Piece("cylinder", (radius, (top - bottom) / 2, 0.0), (x, y, (top + bottom) / 2), density=density)


def block(half: Vec3, centre: Vec3 = (0.0, 0.0, 0.0), quat: Quat = UPRIGHT, density: float = 1.0) -> Piece:
    """A box piece from half sizes."""
    return Piece("box", tuple(half), tuple(centre), quat, density=density)


def ellipsoid(radii: Vec3, centre: Vec3 = (0.0, 0.0, 0.0), quat: Quat = UPRIGHT, density=1.0) -> Piece:
    """An ellipsoid piece from its radii."""
    return Piece("ellipsoid", tuple(radii), tuple(centre), quat, density=density)


def hull(vertices: np.ndarray, centre: Vec3 = (0.0, 0.0, 0.0), quat: Quat = UPRIGHT, density=1.0) -> Piece:
    """A convex mesh piece."""
    return Piece("mesh", (0.0, 0.0, 0.0), tuple(centre), quat, np.asarray(vertices, dtype=float), density)


def frustum(bottom_radius: float, top_radius: float, bottom: float, top: float, sides: int = 20) -> Piece:
    """A truncated cone as a mesh piece; its flat sides straddle the true cone."""
    ring = circle(sides) / np.cos(np.pi / sides) ** 0.5
    low, high = ring * bottom_radius + [0, 0, bottom], ring * top_radius + [0, 0, top]
    return hull(np.concatenate([low, high]))


def turned(
    profile: Profile,
    n: int = 18,
    label: tuple[float, float] | None = None,
    *,
    floor: bool = True,
    lid: bool = True,
) -> Mesh:
    """A surface of revolution from (radius, z) points, bottom to top along the outside.

    label: (z of v = 0, z of v = 1), by default the whole height; beyond it the picture's edge rows continue.
    floor, lid: close the ends. The seam lies at -y, so that the middles of a picture's halves face +x and -x.
    """
    ring = circle(n)[:, [1, 0, 2]] * [1, -1, 0]
    rings = np.stack([ring * r + [0, 0, z] for r, z in profile])
    mesh = loft(rings, cap_start=floor and profile[0][0] > 1e-4, cap_end=lid and profile[-1][0] > 1e-4)
    z = mesh.vertices[:, 2]
    low, high = (z.min(), z.max()) if label is None else label
    uv = mesh.texcoord.copy()
    uv[:, 1] = np.clip((z - low) / max(high - low, 1e-6), 0.01, 0.99)
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    # At a pole every second triangle has shrunk to nothing.
    drawn = np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-12
    return Mesh(mesh.vertices, mesh.faces[drawn], uv)


def dome(radius: float, height: float, base: float, steps: int = 4) -> list[tuple[float, float]]:
    """Profile of half an ellipsoid that rises from (radius, base) to (0, base + height)."""
    t = np.linspace(0, np.pi / 2, steps + 1)
    return [(float(radius * np.cos(a)), float(base + height * np.sin(a))) for a in t]


def cuboid(half: Vec3, centre: Vec3 = (0.0, 0.0, 0.0)) -> Mesh:
    """A box whose sides (+x, +y, -x, -y) share the lower 3/4 of the picture and whose top and bottom its upper 1/4.

    Side k takes u in [k/4, (k+1)/4]; the top takes u in [0, 1/2], the bottom u in [1/2, 1].
    """
    x, y, z = half
    corners = [
        [(x, -y, -z), (x, y, -z), (x, y, z), (x, -y, z)],
        [(x, y, -z), (-x, y, -z), (-x, y, z), (x, y, z)],
        [(-x, y, -z), (-x, -y, -z), (-x, -y, z), (-x, y, z)],
        [(-x, -y, -z), (x, -y, -z), (x, -y, z), (-x, -y, z)],
        [(x, -y, z), (x, y, z), (-x, y, z), (-x, -y, z)],
        [(-x, -y, -z), (-x, y, -z), (x, y, -z), (x, -y, -z)],
    ]
    e = 0.004  # keeps the filter from bleeding over the tiles' edges
    tiles = [(k / 4 + e, 0.0 + e, (k + 1) / 4 - e, 0.75 - e) for k in range(4)]
    tiles += [(0.0 + e, 0.75 + e, 0.5 - e, 1.0 - e), (0.5 + e, 0.75 + e, 1.0 - e, 1.0 - e)]
    uv = [[(a, b), (c, b), (c, d), (a, d)] for a, b, c, d in tiles]
    start = 4 * np.arange(6)[:, None]
    faces = np.concatenate([start + np.array([0, 1, 2]), start + np.array([0, 2, 3])])
    return Mesh(np.reshape(corners, (-1, 3)) + np.asarray(centre), faces, np.reshape(uv, (-1, 2)))


def prism(outline: np.ndarray, bottom: float, top: float, bevel: float = 0.0) -> Mesh:
    """An upright prism over a star-shaped outline (N, 2), counter-clockwise; bevel softens its rims (m)."""
    ring = np.concatenate([outline, np.zeros((len(outline), 1))], axis=1)
    levels = [(bottom, 1.0), (top, 1.0)]
    if bevel:
        inner = 1 - bevel / np.abs(outline).max()
        levels = [(bottom, inner), (bottom + bevel, 1.0), (top - bevel, 1.0), (top, inner)]
    mesh = loft(np.stack([ring * [s, s, 1] + [0, 0, z] for z, s in levels]))
    # The picture runs around the outline by its length, so that print is not stretched on long sides.
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(outline, axis=0, append=outline[:1]), axis=1))])
    uv = mesh.texcoord.copy()
    sides = len(levels) * (len(outline) + 1)
    uv[:sides, 0] = np.tile(length / length[-1], len(levels))
    uv[:, 1] = np.clip((mesh.vertices[:, 2] - bottom) / (top - bottom), 0.01, 0.99)
    return Mesh(mesh.vertices, mesh.faces, uv)


def rectangle(half_x: float, half_y: float, corner: float = 0.0) -> np.ndarray:
    """Outline (4 or 8, 2) of a rectangle, counter-clockwise; corner: length cut off each side (m)."""
    x, y, c = half_x, half_y, corner
    if not c:
        return np.array([(x, -y), (x, y), (-x, y), (-x, -y)])
    points = [(x, -y + c), (x, y - c), (x - c, y), (-x + c, y), (-x, y - c), (-x, -y + c), (-x + c, -y), (x - c, -y)]
    return np.array(points)


def rounded(half: Vec3, centre: Vec3 = (0.0, 0.0, 0.0), power: float = 5.0, n: int = 20, levels: int = 7) -> Mesh:
    """A superellipsoid: a box with soft edges (power 4 to 8)."""
    t = np.linspace(-np.pi / 2, np.pi / 2, levels + 2)[1:-1]
    z = np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / power)
    r = np.cos(t) ** (2 / power)
    ring = circle(n, half[0], half[1], power)
    rings = [ring * 1e-3 + [0, 0, -half[2]]]
    rings += [ring * [s, s, 0] + [0, 0, h * half[2]] for s, h in zip(r, z, strict=True)]
    rings += [ring * 1e-3 + [0, 0, half[2]]]
    mesh = loft(np.stack(rings))
    return Mesh(mesh.vertices + np.asarray(centre), mesh.faces, mesh.texcoord)


def blob(radii: Vec3, centre: Vec3 = (0.0, 0.0, 0.0), quat: Quat = UPRIGHT, n: int = 14, k: int = 7) -> Mesh:
    """An ellipsoid; u runs around z from -y, v from bottom to top."""
    t = np.linspace(-np.pi / 2, np.pi / 2, k + 1)
    ball = turned([(float(np.cos(a)), float(np.sin(a))) for a in t], n)
    # Few-sided balls are blown up so that their flat sides straddle the true surface.
    scale = np.array([1 / np.cos(np.pi / n) ** 0.5, 1 / np.cos(np.pi / n) ** 0.5, 1])
    return Mesh(ball.vertices * radii * scale, ball.faces, ball.texcoord).moved(rotation(quat), centre)


def sweep(path: np.ndarray, radius: float | Sequence[float], n: int = 8, flat: float = 1.0) -> Mesh:
    """A tube along a path (K, 3) that lies in one plane; flat < 1 squeezes the section along that plane's normal."""
    path = np.asarray(path, dtype=float)
    radii = np.broadcast_to(radius, len(path))
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    spread = np.linalg.svd(path - path.mean(axis=0))[2]
    normal = spread[2]
    side = np.cross(normal, along)
    ring = circle(n)
    rings = [
        centre + r * (ring[:, :1] * a + flat * ring[:, 1:2] * np.cross(d, a))
        for centre, r, a, d in zip(path, radii, side, along, strict=True)
    ]
    return loft(np.stack(rings))


def rod(a: Sequence[float], b: Sequence[float], radius: float, density: float = 1.0) -> Piece:
    """A capsule piece between two points (3,), (3,)."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    length = np.linalg.norm(b - a)
    axis = (b - a) / length
    # The shortest turn that takes z onto the axis; a rod that hangs straight down is turned about x.
    quat = np.array([1 + axis[2], -axis[1], axis[0], 0.0]) if axis[2] > -0.999999 else np.array([0.0, 1.0, 0.0, 0.0])
    quat /= np.linalg.norm(quat)
    return Piece("capsule", (radius, float(length / 2), 0.0), tuple((a + b) / 2), tuple(quat), density=density)


def foot(radius: float, reach: float, bottom: float) -> Piece:
    """A hidden flat under a round body: a short disc that bulges out of it by a millimetre or two.

    Without it the body balances on one point and rolls at a touch, which fruit on a table does not.
    reach: radius of curvature of the body's underside (m).
    """
    depth = reach - (reach**2 - radius**2) ** 0.5
    return cylinder(radius, bottom, bottom + 2 * depth, density=0.2)
