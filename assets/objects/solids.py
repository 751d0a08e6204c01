"""Exact geometry of convex pieces: volume, inertia, support function, points of the hull."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assets.objects.types import ObjectSpec, Piece

HULL_DIRECTIONS = 190  # at most this many hull points


def rotation(quat: Sequence[float]) -> np.ndarray:
    """(3, 3) rotation matrix of a unit quaternion wxyz."""
    w, x, y, z = np.asarray(quat, dtype=float) / np.linalg.norm(quat)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


@dataclass(frozen=True, eq=False)
class Support:
    """Support function of a set of pieces, exact and quick.

    Each primitive is a sum of segments and one ellipsoid: its reach along d is c.d + sum |G d| + |E d|.
    rows: (7 P, 3) stacked c, three segments, three rows of E; vertices: (V, 3) of all mesh pieces, maybe empty.
    """

    rows: np.ndarray
    vertices: np.ndarray

    def reach(self, direction: np.ndarray) -> float:
        """max over the pieces of direction . x (m); direction: (3,) in the body frame."""
        best = -np.inf
        if len(self.rows):
            part = (self.rows @ direction).reshape(7, -1)
            segments = np.abs(part[1:4])
            disc = part[4:] * part[4:]
            total = part[0] + (segments[0] + segments[1] + segments[2]) + np.sqrt(disc[0] + disc[1] + disc[2])
            best = float(total.max())
        if len(self.vertices):
            best = max(best, float((self.vertices @ direction).max()))
        return best

    def lowest_z(self, rotation_in_world: np.ndarray, position_in_world: Sequence[float]) -> float:
        """World height (m) of the lowest point; rotation: (3, 3) body to world, position: (3,) of the body origin."""
        return float(position_in_world[2]) - self.reach(-rotation_in_world[2])


@functools.lru_cache(maxsize=1024)
def support(spec: ObjectSpec) -> Support:
    """The support function of an object's collision pieces, computed once per object."""
    return support_of(spec.pieces)


def support_of(pieces: Sequence[Piece]) -> Support:
    """The support function of a set of pieces, in their body frame."""
    columns, vertices = [], [np.zeros((0, 3))]
    for piece in pieces:
        frame, (a, b, c) = rotation(piece.quat), piece.size
        if piece.kind == "mesh":
            vertices.append(piece.vertices @ frame.T + piece.pos)
            continue
        segments, ellipsoid = {
            "box": ((a, b, c), (0, 0, 0)),
            "sphere": ((0, 0, 0), (a, a, a)),
            "capsule": ((0, 0, b), (a, a, a)),
            "cylinder": ((0, 0, b), (a, a, 0)),
            "ellipsoid": ((0, 0, 0), (a, b, c)),
        }[piece.kind]
        columns.append(np.stack([piece.pos, *(np.diag(segments) @ frame.T), *(np.diag(ellipsoid) @ frame.T)]))
    rows = np.stack(columns, axis=1).reshape(-1, 3) if columns else np.zeros((0, 3))
    return Support(np.ascontiguousarray(rows), np.concatenate(vertices))


def lowest_point(spec: ObjectSpec, rotation_in_world: np.ndarray, position_in_world: Sequence[float]) -> float:
    """World height (m) of the lowest point of the collision pieces, exact.

    rotation_in_world: (3, 3) body to world (data.xmat reshaped); position_in_world: (3,) metres (data.xpos).
    """
    return support(spec).lowest_z(rotation_in_world, position_in_world)


def bounds(pieces: Sequence[Piece], frame: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner (3,), (3,) of the pieces' bounding box along the rows of frame (default: the axes)."""
    reach = support_of(pieces).reach
    axes = np.eye(3) if frame is None else np.asarray(frame)
    return np.array([-reach(-axis) for axis in axes]), np.array([reach(axis) for axis in axes])


def sphere_directions(n: int) -> np.ndarray:
    """n unit vectors spread evenly (a Fibonacci spiral), shape (n, 3)."""
    i = np.arange(n) + 0.5
    z, turn = 1 - 2 * i / n, np.pi * (1 + 5**0.5) * i
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], axis=1)


def surface_points(piece: Piece) -> np.ndarray:
    """Points on the piece's surface whose hull is the piece (within 0.5 mm for household sizes), (N, 3), body frame."""
    a, b, c = piece.size
    ring = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    if piece.kind == "mesh":
        local = piece.vertices
    elif piece.kind == "box":
        local = np.array([[x, y, z] for x in (-a, a) for y in (-b, b) for z in (-c, c)])
    elif piece.kind == "cylinder":
        rim = np.stack([a * np.cos(ring), a * np.sin(ring), np.full(24, b)], axis=1)
        local = np.concatenate([rim, rim * [1, 1, -1]])
    elif piece.kind == "capsule":
        unit = sphere_directions(160)
        local = a * unit + np.sign(unit[:, 2:]) * [0, 0, b]
    else:
        local = sphere_directions(HULL_DIRECTIONS) * (a, b if piece.kind == "ellipsoid" else a, c or a)
    return local @ rotation(piece.quat).T + piece.pos


def hull_points(spec: ObjectSpec) -> np.ndarray:
    """Extreme points of the collision pieces, shape (N, 3) with N <= 190, body frame, metres.

    Flat-sided and cylindrical objects are exact to 0.5 mm in any orientation; for an exact height use lowest_point.
    """
    points = np.concatenate([surface_points(piece) for piece in spec.pieces])
    chosen = np.unique((sphere_directions(4 * HULL_DIRECTIONS) @ points.T).argmax(axis=1))
    if len(chosen) > HULL_DIRECTIONS:
        chosen = np.unique((sphere_directions(HULL_DIRECTIONS) @ points.T).argmax(axis=1))
    return points[chosen]


def mesh_moments(vertices: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume, centroid (3,) and second moments about it, integral of x x^T, (3, 3), of the vertices' convex hull."""
    from scipy.spatial import ConvexHull

    hull = ConvexHull(vertices)
    inside = vertices.mean(axis=0)
    corners = vertices[hull.simplices] - inside
    volumes = np.abs(np.linalg.det(corners)) / 6
    volume = volumes.sum()
    centroid = (volumes[:, None] * corners.sum(axis=1) / 4).sum(axis=0) / volume
    total = corners.sum(axis=1)
    moments = np.einsum("f,fki,fkj->ij", volumes, corners, corners) + np.einsum("f,fi,fj->ij", volumes, total, total)
    return float(volume), centroid + inside, moments / 20 - volume * np.outer(centroid, centroid)


def piece_moments(piece: Piece) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume (m3), centroid (3,) in the body frame, second moments about it in the body frame (3, 3)."""
    a, b, c = piece.size
    frame, centre = rotation(piece.quat), np.zeros(3)
    if piece.kind == "mesh":
        volume, centre, local = mesh_moments(piece.vertices)
    elif piece.kind == "box":
        volume = 8 * a * b * c
        local = volume / 3 * np.diag([a * a, b * b, c * c])
    elif piece.kind in ("sphere", "ellipsoid"):
        radii = np.array([a, a, a] if piece.kind == "sphere" else [a, b, c])
        volume = 4 / 3 * np.pi * radii.prod()
        local = volume / 5 * np.diag(radii**2)
    elif piece.kind == "cylinder":
        volume = 2 * np.pi * a * a * b
        local = volume * np.diag([a * a / 4, a * a / 4, b * b / 3])
    else:
        tube, ball = 2 * np.pi * a * a * b, 4 / 3 * np.pi * a**3
        volume = tube + ball
        across = tube * a * a / 4 + ball * a * a / 5
        along = tube * b * b / 3 + ball * (a * a / 5 + b * b + 0.75 * a * b)
        local = np.diag([across, across, along])
    return float(volume), frame @ centre + piece.pos, frame @ local @ frame.T


def mass_properties(pieces: Sequence[Piece], mass_kg: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre of mass (3,) and inertia matrix about it (3, 3) of pieces that share mass_kg by volume x density."""
    parts = [(piece.density, *piece_moments(piece)) for piece in pieces]
    weights = np.array([density * volume for density, volume, _, _ in parts])
    weights *= mass_kg / weights.sum()
    com = sum(weight * centre for weight, (_, _, centre, _) in zip(weights, parts, strict=True)) / mass_kg
    second = np.zeros((3, 3))
    for weight, (_, volume, centre, moments) in zip(weights, parts, strict=True):
        second += weight / volume * moments + weight * np.outer(centre - com, centre - com)
    return com, np.trace(second) * np.eye(3) - second
