"""The standing parts of the cell: white box with the recessed tray, table, column, brackets, head camera mount.

Extents are fitted to the published photograph (+-2 cm); tray depth, the table's front and sides, the column's depth
and the floor are guesses.
"""

import functools

import mujoco
import numpy as np

from assets.mesh import Mesh, loft, merge
from assets.robots.palette import add_shell, painted
from envs.spec import COLLISION_GROUP, STATIC_BITS, VISUAL_BITS, VISUAL_GROUP

# Extents (low, high) in m in the world frame.
BOX_X, BOX_Y = (-0.36, 0.36), (-0.37, 0.37)
TRAY_X, TRAY_Y, TRAY_DEPTH_M = (0.13, 0.345), (-0.235, 0.235), 0.20
TABLE_X, TABLE_Y, TABLE_THICKNESS_M = (0.36, 0.96), (-0.70, 0.70), 0.03
COLUMN_HALF_M, COLUMN_TOP_M = 0.0575, 0.88
FLOOR_Z_M = -0.75

Extent = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

TABLE_COLLISION_DEPTH_M = 0.12  # deeper than it looks, so that nothing can be pushed through in one step

# Collision boxes by name; the four around the tray's opening are its walls and the rim of the white box.
COLLISION_EXTENTS: dict[str, Extent] = {
    "table_collision": (TABLE_X, TABLE_Y, (-TABLE_COLLISION_DEPTH_M, 0.0)),
    "tray_floor": (TRAY_X, TRAY_Y, (-TRAY_DEPTH_M - 0.04, -TRAY_DEPTH_M)),
    "tray_back": ((BOX_X[0], TRAY_X[0]), BOX_Y, (-TRAY_DEPTH_M, 0.0)),
    "tray_front": ((TRAY_X[1], BOX_X[1]), BOX_Y, (-TRAY_DEPTH_M, 0.0)),
    "tray_right": (TRAY_X, (BOX_Y[0], TRAY_Y[0]), (-TRAY_DEPTH_M, 0.0)),
    "tray_left": (TRAY_X, (TRAY_Y[1], BOX_Y[1]), (-TRAY_DEPTH_M, 0.0)),
    "column_collision": ((-COLUMN_HALF_M, COLUMN_HALF_M), (-COLUMN_HALF_M, COLUMN_HALF_M), (0.0, COLUMN_TOP_M)),
    "head_camera_collision": ((0.0575, 0.115), (-0.050, 0.050), (0.67, 0.77)),
    # What is swept off the table must land somewhere.
    "floor_collision": ((-1.2, 3.0), (-2.0, 2.0), (FLOOR_Z_M - 0.1, FLOOR_Z_M)),
}


def add_furniture(station: mujoco.MjSpec) -> None:
    """Add every standing part to the world body: collision boxes and what the cameras see."""
    world = station.worldbody
    for name, extent in COLLISION_EXTENTS.items():
        pos, half = center_half(extent)
        world.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=pos,
            size=half,
            mass=0.0,
            group=COLLISION_GROUP,
            contype=STATIC_BITS[0],
            conaffinity=STATIC_BITS[1],
            condim=4,
            friction=[0.7, 0.005, 0.0001],
        )
    _add_table_top(station)
    add_shell(station, world, "furniture_shell", furniture_parts())


def _add_table_top(station: mujoco.MjSpec) -> None:
    """A plain box with a material of its own, which the looks may repaint."""
    station.add_material(name="table_top", rgba=[0.93, 0.93, 0.93, 1.0])
    pos, half = center_half((TABLE_X, TABLE_Y, (-TABLE_THICKNESS_M, 0.0)))
    station.worldbody.add_geom(
        name="table_top",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=pos,
        size=half,
        mass=0.0,
        material="table_top",
        group=VISUAL_GROUP,
        contype=VISUAL_BITS[0],
        conaffinity=VISUAL_BITS[1],
    )


def center_half(extent: Extent) -> tuple[np.ndarray, np.ndarray]:
    """Centre (3,) and half sizes (3,) in m of a box given by its extents."""
    low, high = np.array(extent).T
    return (low + high) / 2, (high - low) / 2


def block(center, half, rotation: np.ndarray | None = None) -> Mesh:
    """A box mesh with sharp edges: centre (3,) and half sizes (3,) in m, turned about its centre."""
    corner = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], dtype=float) * np.asarray(half)[:2]
    rings = np.stack([np.column_stack([corner, np.full(4, z)]) for z in (-half[2], half[2])])
    return prism(rings).moved(np.eye(3) if rotation is None else rotation, center)


def prism(rings: np.ndarray) -> Mesh:
    """Two rings (2, N, 3) joined by flat faces; every face has its own vertices, so that edges stay sharp."""
    smooth = loft(rings)
    return Mesh(smooth.vertices[smooth.faces].reshape(-1, 3), np.arange(3 * len(smooth.faces)).reshape(-1, 3))


@functools.cache
def furniture_parts() -> tuple[Mesh, ...]:
    """The painted meshes of all that stands, in the world frame."""
    return (
        painted(_box_with_tray(), "white"),
        painted(_table_legs(), "aluminium"),
        painted(_column(), "aluminium"),
        painted(merge([_arm_bracket(side) for side in (-1.0, 1.0)] + _clamps()), "steel"),
        painted(_head_mount(), "black"),
    )


def _box_with_tray() -> Mesh:
    low, walls = FLOOR_Z_M, []
    for name in ("tray_back", "tray_front", "tray_right", "tray_left"):
        x, y, _ = COLLISION_EXTENTS[name]
        walls.append(block(*center_half((x, y, (low, 0.0)))))
    floor = block(*center_half((TRAY_X, TRAY_Y, (-TRAY_DEPTH_M - 0.01, -TRAY_DEPTH_M))))
    return merge([*walls, floor])


def _table_legs() -> Mesh:
    legs = [
        block(*center_half(((x - 0.025, x + 0.025), (y - 0.025, y + 0.025), (FLOOR_Z_M, -TABLE_THICKNESS_M))))
        for x in (TABLE_X[0] + 0.05, TABLE_X[1] - 0.05)
        for y in (TABLE_Y[0] + 0.05, TABLE_Y[1] - 0.05)
    ]
    return merge(legs)


def _column() -> Mesh:
    """An aluminium profile with one groove in each side."""
    h, groove, depth = COLUMN_HALF_M, 0.007, 0.009
    side = np.array([[h, -h], [h, -groove], [h - depth, -groove], [h - depth, groove], [h, groove]])
    quarter = [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in np.pi / 2 * np.arange(4)]
    outline = np.concatenate([side @ turn.T for turn in quarter])
    return prism(np.stack([np.column_stack([outline, np.full(len(outline), z)]) for z in (0.0, COLUMN_TOP_M)]))


def _arm_bracket(side: float) -> Mesh:
    """The wedge between column and arm base; side -1 is the robot's right."""
    # In the plane of column and arm: out from the column, and up. The upper face carries the arm, 30 deg tilted.
    out = np.array([COLUMN_HALF_M, COLUMN_HALF_M, 0.176])
    up = np.array([0.296, 0.150, 0.2275])
    rings = np.stack([np.column_stack([np.full(3, x), side * out, up]) for x in (-0.055, 0.055)])
    return prism(rings if side > 0 else rings[:, ::-1])


def _clamps() -> list[Mesh]:
    plate = block(*center_half(((COLUMN_HALF_M, COLUMN_HALF_M + 0.010), (-0.085, 0.085), (0.15, 0.29))))
    upper = block(*center_half(((COLUMN_HALF_M, COLUMN_HALF_M + 0.008), (-0.055, 0.055), (0.35, 0.48))))
    return [plate, upper]


def _head_mount() -> Mesh:
    return block(*center_half(((COLUMN_HALF_M, 0.078), (-0.020, 0.020), (0.685, 0.765))))
