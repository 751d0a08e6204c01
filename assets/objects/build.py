"""Writes an ObjectSpec into a MuJoCo spec: body, free joint, collision geoms, textured visuals."""

import functools
from collections.abc import Sequence

import mujoco
import numpy as np

from assets.objects.solids import hull_points, lowest_point
from assets.objects.types import ObjectSpec, Visual
from envs.spec import COLLISION_GROUP, OBJECT_BITS, VISUAL_BITS, VISUAL_GROUP

__all__ = ["add_object", "hull_points", "lowest_point"]

GEOM_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    "mesh": mujoco.mjtGeom.mjGEOM_MESH,
}
TORSIONAL_M, ROLLING_M = 0.005, 0.0001
SOLREF, SOLIMP = (0.004, 1.0), (0.95, 0.99, 0.001, 0.5, 2.0)
CREASE_COS = np.cos(np.deg2rad(53))  # faces that meet at a sharper angle get an edge


def add_object(world: mujoco.MjSpec, spec: ObjectSpec, name: str, pos: Sequence[float], quat: Sequence[float]) -> None:
    """Add the object as body `name` with free joint `name` to the world.

    pos: (3,) metres and quat: wxyz of the body frame. Assets are called `name/...`, collision geoms
    `name/collision<i>`, visual geoms `name/visual<i>`. The object's friction counts in every contact (priority 1).
    """
    body = world.worldbody.add_body(name=name, pos=list(pos), quat=list(quat))
    body.add_freejoint(name=name)
    body.explicitinertial = True
    body.mass, body.ipos, body.fullinertia = spec.mass_kg, list(spec.com_m), list(spec.inertia_kg_m2)
    _add_collision(world, body, spec, name)
    for i, visual in enumerate(spec.visuals):
        _add_visual(world, body, visual, f"{name}/visual{i}")


def _add_collision(world: mujoco.MjSpec, body: mujoco.MjsBody, spec: ObjectSpec, name: str) -> None:
    meshes: dict[int, str] = {}
    for i, piece in enumerate(spec.pieces):
        geom = body.add_geom(
            name=f"{name}/collision{i}",
            type=GEOM_TYPES[piece.kind],
            size=list(piece.size),
            pos=list(piece.pos),
            quat=list(piece.quat),
            group=COLLISION_GROUP,
            contype=OBJECT_BITS[0],
            conaffinity=OBJECT_BITS[1],
            priority=1,
            # Rolling friction needs the six-dimensional contact; it is dear, so only round things have it.
            condim=6 if spec.rolling_m else 4,
            friction=[spec.friction, TORSIONAL_M, spec.rolling_m or ROLLING_M],
            solref=list(SOLREF),
            solimp=list(SOLIMP),
        )
        if piece.kind == "mesh":
            key = id(piece.vertices)
            if key not in meshes:
                meshes[key] = f"{name}/hull{len(meshes)}"
                world.add_mesh(name=meshes[key], uservert=piece.vertices.ravel())
            geom.meshname = meshes[key]


def _add_visual(world: mujoco.MjSpec, body: mujoco.MjsBody, visual: Visual, name: str) -> None:
    vertices, faces, normals, texcoord = _mesh_arrays(visual)
    mesh = world.add_mesh(name=name, uservert=vertices, userface=faces, usernormal=normals)
    # Shell inertia: the compiler then neither wants a closed surface nor computes a hull.
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    material = world.add_material(name=name, specular=0.6 * visual.gloss, shininess=0.2 + 0.6 * visual.gloss)
    if visual.texture is None:
        material.rgba = [*visual.rgb, visual.alpha]
    else:
        height, width, channels = visual.texture.shape
        texture = world.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D)
        texture.width, texture.height, texture.nchannel = width, height, channels
        texture.data = _texture_bytes(visual)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
        mesh.usertexcoord = texcoord
    body.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=name,
        material=name,
        rgba=[*visual.rgb, visual.alpha],
        group=VISUAL_GROUP,
        contype=VISUAL_BITS[0],
        conaffinity=VISUAL_BITS[1],
    )


@functools.lru_cache(maxsize=2048)
def _texture_bytes(visual: Visual) -> bytes:
    return np.ascontiguousarray(visual.texture[::-1], dtype=np.uint8).tobytes()


@functools.lru_cache(maxsize=2048)
def _mesh_arrays(visual: Visual) -> tuple[np.ndarray, ...]:
    """Flat arrays for the compiler: vertices (3 V), faces (3 F), normals (3 V), texture coordinates (2 V).

    The compiler takes one normal per vertex, so vertices at a sharp edge or a label's seam are doubled.
    """
    vertices, faces, uv = visual.mesh.vertices, visual.mesh.faces, visual.mesh.texcoord
    faces = faces[_areas(vertices, faces) > 1e-12]
    normals = crease_normals(vertices, faces).reshape(-1, 3)
    uv = np.zeros((len(vertices), 2)) if uv is None else uv
    corners = np.concatenate([vertices[faces.ravel()], normals, uv[faces.ravel()]], axis=1)
    unique, index = np.unique(np.round(corners, 5), axis=0, return_inverse=True)
    return (
        unique[:, :3].ravel(),
        index.ravel().astype(np.int32),
        unique[:, 3:6].ravel(),
        unique[:, 6:].ravel(),
    )


def _areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def crease_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normal of each face corner, (F, 3, 3): smooth where faces meet within CREASE_COS, sharp beyond.

    Vertices at one place count as one, so that the doubled seam of a label does not show.
    """
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    weighted = np.cross(b - a, c - a)
    unit = weighted / np.linalg.norm(weighted, axis=1, keepdims=True)
    place = np.unique(np.round(vertices, 6), axis=0, return_inverse=True)[1].reshape(-1)[faces]
    corner_place, corner_face = place.ravel(), np.repeat(np.arange(len(faces)), 3)
    corner, other = np.nonzero(corner_place[:, None] == corner_place)
    here, there = corner_face[corner], corner_face[other]
    smooth = (unit[here] * unit[there]).sum(axis=1) > CREASE_COS
    normals = np.zeros((len(corner_place), 3))
    np.add.at(normals, corner[smooth], weighted[there[smooth]])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return normals.reshape(-1, 3, 3)
