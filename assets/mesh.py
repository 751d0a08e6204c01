"""Surface meshes made by code: rings are lofted into closed shells, profiles are turned on a lathe."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    vertices: (V, 3) metres; faces: (F, 3) vertex indices, counter-clockwise seen from outside;
    texcoord: (V, 2) in [0, 1], or None where the surface carries no picture.
    """

    vertices: np.ndarray
    faces: np.ndarray
    texcoord: np.ndarray | None = None

    def moved(self, rotation: np.ndarray, translation: Sequence[float]) -> "Mesh":
        """The same mesh after x -> rotation @ x + translation."""
        return Mesh(self.vertices @ np.asarray(rotation).T + translation, self.faces, self.texcoord)


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh out of several; missing texture coordinates become zero."""
    offsets = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    textured = any(m.texcoord is not None for m in meshes)
    uv = [m.texcoord if m.texcoord is not None else np.zeros((len(m.vertices), 2)) for m in meshes]
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + o for m, o in zip(meshes, offsets, strict=True)]),
        np.concatenate(uv) if textured else None,
    )


def loft(rings: np.ndarray, *, cap_start: bool = True, cap_end: bool = True) -> Mesh:
    """Skin a stack of closed rings, shape (K, N, 3), K >= 2.

    Rings run counter-clockwise seen against the direction of the stack (from the last ring back to the first),
    which makes the skin face outward. The seam vertex is doubled so that a label texture wraps once around:
    u runs along the ring, v along the stack.
    """
    rings = np.asarray(rings, dtype=float)
    k, n, _ = rings.shape
    closed = np.concatenate([rings, rings[:, :1]], axis=1)
    u, v = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, 1, k))
    vertices, texcoord = closed.reshape(-1, 3), np.stack([u, v], axis=-1).reshape(-1, 2)
    a = (np.arange(k - 1)[:, None] * (n + 1) + np.arange(n)).ravel()
    faces = [np.stack([a, a + 1, a + n + 2], axis=1), np.stack([a, a + n + 2, a + n + 1], axis=1)]
    extra, extra_uv, start = [], [], len(vertices)
    for wanted, ring, v_end, flip in ((cap_start, rings[0], 0.0, True), (cap_end, rings[-1], 1.0, False)):
        if not wanted:
            continue
        rim = np.concatenate([ring, ring.mean(axis=0, keepdims=True)])
        i = np.arange(n)
        fan = np.stack([start + i, start + (i + 1) % n, np.full(n, start + n)], axis=1)
        faces.append(fan[:, ::-1] if flip else fan)
        extra.append(rim)
        extra_uv.append(np.full((n + 1, 2), [0.5, v_end]))
        start += n + 1
    return Mesh(
        np.concatenate([vertices, *extra]),
        np.concatenate(faces),
        np.concatenate([texcoord, *extra_uv]),
    )


def circle(n: int, radius_x: float = 1.0, radius_y: float | None = None, power: float = 2.0) -> np.ndarray:
    """A superellipse in the xy plane, (n, 3), counter-clockwise from +x. power 2 is an ellipse, 6 nearly a box."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    ry = radius_x if radius_y is None else radius_y
    x = radius_x * np.sign(c) * np.abs(c) ** (2 / power)
    y = ry * np.sign(s) * np.abs(s) ** (2 / power)
    return np.stack([x, y, np.zeros(n)], axis=1)


def lathe(profile: Sequence[tuple[float, float]], n: int = 16) -> Mesh:
    """Turn (radius, z) points, listed from bottom to top along the outside, around the z axis."""
    ring = circle(n)
    rings = np.stack([ring * [max(r, 1e-5), max(r, 1e-5), 0] + [0, 0, z] for r, z in profile])
    return loft(rings)
