"""Convex collision pieces of a solid: few, with few corners, so that physics stays quick."""

import functools

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from assets.importing.refused import Refused
from assets.importing.solid import Solid, moments
from assets.objects.types import Piece

MOST_CORNERS = 32
MOST_PIECES = 16
CONVEX_ENOUGH = 0.94  # share of its hull that a body fills before it counts as convex
THRESHOLD = 0.05  # concavity that the decomposition leaves alone, relative to the size
# Coarser than its defaults: household things of eight pieces come out as good in a quarter of the time.
SEARCH = {"mcts_iterations": 20, "mcts_nodes": 10, "mcts_max_depth": 2, "resolution": 500, "preprocess_resolution": 40}
FACES_TO_CUT = 2500  # finer surfaces are simplified before they are cut
LEAST_SHARE = 0.002  # of the volume: thinner slivers are left out
MOST_GROWTH = 1.04


def convex_pieces(solid: Solid, most: int) -> tuple[Piece, ...]:
    """At most `most` pieces of kind "mesh", in the solid's own frame and units.

    Each body of the surface is cut on its own where there are few of them, together otherwise.
    Raises Refused when nothing of it has a volume.
    """
    if not 1 <= most <= MOST_PIECES:
        raise Refused(f"--max-pieces must lie between 1 and {MOST_PIECES}, got {most}")
    clouds = [cloud for part, share in _shares(solid, most) for cloud in _cut(solid, part, share)]
    hulls = [hull for cloud in clouds if (hull := _hull(cloud)) is not None]
    total = sum(hull.volume for hull in hulls)
    chosen = [hull.points[hull.vertices] for hull in hulls if hull.volume >= LEAST_SHARE * total]
    if not chosen:
        raise Refused("it has no volume: no part of it has a thickness")
    return tuple(Piece("mesh", vertices=reduced(corners)) for corners in chosen)


def reduced(corners: np.ndarray, most: int = MOST_CORNERS) -> np.ndarray:
    """At most `most` corners (K, 3) whose hull is close to the hull of the given ones, and of the same volume.

    Greedy: the corner that sticks out farthest of the hull so far comes next.
    """
    if len(corners) <= most:
        return corners
    directions = np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z], float)
    scaled = corners / np.ptp(corners, axis=0)
    chosen = list(np.unique((scaled @ directions.T).argmax(axis=0)))[:most]
    while len(chosen) < most:
        facets = ConvexHull(corners[chosen]).equations
        out = (corners @ facets[:, :3].T + facets[:, 3]).max(axis=1)
        out[chosen] = 0.0
        if out.max() <= 1e-5 * np.ptp(corners, axis=0).max():
            break
        chosen.append(int(out.argmax()))
    kept = corners[chosen]
    growth = min(MOST_GROWTH, (ConvexHull(corners).volume / ConvexHull(kept).volume) ** (1 / 3))
    middle = corners.mean(axis=0)
    return middle + growth * (kept - middle)


def _shares(solid: Solid, most: int) -> list[tuple[np.ndarray, int]]:
    """Which faces are cut together, and into how many pieces at most."""
    bodies = [solid.body == b for b in np.unique(solid.body)]
    fills = [_fill(solid, part) for part in bodies]
    bulky = [fill < CONVEX_ENOUGH for fill in fills]
    # A cavity is no piece, and a surface with holes has no inside that a body could be cut by.
    if not solid.closed or min(fills) <= 0 or len(bodies) + sum(bulky) > most:
        return [(np.ones(len(solid.faces), bool), most)]
    areas = np.array([_area(solid, part) if wide else 0.0 for part, wide in zip(bodies, bulky, strict=True)])
    extra = np.where(bulky, np.maximum(1, (most - len(bodies)) * areas / max(areas.sum(), 1e-300)), 0).astype(int)
    extra[extra.argmax()] += most - len(bodies) - extra.sum()  # what rounding left over, or took too much
    return [(part, 1 + max(0, int(more))) for part, more in zip(bodies, extra, strict=True)]


def _area(solid: Solid, part: np.ndarray) -> float:
    a, b, c = (solid.vertices[solid.faces[part][:, i]] for i in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def _fill(solid: Solid, part: np.ndarray) -> float:
    """Share of its hull that a body fills; 0 for a sheet, negative for a cavity."""
    hull = _hull(solid.vertices[np.unique(solid.faces[part])])
    return 0.0 if hull is None else moments(solid.vertices, solid.faces[part])[0] / hull.volume


def _cut(solid: Solid, part: np.ndarray, most: int) -> list[np.ndarray]:
    """Corners of the convex parts of some faces."""
    used, faces = np.unique(solid.faces[part], return_inverse=True)
    vertices, faces = solid.vertices[used], faces.reshape(-1, 3)
    if most == 1:
        return [vertices]
    coacd = _coacd()
    vertices, faces = simplified(vertices, faces, FACES_TO_CUT)
    unit = np.ptp(vertices, axis=0).max()
    mesh = coacd.Mesh(np.ascontiguousarray(vertices / unit), np.ascontiguousarray(faces, dtype=np.int32))
    parts = coacd.run_coacd(mesh, threshold=THRESHOLD, max_convex_hull=most, seed=0, **SEARCH)
    return [unit * np.asarray(corners) for corners, _ in parts]


def simplified(vertices: np.ndarray, faces: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The surface with at most `most` faces, as it is if it has no more."""
    import fast_simplification

    unit = np.ptp(vertices, axis=0).max()
    for aggressive in (5.0, 8.0, 12.0, 20.0):
        if len(faces) <= most:
            break
        vertices, faces = fast_simplification.simplify(
            (vertices / unit).astype(np.float64), faces.astype(np.int32), target_count=most, agg=aggressive
        )
        vertices = vertices * unit
    return vertices, faces


@functools.cache
def _coacd():
    try:
        import coacd
    except ImportError as fault:
        raise Refused("cutting a mesh into convex pieces needs: pip install 'dexclutter[import]'") from fault
    coacd.set_log_level("off")
    return coacd


def _hull(points: np.ndarray) -> ConvexHull | None:
    try:
        return ConvexHull(points)
    except (QhullError, ValueError):  # flat, or less than four points
        return None
