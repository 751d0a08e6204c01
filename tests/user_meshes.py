"""Meshes of a user's, made on the spot; needs the extra "import"."""

import numpy as np
import pytest

pytest.importorskip("coacd", reason='needs the extra "import"')
pytest.importorskip("fast_simplification", reason='needs the extra "import"')
trimesh = pytest.importorskip("trimesh", reason='needs the extra "import"')

WALL_M, RADIUS_M, HEIGHT_M = 0.004, 0.038, 0.09


def mug() -> trimesh.Trimesh:
    """A hollow cup with a torus for a handle: two closed bodies that overlap a little."""
    inner = RADIUS_M - WALL_M
    profile = [[0, 0], [RADIUS_M, 0], [RADIUS_M, HEIGHT_M], [inner, HEIGHT_M], [inner, WALL_M], [0, WALL_M]]
    cup = trimesh.creation.revolve(np.array(profile), sections=24)
    handle = trimesh.creation.torus(0.022, 0.005, major_sections=16, minor_sections=8)
    handle.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    handle.apply_translation([RADIUS_M + 0.014, 0, HEIGHT_M / 2])
    return trimesh.util.concatenate([cup, handle])


def elbow() -> trimesh.Trimesh:
    """An L of two boxes that touch without overlap: 8 x 3 x 3 cm, and 3 x 3 x 5 cm on top of its end."""
    foot, post = trimesh.creation.box((0.08, 0.03, 0.03)), trimesh.creation.box((0.03, 0.03, 0.05))
    post.apply_translation([-0.025, 0, 0.04])
    return trimesh.util.concatenate([foot, post])


def blob() -> trimesh.Trimesh:
    """A rabbit of sorts: a flattened ball with a head and two ears."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.03)
    ways = ball.vertices / np.linalg.norm(ball.vertices, axis=1, keepdims=True)
    bumps = [((0.5, 0, 0.87), 0.35, 6), ((0.1, 0.35, 0.93), 0.5, 40), ((0.1, -0.35, 0.93), 0.5, 40)]
    radius = 0.03 * (1 + sum(h * np.exp(-w * (1 - ways @ np.array(d))) for d, h, w in bumps))
    vertices = ways * radius[:, None]
    vertices[:, 2] = np.maximum(vertices[:, 2], -0.022)
    return trimesh.Trimesh(vertices, ball.faces, process=False)


def box(*sides: float) -> trimesh.Trimesh:
    return trimesh.creation.box(sides)
