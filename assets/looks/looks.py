"""Dresses a world: table top, light and room. A look changes pictures and nothing that is felt."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import mujoco
import numpy as np

from assets.looks.lightings import LIGHTINGS, TEST_LIGHTINGS, TRAIN_LIGHTINGS, Light, Lighting
from assets.looks.tables import MAT_EXTENT_M, TABLES, TEST_TABLES, TRAIN_TABLES, tile
from envs.spec import VISUAL_BITS, VISUAL_GROUP

__all__ = [
    "LIGHTINGS",
    "TABLES",
    "TEST_LIGHTINGS",
    "TEST_TABLES",
    "TRAIN_LIGHTINGS",
    "TRAIN_TABLES",
    "LookSpec",
    "animate",
    "apply_look",
]

TABLE_TOP = "table_top"  # the station's geom and material that a look redraws
MAT = "look/mat"
MAT_HEIGHT_M = 0.0003  # a mat is drawn this far above the table, which is what objects stand on
MAT_RIM_M = 0.005  # the table goes on this far under the mat
ROOM_X, ROOM_Y, ROOM_Z = (-1.2, 3.0), (-2.0, 2.0), (-0.75, 2.5)  # walls, floor and ceiling in world (m)
GLOW = 3.0  # walls and floor mostly shine by themselves, for light at a few far corners would not look like anything
CELL_M = 0.05  # light is computed at vertices, so pools of light need a grid this fine


@dataclass(frozen=True)
class LookSpec:
    """What the pictures of an episode look like; three plain JSON values.

    table: a name of TABLES; lighting: a name of LIGHTINGS; variant: number >= 0 that fixes whatever is random in them.

    Raises:
        ValueError: a name that does not exist (the message lists the choices) or a variant that is no whole number.
    """

    table: str = "white"
    lighting: str = "white"
    variant: int = 0

    def __post_init__(self) -> None:
        _check("table", self.table, TABLES)
        _check("lighting", self.lighting, LIGHTINGS)
        if isinstance(self.variant, bool) or not isinstance(self.variant, int) or self.variant < 0:
            raise ValueError(f"a look's variant is a whole number >= 0, got {self.variant!r}")


def apply_look(world: mujoco.MjSpec, look: LookSpec) -> None:
    """Give `world` the table top, lights and background of `look`, and the picture quality that goes with them.

    The world needs a box geom and a material named "table_top" and must not have lights of its own.

    Raises:
        ValueError: the geom or material is missing.
    """
    table, lighting = TABLES[look.table](look.variant), _lighting(look.lighting, look.variant)
    top, material = world.geom(TABLE_TOP), world.material(TABLE_TOP)
    if top is None or material is None:
        raise ValueError(f"a look dresses the geom and the material {TABLE_TOP!r}; this world lacks one of them")
    cell_m = None if lighting.is_even else CELL_M
    cover = "white" if table.is_mat else look.table
    _paint(world, material, cover, look.variant)
    _redraw_top(world, top, TABLES[cover](look.variant).tile_m, cell_m, has_mat=table.is_mat)
    if table.is_mat:
        _paint(world, world.add_material(name=MAT), look.table, look.variant)
        _add_mat(world, top, table.tile_m, cell_m)
    _light(world, lighting)
    _add_room(world, lighting)
    # The near plane follows the extent; fixed, it does not depend on which objects stand around.
    world.stat.extent = 1.0


def animate(model: mujoco.MjModel, look: LookSpec, time_s: float) -> None:
    """Move the lights of `model`, compiled with `look`, to where they are at `time_s`; nothing happens where none move.

    Writes light_pos, light_dir and light_diffuse; pictures show it after the next forward or step.
    """
    lighting = _lighting(look.lighting, look.variant)
    if lighting.moving is None:
        return
    for k, light in enumerate(lighting.moving(time_s)):
        index = model.light(_light_name(k)).id
        model.light_pos[index] = light.pos
        model.light_dir[index] = _direction(light)
        model.light_diffuse[index] = light.diffuse


@functools.lru_cache(maxsize=256)
def _lighting(name: str, variant: int) -> Lighting:
    return LIGHTINGS[name](variant)


def _check(what: str, name: str, choices: Mapping[str, object]) -> None:
    if name not in choices:
        raise ValueError(f"unknown {what} {name!r} in a look; choose one of {', '.join(choices)}")


def _light_name(number: int) -> str:
    return f"look/light{number}"


def _direction(light: Light) -> np.ndarray:
    way = np.subtract(light.target, light.pos)
    return way / np.linalg.norm(way)


def _light(world: mujoco.MjSpec, lighting: Lighting) -> None:
    head = world.visual.headlight
    head.ambient, head.diffuse, head.specular = lighting.ambient, (0, 0, 0), (0, 0, 0)
    for k, light in enumerate(lighting.lights):
        kind = mujoco.mjtLightType.mjLIGHT_SPOT if light.is_spot else mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
        world.worldbody.add_light(
            name=_light_name(k),
            type=kind,
            pos=light.pos,
            dir=_direction(light),
            ambient=(0, 0, 0),
            diffuse=light.diffuse,
            specular=(light.specular,) * 3,
            cutoff=light.cutoff_deg,
            exponent=light.exponent,
            castshadow=light.casts_shadow,
        )
    quality = world.visual.quality
    quality.offsamples, quality.shadowsize = 0, lighting.shadow_px
    quality.numquads = 1 if lighting.is_even else 6


def _paint(world: mujoco.MjSpec, material: mujoco.MjsMaterial, name: str, variant: int) -> None:
    table, picture = TABLES[name](variant), tile(name, variant if name in TRAIN_TABLES else 0)
    material.specular, material.reflectance = table.specular, 0
    if table.is_plain:
        material.rgba = (*(picture[0, 0] / 255.0), 1.0)
        return
    texture = world.add_texture(name=f"look/{name}", type=mujoco.mjtTexture.mjTEXTURE_2D)
    texture.height, texture.width, texture.nchannel = picture.shape
    texture.data = picture.tobytes()
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = texture.name
    material.rgba = (1, 1, 1, 1)


def _add_room(world: mujoco.MjSpec, lighting: Lighting) -> None:
    """Floor and four walls: cheaper than a sky box, and the wrist camera sees them often."""
    center = np.array([sum(ROOM_X) / 2, sum(ROOM_Y) / 2, sum(ROOM_Z) / 2])
    walls = _rim(*(float(high - low) / 2 for low, high in (ROOM_X, ROOM_Y, ROOM_Z)))
    inward = tuple((vertices + center, faces[:, ::-1], -normal) for vertices, faces, normal in walls)
    for name, patches, colour in (
        ("look/walls", inward, lighting.wall),
        ("look/floor", (_sheet(ROOM_X, ROOM_Y, ROOM_Z[0], None),), lighting.floor),
    ):
        material = world.add_material(name=name, emission=GLOW, specular=0.0)
        material.rgba = (*(v / (1 + GLOW) for v in colour), 1.0)
        _add_mesh(world, name, patches, (0.0, 0.0), 1.0)
        _add_geom(world, name)


def _redraw_top(
    world: mujoco.MjSpec, top: mujoco.MjsGeom, tile_m: float, cell_m: float | None, *, has_mat: bool
) -> None:
    """Turn the station's box into a mesh of the same size, left open where a mat hides it: pixels drawn twice cost."""
    half_x, half_y, half_z = (float(v) for v in top.size)
    x, y = float(top.pos[0]), float(top.pos[1])
    cuts_x, cuts_y = [-half_x, half_x], [-half_y, half_y]
    if has_mat:
        cuts_x[1:1] = (MAT_EXTENT_M[0][0] + MAT_RIM_M - x, MAT_EXTENT_M[0][1] - MAT_RIM_M - x)
        cuts_y[1:1] = (MAT_EXTENT_M[1][0] + MAT_RIM_M - y, MAT_EXTENT_M[1][1] - MAT_RIM_M - y)
    sheets = [
        _sheet(along_x, along_y, half_z, cell_m)
        for i, along_x in enumerate(pairwise(cuts_x))
        for j, along_y in enumerate(pairwise(cuts_y))
        if not (has_mat and i == j == 1)
    ]
    _add_mesh(world, f"look/{TABLE_TOP}", (*sheets, *_rim(half_x, half_y, half_z)), (x, y), tile_m)
    top.type, top.meshname = mujoco.mjtGeom.mjGEOM_MESH, f"look/{TABLE_TOP}"


def _add_mat(world: mujoco.MjSpec, top: mujoco.MjsGeom, tile_m: float, cell_m: float | None) -> None:
    (x_low, x_high), (y_low, y_high) = MAT_EXTENT_M
    height_m = float(top.pos[2] + top.size[2]) + MAT_HEIGHT_M
    _add_mesh(world, MAT, (_sheet((x_low, x_high), (y_low, y_high), height_m, cell_m),), (0.0, 0.0), tile_m)
    _add_geom(world, MAT)


def _add_geom(world: mujoco.MjSpec, name: str) -> None:
    world.worldbody.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=name,
        material=name,
        mass=0.0,
        group=VISUAL_GROUP,
        contype=VISUAL_BITS[0],
        conaffinity=VISUAL_BITS[1],
    )


Patch = tuple[np.ndarray, np.ndarray, np.ndarray]  # vertices (V, 3), faces (F, 3), normal (3,)


def _sheet(x: tuple[float, float], y: tuple[float, float], z: float, cell_m: float | None) -> Patch:
    """A horizontal rectangle facing up, as a grid of about `cell_m`, or as two triangles."""
    nx, ny = (1 if cell_m is None else max(1, round((high - low) / cell_m)) for low, high in (x, y))
    gx, gy = np.meshgrid(np.linspace(*x, nx + 1), np.linspace(*y, ny + 1), indexing="ij")
    vertices = np.stack([gx, gy, np.full_like(gx, z)], axis=-1).reshape(-1, 3)
    a = (np.arange(nx)[:, None] * (ny + 1) + np.arange(ny)).ravel()
    b, c, d = a + ny + 1, a + ny + 2, a + 1
    return vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]), np.array([0.0, 0.0, 1.0])


def _rim(half_x: float, half_y: float, half_z: float) -> tuple[Patch, ...]:
    """The four upright sides of the table top."""
    corners = np.array([[half_x, -half_y], [half_x, half_y], [-half_x, half_y], [-half_x, -half_y]])
    sides = []
    for k, (start, end) in enumerate(zip(corners, np.roll(corners, -1, axis=0), strict=True)):
        vertices = np.array([(*start, -half_z), (*end, -half_z), (*end, half_z), (*start, half_z)])
        normal = np.array([np.cos(k * np.pi / 2), np.sin(k * np.pi / 2), 0.0])
        sides.append((vertices, np.array([[0, 1, 2], [0, 2, 3]]), normal))
    return tuple(sides)


def _add_mesh(
    world: mujoco.MjSpec, name: str, patches: tuple[Patch, ...], origin_m: tuple[float, float], tile_m: float
) -> None:
    vertices = np.concatenate([v for v, _, _ in patches])
    starts = np.cumsum([0] + [len(v) for v, _, _ in patches[:-1]])
    faces = np.concatenate([f + start for (_, f, _), start in zip(patches, starts, strict=True)])
    normals = np.concatenate([np.broadcast_to(n, v.shape) for v, _, n in patches])
    # Pictures run along the table's long side (y), in world coordinates; upright sides carry the colour of the edge.
    texcoord = (vertices[:, [1, 0]] + [origin_m[1], origin_m[0]]) / tile_m
    world.add_mesh(
        name=name,
        uservert=vertices.ravel(),
        userface=faces.ravel().astype(np.int32),
        usernormal=normals.ravel(),
        usertexcoord=texcoord.ravel(),
        userfacetexcoord=faces.ravel().astype(np.int32),
        # Shell inertia: the compiler then takes an open surface and wants no hull.
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )
