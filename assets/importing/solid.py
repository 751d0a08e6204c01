"""What is inside a surface: closed or not, small holes filled, normals outward, volume, centre of mass, inertia."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.spatial import cKDTree

from assets.importing.refused import Refused
from assets.importing.source import Source

SMALL_HOLE = 0.2  # of the mesh's largest side: what is closed without asking
TOUCH = 0.01  # of the largest side: parts nearer than this belong together
DEBRIS = 0.01  # share of the surface that is left out without asking
MOST_BODIES = 1000  # beyond, a mesh is a soup of triangles, and none of them is looked for inside another
LEAST_FILL = 1e-3  # of its hull: a surface that encloses less is a sheet with two sides


@dataclass(frozen=True, eq=False)
class Solid:
    """A repaired surface, in the file's units. faces run counter-clockwise seen from outside.

    body: (F,) number of the connected piece of surface that a face belongs to; closed: it encloses a volume;
    notes: what was repaired or left out, in words.
    """

    vertices: np.ndarray
    faces: np.ndarray
    layer: np.ndarray
    body: np.ndarray
    closed: bool
    notes: tuple[str, ...]


def make_solid(source: Source) -> Solid:
    """Repair a surface. Raises Refused when it is several things that do not touch."""
    vertices, faces, layer, notes = source.vertices, source.faces, source.layer, []
    kept = _one_object(vertices, faces, notes)
    faces, layer = faces[kept], layer[kept]
    faces = _wound(faces)
    vertices, faces, layer = _filled(vertices, faces, layer, notes)
    body = _bodies(faces)
    faces = _outward(vertices, faces, body)
    closed = not len(open_edges(faces))
    if closed and moments(vertices, faces)[0] < LEAST_FILL * _hull_volume(vertices[np.unique(faces)]):
        closed = False
        notes.append("its surface encloses next to nothing, like a sheet with two sides")
    return Solid(vertices, faces, layer, body, closed, tuple(notes))


def moments(vertices: np.ndarray, faces: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume, centroid (3,) and second moments about it, integral of x x^T (3, 3), inside a closed surface. Exact."""
    inside = vertices[faces].reshape(-1, 3).mean(axis=0)
    corners = vertices[faces] - inside
    volumes = np.linalg.det(corners) / 6
    volume = float(volumes.sum())
    if abs(volume) < 1e-300:
        return 0.0, inside, np.zeros((3, 3))
    total = corners.sum(axis=1)
    centroid = (volumes[:, None] * total / 4).sum(axis=0) / volume
    second = np.einsum("f,fki,fkj->ij", volumes, corners, corners) + np.einsum("f,fi,fj->ij", volumes, total, total)
    return volume, centroid + inside, second / 20 - volume * np.outer(centroid, centroid)


def open_edges(faces: np.ndarray) -> np.ndarray:
    """Directed edges (K, 2) that no face runs through the other way; none on a closed surface."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    size = int(faces.max(initial=0)) + 1
    forward, back = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    keys, counts = np.unique(forward, return_counts=True)
    at = np.minimum(np.searchsorted(keys, back), len(keys) - 1)
    behind = np.where(keys[at] == back, counts[at], 0)
    return edges[counts[np.searchsorted(keys, forward)] > behind]


def _connected(count: int, links: np.ndarray) -> np.ndarray:
    """Component number (count,) of each of `count` things, given links (K, 2) between them."""
    graph = coo_matrix((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _neighbours(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (K, 2) of faces that share an edge with each other alone, and whether (K,) they run opposite ways along it.

    Where four faces meet in an edge two bodies touch, which makes no neighbours of them.
    """
    count = len(faces)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    key = np.sort(edges, axis=1) @ np.array([int(faces.max()) + 1, 1])
    order = np.argsort(key, kind="stable")
    _, first, counts = np.unique(key[order], return_index=True, return_counts=True)
    one, two = order[first[counts == 2]], order[first[counts == 2] + 1]
    return np.stack([one % count, two % count], axis=1), edges[one, 0] != edges[two, 0]


def _bodies(faces: np.ndarray) -> np.ndarray:
    """Number (F,) of the connected piece of surface that each face belongs to, counted from 0."""
    return _connected(len(faces), _neighbours(faces)[0])


def _nested(vertices: np.ndarray, faces: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Pairs (K, 2) of bodies of which the first one's box lies within the second one's; none in a soup of bodies."""
    count = int(body.max()) + 1
    if count > MOST_BODIES:
        return np.zeros((0, 2), dtype=int)
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, body, vertices[faces].min(axis=1))
    np.maximum.at(high, body, vertices[faces].max(axis=1))
    return np.argwhere((low[:, None] > low).all(axis=2) & (high[:, None] < high).all(axis=2))


def _one_object(vertices: np.ndarray, faces: np.ndarray, notes: list[str]) -> np.ndarray:
    """Which faces (F,) belong to the object: bodies that touch or lie within another are one object."""
    body = _bodies(faces)
    near = TOUCH * float(np.ptp(vertices, axis=0).max())
    points, owner = _spread_points(vertices, faces, body, near)
    pairs = cKDTree(points).query_pairs(near, output_type="ndarray")
    links = np.concatenate([owner[pairs], _nested(vertices, faces, body)])
    group = _connected(int(body.max()) + 1, links)[body]
    areas = np.bincount(group, weights=_areas(vertices, faces))
    share = areas / areas.sum()
    large = np.flatnonzero(share >= DEBRIS)
    if len(large) != 1:
        largest = ", ".join(f"{100 * s:.0f} %" for s in sorted(share, reverse=True)[:4])
        raise Refused(
            f"it consists of {max(len(large), len(share))} parts that do not touch (shares of the surface: {largest}); "
            "one import is one rigid object: export the parts one by one, or join them"
        )
    if len(share) > 1:
        notes.append(f"left out {len(share) - 1} specks with {100 * (1 - share[large[0]]):.2g} % of the surface")
    return group == large[0]


def _areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def _spread_points(
    vertices: np.ndarray, faces: np.ndarray, body: np.ndarray, spacing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Points on the surface that are dense enough for `spacing`, at most some 60,000, and the body of each."""
    areas = _areas(vertices, faces)
    wanted = np.minimum(np.ceil(2 * areas / spacing**2), 2000)
    wanted = np.maximum(1, wanted * min(1.0, 60_000 / wanted.sum())).astype(int)
    face = np.repeat(np.arange(len(faces)), wanted)
    weights = np.random.default_rng(0).dirichlet((1.0, 1.0, 1.0), size=len(face))
    return (weights[:, :, None] * vertices[faces[face]]).sum(axis=1), body[face]


def _wound(faces: np.ndarray) -> np.ndarray:
    """Faces turned so that neighbours run through their common edge in opposite senses, as on a proper surface."""
    count = len(faces)
    pairs, agree = _neighbours(faces)
    if agree.all():
        return faces
    pairs, chosen = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    # A walk from face to face carries the sense along: 1 for neighbours that agree, 2 for those that do not. It
    # starts from a root that is tied to one face of each body.
    body = _connected(count, pairs)
    starts = np.unique(body, return_index=True)[1]
    rows, columns = np.append(pairs[:, 0], np.full(len(starts), count)), np.append(pairs[:, 1], starts)
    kinds = np.append(np.where(agree[chosen], 1, 2), np.ones(len(starts), dtype=int))
    graph = coo_matrix((kinds, (rows, columns)), shape=(count + 1, count + 1)).tocsr()
    graph = graph + graph.T
    walk, before = breadth_first_order(graph, count, directed=False)
    relation = np.asarray(graph[before[walk[1:]], walk[1:]]).ravel()
    sign = np.ones(count + 1, dtype=int)
    for face, kind in zip(walk[1:], relation, strict=True):
        sign[face] = sign[before[face]] if kind == 1 else -sign[before[face]]
    # Keep the sense that most of a body's faces had.
    sign = sign[:count] * np.where(np.bincount(body, weights=sign[:count]) < 0, -1, 1)[body]
    return np.where(sign[:, None] > 0, faces, faces[:, ::-1])


def _filled(
    vertices: np.ndarray, faces: np.ndarray, layer: np.ndarray, notes: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The surface with its small holes closed by a fan around their middle."""
    size = float(np.ptp(vertices[np.unique(faces)], axis=0).max())
    loops, large, extra = _loops(open_edges(faces)), 0, []
    for loop in loops:
        rim = vertices[loop]
        if float(np.ptp(rim, axis=0).max()) > SMALL_HOLE * size:
            large += 1
            continue
        middle = len(vertices)
        vertices = np.vstack([vertices, rim.mean(axis=0)])
        extra.append(np.stack([np.roll(loop, -1), loop, np.full(len(loop), middle)], axis=1))
    if extra:
        notes.append(f"closed {len(extra)} small hole{'s' if len(extra) > 1 else ''}")
        patch = np.concatenate(extra)
        faces, layer = np.concatenate([faces, patch]), np.concatenate([layer, np.full(len(patch), layer[0])])
    if len(open_edges(faces)):
        what = f"{large} large hole{'s' if large > 1 else ''}" if large else "edges that do not close"
        notes.append(f"the surface has {what}")
    return vertices, faces, layer


def _loops(edges: np.ndarray) -> list[np.ndarray]:
    """Closed rims of holes as vertex numbers, from open edges (K, 2); rims that meet in a vertex are told apart."""
    follows: dict[int, list[int]] = {}
    for a, b in edges.tolist():
        follows.setdefault(a, []).append(b)
    loops = []
    for start in list(follows):
        path, place = [start], {start: 0}
        while follows.get(path[-1]):
            step = follows[path[-1]].pop()
            if step not in place:
                place[step] = len(path)
                path.append(step)
                continue
            loop = path[place[step] :]  # the walk has come back to itself: cut that rim off and go on
            if len(loop) >= 3:
                loops.append(np.array(loop))
            for vertex in loop[1:]:
                del place[vertex]
            path = path[: place[step] + 1]
    return loops


def _outward(vertices: np.ndarray, faces: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Faces turned body by body so that volumes count positively; a body within another may be a cavity and stays."""
    corners = vertices[faces] - vertices[faces].reshape(-1, 3).mean(axis=0)
    inside_out = np.bincount(body, weights=np.linalg.det(corners)) < 0
    inside_out[_nested(vertices, faces, body)[:, 0]] = False
    return np.where(inside_out[body][:, None], faces[:, ::-1], faces)


def _hull_volume(points: np.ndarray) -> float:
    from scipy.spatial import ConvexHull

    return float(ConvexHull(points).volume)
