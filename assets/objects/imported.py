"""A user's own objects: one file each in a folder of the user's, read into the same ObjectSpec as the built-in ones.

The folder is $DEXCLUTTER_OBJECTS, or ~/.dexclutter/objects. `python -m assets.import_mesh` writes the files.
"""

import functools
import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assets.mesh import Mesh
from assets.objects.types import ObjectSpec, Piece, RestPose, Visual

PREFIX = "user_"  # of every id of a user's object; no built-in family is called "user"
FAMILY = SPLIT = "user"
FORMAT, FORMAT_VERSION = "dexclutter-object", 1
FOLDER_VARIABLE = "DEXCLUTTER_OBJECTS"
SUFFIX = ".npz"
_WORDS = ("id", "family", "noun", "material", "split")
_TUPLES = ("nouns", "colors", "size_words", "extent_m", "com_m", "inertia_kg_m2")
_NUMBERS = ("mass_kg", "friction", "rolling_m")


class ObjectFileError(KeyError):
    """A user's object that is missing, or whose file cannot be used; the message names it and what to do."""

    def __str__(self) -> str:
        return str(self.args[0])


class NameTakenError(ValueError):
    """There is an object of this name already, and nobody asked to replace it."""


@dataclass(frozen=True, eq=False)
class Imported:
    """What a file holds. origin: plain JSON values, where the object came from and what was assumed; digest: hex."""

    spec: ObjectSpec
    origin: Mapping[str, Any]
    digest: str


def default_folder() -> Path:
    """The user's library folder; it need not exist."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".dexclutter" / "objects"


def is_user_id(object_id: str) -> bool:
    """True for ids of imported objects."""
    return object_id.startswith(PREFIX)


def ids(folder: Path | None = None) -> tuple[str, ...]:
    """Ids of all imported objects in alphabetical order; none if there is no folder."""
    folder = default_folder() if folder is None else folder
    return tuple(sorted(path.stem for path in folder.glob(f"{PREFIX}*{SUFFIX}")))


def find(object_id: str) -> Imported:
    """The imported object with this id from the user's folder; one process reads each file once.

    Raises ObjectFileError (a KeyError) that lists the choices when it is missing, or says why it cannot be read.
    """
    folder = default_folder()
    path = folder / f"{object_id}{SUFFIX}"
    if object_id not in ids(folder):
        known = ", ".join(ids(folder)) or "none yet"
        raise ObjectFileError(
            f"unknown object {object_id!r}; objects imported into {folder}: {known}. Import one with "
            f"`python -m assets.import_mesh FILE --name NAME --mass KG`, or name another folder in ${FOLDER_VARIABLE}"
        )
    imported = _read_once(path)
    if imported.spec.id != object_id:
        raise ObjectFileError(f"{path} holds {imported.spec.id!r}; a file must bear the name of its object")
    return imported


@functools.lru_cache(maxsize=256)
def _read_once(path: Path) -> Imported:
    return read(path)


def read(path: Path) -> Imported:
    """Read one file. Raises ObjectFileError that names the file and what is wrong with it."""
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise ObjectFileError(f"{path} cannot be read: {fault.strerror}") from fault
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files}
        header = json.loads(str(content.pop("header")))
        kind, version = header["format"].split("/")
    except (OSError, EOFError, KeyError, ValueError, AttributeError, TypeError, zipfile.BadZipFile) as fault:
        raise ObjectFileError(f"{path} is no object file, or a damaged one; import the mesh again") from fault
    if (kind, version) != (FORMAT, str(FORMAT_VERSION)):
        raise ObjectFileError(
            f"{path} has format {header['format']}; this version reads {FORMAT}/{FORMAT_VERSION}: "
            "import the mesh again, or use the version that wrote it"
        )
    try:
        return Imported(_spec_of(header, content), header["origin"], hashlib.sha256(data).hexdigest())
    except (KeyError, TypeError, ValueError) as fault:
        raise ObjectFileError(f"{path} lacks or garbles {fault}; import the mesh again") from fault


def save(spec: ObjectSpec, origin: Mapping[str, Any], folder: Path, *, replace: bool = False) -> Path:
    """Write an object's file, whole or not at all, and return its path.

    The same object gives the same bytes. Raises NameTakenError unless `replace`, and OSError when the disk refuses.
    """
    header, arrays = _header_of(spec, origin), _arrays_of(spec)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{spec.id}{SUFFIX}"
    handle, draft = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, header=np.array(json.dumps(header, sort_keys=True)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, 0o644)
        if replace:
            os.replace(draft, path)
        else:
            os.link(draft, path)  # unlike a rename, this fails where the name is taken, also by another process
    except FileExistsError as fault:
        raise NameTakenError(
            f"{path} exists already; choose another --name, or say --replace to put this object in its place"
        ) from fault
    finally:
        Path(draft).unlink(missing_ok=True)
    return path


def _header_of(spec: ObjectSpec, origin: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "format": f"{FORMAT}/{FORMAT_VERSION}",
        **{name: getattr(spec, name) for name in (*_WORDS, *_NUMBERS)},
        **{name: list(getattr(spec, name)) for name in _TUPLES},
        "rest_poses": [[list(pose.quat), pose.height_m] for pose in spec.rest_poses],
        "pieces": [
            {"kind": p.kind, "size": list(p.size), "pos": list(p.pos), "quat": list(p.quat), "density": p.density}
            for p in spec.pieces
        ],
        "visuals": [{"rgb": list(v.rgb), "gloss": v.gloss} for v in spec.visuals],
        "origin": dict(origin),
    }


def _arrays_of(spec: ObjectSpec) -> dict[str, np.ndarray]:
    arrays = {f"piece{i}": p.vertices for i, p in enumerate(spec.pieces) if p.vertices is not None}
    for i, visual in enumerate(spec.visuals):
        parts = {"vertices": visual.mesh.vertices, "faces": visual.mesh.faces, "texcoord": visual.mesh.texcoord}
        parts["texture"] = visual.texture
        arrays.update({f"visual{i}_{part}": value for part, value in parts.items() if value is not None})
    return arrays


def _spec_of(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ObjectSpec:
    pieces = tuple(
        Piece(p["kind"], tuple(p["size"]), tuple(p["pos"]), tuple(p["quat"]), arrays.get(f"piece{i}"), p["density"])
        for i, p in enumerate(header["pieces"])
    )
    visuals = tuple(
        Visual(
            Mesh(arrays[f"visual{i}_vertices"], arrays[f"visual{i}_faces"], arrays.get(f"visual{i}_texcoord")),
            tuple(v["rgb"]),
            arrays.get(f"visual{i}_texture"),
            v["gloss"],
        )
        for i, v in enumerate(header["visuals"])
    )
    return ObjectSpec(
        **{name: header[name] for name in (*_WORDS, *_NUMBERS)},
        **{name: tuple(header[name]) for name in _TUPLES},
        pieces=pieces,
        visuals=visuals,
        rest_poses=tuple(RestPose(tuple(quat), height) for quat, height in header["rest_poses"]),
    )
