"""What is drawn: a light mesh with a few flat colours, or with one small picture of the original's colours."""

import numpy as np
from scipy.spatial import cKDTree

from assets.importing.colours import is_plain, lab
from assets.importing.pieces import simplified
from assets.importing.solid import Solid
from assets.importing.source import Samples
from assets.mesh import Mesh
from assets.objects.types import Visual

MOST_FACES = 400
MOST_COLOURS = 4  # more than this many flat colours become a picture
SAME_COLOUR = 6.0  # CIE 1976 difference below which two parts share a colour
LEAST_FACES = 24
PICTURE_PX = 176  # edge of the square picture: under 100 kB
FACES_WITH_PICTURE = 320  # corners are not shared between faces there, so fewer faces cost as much
_NORMAL_WEIGHT = 0.05  # of the size: how far apart the two sides of a thin wall count


def visuals_of(solid: Solid, samples: Samples | None, rgb: tuple[float, float, float]) -> tuple[Visual, ...]:
    """The drawn parts, in the solid's frame; rgb: the colour where the file has none.

    Together at most MOST_FACES triangles; a surface that is not closed is drawn from both sides.
    """
    everything = np.ones(len(solid.faces), bool)
    if samples is None:
        return (Visual(_mesh(solid, everything, MOST_FACES), tuple(rgb)),)
    groups = _flat_groups(samples)
    if groups is None:
        return (_with_picture(solid, samples),)
    budget = MOST_FACES - LEAST_FACES * len(groups)
    parts = [np.isin(solid.layer, layers) for layers, _ in groups]
    shares = np.array([part.sum() for part in parts]) / max(1, sum(part.sum() for part in parts))
    return tuple(
        Visual(_mesh(solid, part, LEAST_FACES + int(budget * share)), colour)
        for part, share, (_, colour) in zip(parts, shares, groups, strict=True)
        if part.any()
    )


def _flat_groups(samples: Samples) -> list[tuple[list[int], tuple[float, float, float]]] | None:
    """(layers, colour) of each flat colour, or None where a part has several or the parts have too many."""
    if is_plain(samples.rgb):
        return [(list(np.unique(samples.layer)), _mean(samples.rgb))]
    groups: list[tuple[list[int], tuple[float, float, float]]] = []
    for layer in np.unique(samples.layer):
        rgb = samples.rgb[samples.layer == layer]
        if not is_plain(rgb):
            return None
        near = [g for g in groups if np.linalg.norm(lab(np.array(g[1])) - lab(rgb.mean(axis=0))) < SAME_COLOUR]
        if near:
            near[0][0].append(int(layer))
        else:
            groups.append(([int(layer)], _mean(rgb)))
    return groups if len(groups) <= MOST_COLOURS else None


def _mean(rgb: np.ndarray) -> tuple[float, float, float]:
    return tuple(round(float(c), 4) for c in rgb.mean(axis=0))


def _mesh(solid: Solid, part: np.ndarray, most: int) -> Mesh:
    used, faces = np.unique(solid.faces[part], return_inverse=True)
    faces = faces.reshape(-1, 3)
    vertices, faces = simplified(solid.vertices[used], faces, most if solid.closed else most // 2)
    if not solid.closed:
        faces = np.concatenate([faces, faces[:, ::-1]])
    return Mesh(np.asarray(vertices, dtype=float), np.asarray(faces, dtype=np.int64))


def _with_picture(solid: Solid, samples: Samples) -> Visual:
    """One mesh whose every triangle has half a square of the picture to itself, painted from the nearest samples."""
    mesh = _mesh(solid, np.ones(len(solid.faces), bool), FACES_WITH_PICTURE)
    corners = mesh.vertices[mesh.faces]
    across = int(np.ceil(np.sqrt(np.ceil(len(corners) / 2))))
    cell = PICTURE_PX // across
    edge = across * cell
    size = float(np.ptp(mesh.vertices, axis=0).max())
    tree = cKDTree(np.hstack([samples.points, _NORMAL_WEIGHT * size * samples.normals]))
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    picture = np.full((edge, edge, 3), 128, dtype=np.uint8)
    texcoord = np.zeros((len(corners), 3, 2))
    rows, columns = np.mgrid[0:cell, 0:cell]
    lower = rows + columns < cell
    for i, (triangle, normal) in enumerate(zip(corners, normals, strict=True)):
        x, y = cell * ((i // 2) % across), cell * ((i // 2) // across)
        odd = i % 2
        # Corners lie one pixel inside the half square, so that filtering never reaches the neighbour.
        near, far = (cell - 1.0, 2.5) if odd else (1.0, cell - 2.5)
        at = np.array([[near, near], [far, near], [near, far]])
        mine = ~lower if odd else lower
        px = np.stack([columns[mine] + 0.5, rows[mine] + 0.5], axis=1)
        b, c = (px[:, 0] - near) / (far - near), (px[:, 1] - near) / (far - near)
        weights = np.clip(np.stack([1 - b - c, b, c], axis=1), 0, None)
        weights /= weights.sum(axis=1, keepdims=True)
        places = np.hstack([weights @ triangle, np.tile(_NORMAL_WEIGHT * size * normal, (len(px), 1))])
        picture[y + rows[mine], x + columns[mine]] = np.round(255 * samples.rgb[tree.query(places)[1]])
        texcoord[i] = (at + (x, y)) / edge
    texcoord[..., 1] = 1 - texcoord[..., 1]  # the first row is the top, v = 1
    faces = np.arange(3 * len(corners)).reshape(-1, 3)
    return Visual(Mesh(corners.reshape(-1, 3), faces, texcoord.reshape(-1, 2)), texture=picture)
