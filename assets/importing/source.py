"""Reads OBJ, STL, PLY and GLB into plain arrays: one welded surface, and samples of its colour."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assets.importing.refused import Refused

FORMATS = ("obj", "stl", "ply", "glb")
UP = {"glb": (0.0, 1.0, 0.0)}  # glTF says that y points up; the other formats say nothing, and z is usual
STATED_UNIT = {"glb": "m"}
MOST_FACES, SAMPLES = 1_000_000, 100_000
PLAIN_RGB = (0.55, 0.55, 0.57)  # of parts without a colour, where other parts have one
_UNCOLOURED = (0.4, 0.5)  # greys that readers and exporters put where a material states nothing
_ASKED = "install them with: pip install 'dexclutter[import]'"


@dataclass(frozen=True, eq=False)
class Samples:
    """Points spread evenly over a surface: position and normal (S, 3), rgb (S, 3) in [0, 1], layer (S,)."""

    points: np.ndarray
    normals: np.ndarray
    rgb: np.ndarray
    layer: np.ndarray


@dataclass(frozen=True, eq=False)
class Source:
    """A mesh as the file has it, in the file's units and axes.

    vertices: (V, 3), each place once; faces: (F, 3); layer: (F,) number of the file's part that a face belongs to;
    samples: colours of the surface, None where the file has none; digest: SHA-256 of the file, hex.
    """

    vertices: np.ndarray
    faces: np.ndarray
    layer: np.ndarray
    samples: Samples | None
    format: str
    unit: str | None
    digest: str


def read(path: Path) -> Source:
    """Read a mesh file. Raises Refused: no such file, unknown format, unreadable, no surface, flat, too fine."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        known = ", ".join(f.upper() for f in FORMATS)
        raise Refused(f"{path.name} is of no format that can be read here: export it as one of {known}")
    if not path.is_file():
        raise Refused(f"there is no file {path}")
    data = path.read_bytes()
    parts = _parts(path, kind, data)
    faces = np.concatenate([p.faces + o for p, o in zip(parts, _offsets(parts), strict=True)])
    if len(faces) > MOST_FACES:
        raise Refused(f"{path.name} has {len(faces):,} triangles; simplify it to less than {MOST_FACES:,} first")
    layer = np.repeat(np.arange(len(parts)), [len(p.faces) for p in parts])
    vertices, faces, layer = weld(np.concatenate([p.vertices for p in parts]), faces, layer)
    _refuse_flat(path.name, vertices)
    digest = hashlib.sha256(data).hexdigest()
    return Source(vertices, faces, layer, _sample(parts), kind, STATED_UNIT.get(kind), digest)


def _parts(path: Path, kind: str, data: bytes) -> list[Any]:
    """The file's triangle meshes, placed as its scene says."""
    try:
        import trimesh
    except ImportError as fault:
        raise Refused(f'reading meshes needs the packages of the extra "import"; {_ASKED}') from fault
    try:
        resolver = trimesh.resolvers.FilePathResolver(str(path))
        scene = trimesh.load_scene(io.BytesIO(data), file_type=kind, resolver=resolver, process=False)
        placed = scene.dump(concatenate=False)
    except Exception as fault:  # a broken file fails anywhere within the reader, in any way
        raise Refused(f"{path.name} cannot be read as {kind.upper()} ({type(fault).__name__}: {fault})") from fault
    found = [part for part in placed if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if not found:
        other = "points or lines, but no triangles" if len(placed) else "nothing"
        raise Refused(f"{path.name} is empty: it holds {other}; export the object's surface as triangles")
    if not all(np.isfinite(part.vertices).all() for part in found):
        raise Refused(f"{path.name} holds coordinates that are not numbers; export it again")
    return found


def _offsets(parts: list[Any]) -> np.ndarray:
    return np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])


def weld(vertices: np.ndarray, faces: np.ndarray, layer: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same surface with every place listed once, without faces that have no area or lie there twice."""
    size = float(np.ptp(vertices[np.unique(faces)], axis=0).max())
    # Exporters write six digits or so; STL lists every corner of every triangle on its own.
    keys = np.round(vertices / max(size, 1e-12) * 1e6).astype(np.int64)
    _, first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    vertices, faces = vertices[first], place.reshape(-1)[faces]
    a, b, c = faces.T
    proper = (a != b) & (b != c) & (c != a)
    faces, layer = faces[proper], layer[proper]
    # A face in one sense and the same in the other are two; the same sense twice is one.
    turned = np.take_along_axis(faces, (np.argmin(faces, axis=1)[:, None] + np.arange(3)) % 3, axis=1)
    kept = np.sort(np.unique(turned, axis=0, return_index=True)[1]) if len(faces) else np.zeros(0, int)
    faces, layer = faces[kept], layer[kept]
    used, faces = np.unique(faces, return_inverse=True)
    return np.ascontiguousarray(vertices[used], dtype=float), faces.reshape(-1, 3), layer


def _refuse_flat(name: str, vertices: np.ndarray) -> None:
    if len(vertices) == 0:
        raise Refused(f"{name} is empty: its triangles have no area; export the object's surface")
    spread = np.linalg.svd(vertices - vertices.mean(axis=0), compute_uv=False)
    if len(vertices) < 4 or spread[2] < 1e-4 * spread[0]:
        raise Refused(f"{name} has no volume: all of it lies in one plane; an object needs a thickness")


def _sample(parts: list[Any]) -> Samples | None:
    """Coloured points of all parts by area, or None if no part has a colour."""
    colours = [_colour_of(part) for part in parts]
    if all(colour is None for colour in colours):
        return None
    rng = np.random.default_rng(0)  # its own: the same file gives the same samples
    total = sum(float(part.area) for part in parts)
    rows = []
    for layer, (part, colour) in enumerate(zip(parts, colours, strict=True)):
        triangles, areas = part.triangles, part.area_faces
        if not areas.sum() > 0:
            continue
        count = max(60, round(SAMPLES * float(areas.sum()) / total))
        face = rng.choice(len(areas), size=count, p=areas / areas.sum())
        weights = rng.dirichlet((1.0, 1.0, 1.0), size=count)
        points = (weights[:, :, None] * triangles[face]).sum(axis=1)
        rgb = np.tile(PLAIN_RGB, (count, 1)) if colour is None else colour(face, weights)
        rows.append((points, part.face_normals[face], rgb, np.full(count, layer)))
    return Samples(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _colour_of(part: Any) -> Any:
    """A function (faces (S,), weights (S, 3)) -> rgb (S, 3), or None for a part without a colour."""
    visual, faces = part.visual, part.faces
    if visual.kind == "face":
        table = visual.face_colors[:, :3] / 255.0
        return lambda face, weights: table[face]
    if visual.kind == "vertex":
        at_vertex = visual.vertex_colors[:, :3] / 255.0
        return lambda face, weights: (weights[:, :, None] * at_vertex[faces[face]]).sum(axis=1)
    if visual.kind != "texture":
        return None
    picture, tint = _material(visual.material)
    if picture is None or visual.uv is None or len(visual.uv) != len(part.vertices):
        return None if tint is None else lambda face, weights: np.tile(tint, (len(face), 1))
    tint, uv = np.ones(3) if tint is None else tint, visual.uv
    height, width = picture.shape[:2]

    def look_up(face: np.ndarray, weights: np.ndarray) -> np.ndarray:
        u, v = ((weights[:, :, None] * uv[faces[face]]).sum(axis=1) % 1.0).T
        return picture[((1 - v) * height).astype(int) % height, (u * width).astype(int) % width] * tint

    return look_up


def _material(material: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(picture (H, W, 3) or None, colour (3,) or None) of a material, both in [0, 1] as a screen shows them."""
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    picture = None if image is None else np.asarray(image.convert("RGB")) / 255.0
    factor = getattr(material, "baseColorFactor", None)
    if factor is not None:
        linear = np.asarray(factor, dtype=float)[:3] / 255.0
        if picture is not None and _states_nothing(linear):
            return picture, None
        # glTF states this factor in linear light.
        return picture, np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    diffuse = getattr(material, "diffuse", None)
    tint = None if diffuse is None else np.asarray(diffuse, dtype=float)[:3] / 255.0
    if tint is not None and (picture is not None or _states_nothing(tint)):
        tint = None  # beside a picture, exporters leave what they like here
    return picture, tint


def _states_nothing(rgb: np.ndarray) -> bool:
    return any(np.allclose(rgb, grey, atol=0.004) for grey in _UNCOLOURED)
