"""Colours of the machines: one small texture, so that a part in several colours is one mesh and one geom."""

from collections.abc import Sequence

import mujoco
import numpy as np

from assets.mesh import Mesh, merge
from envs.spec import VISUAL_BITS, VISUAL_GROUP

# sRGB in [0, 1].
COLOURS: dict[str, tuple[float, float, float]] = {
    "white": (0.92, 0.92, 0.93),
    "seam": (0.30, 0.31, 0.33),
    "black": (0.07, 0.07, 0.08),
    "silver": (0.76, 0.77, 0.79),
    "steel": (0.52, 0.53, 0.55),
    "aluminium": (0.58, 0.59, 0.61),
    "charcoal": (0.16, 0.165, 0.18),
    "rubber": (0.25, 0.25, 0.27),
}
_NAMES = tuple(COLOURS)
_CELL_PX = 8
MATERIAL = "palette"


def add_palette(spec: mujoco.MjSpec) -> None:
    """Add the material that every painted shell of this spec uses."""
    pixels = np.rint(255 * np.array(list(COLOURS.values()))).astype(np.uint8)
    picture = np.tile(np.repeat(pixels, _CELL_PX, axis=0), (_CELL_PX, 1, 1))
    texture = spec.add_texture(name=MATERIAL, type=mujoco.mjtTexture.mjTEXTURE_2D)
    texture.height, texture.width, texture.nchannel = picture.shape
    texture.data = picture.tobytes()
    material = spec.add_material(name=MATERIAL, specular=0.35, shininess=0.5)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = MATERIAL


def painted(mesh: Mesh, colour: str) -> Mesh:
    """The mesh in one colour of the palette; KeyError lists the colours."""
    if colour not in COLOURS:
        raise KeyError(f"unknown colour {colour!r}; choose one of {', '.join(COLOURS)}")
    u = (_NAMES.index(colour) + 0.5) / len(_NAMES)
    return Mesh(mesh.vertices, mesh.faces, np.full((len(mesh.vertices), 2), [u, 0.5]))


def add_shell(spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, parts: Sequence[Mesh]) -> None:
    """Hang painted meshes, given in the body frame, on a body as one massless visual geom."""
    whole = merge(parts)
    mesh = spec.add_mesh(
        name=name,
        uservert=whole.vertices.ravel(),
        userface=whole.faces.ravel(),
        usertexcoord=whole.texcoord.ravel(),
    )
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    body.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=name,
        material=MATERIAL,
        mass=0.0,
        group=VISUAL_GROUP,
        contype=VISUAL_BITS[0],
        conaffinity=VISUAL_BITS[1],
    )
