"""Contact sheets of all assets: `python -m assets.gallery --out DIR` draws objects, hands, looks and the station."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import mujoco
import numpy as np
import tyro
from rich.console import Console

from assets.looks.looks import (
    LIGHTINGS,
    TABLES,
    TRAIN_LIGHTINGS,
    TRAIN_TABLES,
    LookSpec,
    animate,
    apply_look,
)
from assets.objects.build import add_object
from assets.objects.library import SEEN, UNSEEN, get_object
from assets.photo import Tile, contact_sheet, free_view, named_view, photographs
from assets.robots.hand import build_hand
from assets.robots.hand_types import HandSpec
from assets.robots.hands import HANDS, get_hand
from assets.robots.rm75 import POSES
from assets.robots.station import build_station
from envs.spec import HAND_ORDER, VISUAL_BITS, VISUAL_GROUP

OBJECT_PX, OBJECT_COLUMNS, OBJECTS_PER_SHEET = (200, 180), 10, 60
HAND_PX, VIEW_PX = (260, 260), (360, 270)
ROBOT_POSES = ("init", "placement", "return_medium")
CAMERAS = ("head", "wrist", "outside", "side")
VARIANTS = range(3)

# Hand actions (6,) in HAND_ORDER: 1 open, 0 closed; thumb_rotation 0 opposes the thumb to the fingers.
HAND_POSES: Mapping[str, Sequence[float]] = MappingProxyType(
    {
        "open": (1, 1, 1, 1, 1, 1),
        "half": (0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
        "closed": (0, 0, 0, 0, 0, 1),
        "opposed": (1, 1, 1, 1, 1, 0),
        "pinch": (1, 1, 1, 0.45, 0.45, 0),
    }
)
# Name -> azimuth and elevation (deg). The palm looks along +y, the thumb is at -x.
HAND_VIEWS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"palm": (-90, -5), "back": (90, -15), "thumb side": (0, -10), "fingertips": (-90, -70)}
)
# Where the objects of a scene stand: x, y in world (m), turn about the vertical (rad).
SCENE_PLACES = ((0.44, -0.05, 0.3), (0.53, -0.20, 1.2), (0.45, -0.30, 2.0), (0.56, -0.05, 2.9), (0.55, -0.36, 4.0))


def object_tiles(ids: Sequence[str]) -> list[Tile]:
    """Each object on the white table, with id, name and size in cm."""
    return [_object_tile(object_id) for object_id in ids]


def hand_tiles() -> list[Tile]:
    """Both hands in every pose of HAND_POSES from every side of HAND_VIEWS."""
    return [tile for name in HANDS for tile in _hand_tiles(get_hand(name))]


def look_tiles(size: tuple[int, int] = VIEW_PX) -> list[Tile]:
    """The head camera's view of one scene under every table and lighting; training looks in a few variants."""
    looks = [LookSpec(table) for table in TABLES if table not in TRAIN_TABLES]
    looks += [LookSpec(lighting=name) for name in LIGHTINGS if name != "white" and name not in TRAIN_LIGHTINGS]
    looks += [LookSpec("colourful_cloth", "disco", 1), LookSpec("wood", "disco", 2)]
    looks += [LookSpec(table, variant=v) for table in TRAIN_TABLES for v in VARIANTS]
    looks += [LookSpec(lighting=lighting, variant=v) for lighting in TRAIN_LIGHTINGS for v in VARIANTS]
    return [_look_tile(look, size) for look in looks]


def station_tiles(hand: str, size: tuple[int, int] = VIEW_PX) -> list[Tile]:
    """The station with a few objects, in every named pose, from every camera."""
    model, data = _scene(LookSpec(), hand)
    tiles = []
    for pose in ROBOT_POSES:
        _pose_arm(data, pose)
        _pose_hand(data, get_hand(hand), get_hand(hand).rest_action)
        mujoco.mj_forward(model, data)
        pictures = photographs(model, data, [named_view(model, camera) for camera in CAMERAS], size)
        tiles += [(picture, (f"{hand}, {pose}, {camera}",)) for picture, camera in zip(pictures, CAMERAS, strict=True)]
    return tiles


def sheets_of_objects() -> Iterator[tuple[str, list[Tile], int]]:
    """(file name, tiles, columns) of the library, OBJECTS_PER_SHEET at a time."""
    for split, ids in (("seen", SEEN), ("unseen", UNSEEN)):
        for n, start in enumerate(range(0, len(ids), OBJECTS_PER_SHEET), start=1):
            yield f"objects_{split}_{n}", object_tiles(ids[start : start + OBJECTS_PER_SHEET]), OBJECT_COLUMNS


def sheets_of_hands() -> Iterator[tuple[str, list[Tile], int]]:
    """(file name, tiles, columns) of both hands."""
    yield "hands", hand_tiles(), 2 * len(HAND_VIEWS)


def sheets_of_looks() -> Iterator[tuple[str, list[Tile], int]]:
    """(file name, tiles, columns) of all looks."""
    yield "looks", look_tiles(), 6


def sheets_of_station() -> Iterator[tuple[str, list[Tile], int]]:
    """(file name, tiles, columns) of the station, one sheet per hand."""
    for hand in HANDS:
        yield f"station_{hand}", station_tiles(hand), len(CAMERAS)


Part = Literal["objects", "hands", "looks", "station"]
PARTS: Mapping[Part, Callable[[], Iterator[tuple[str, list[Tile], int]]]] = MappingProxyType(
    {"objects": sheets_of_objects, "hands": sheets_of_hands, "looks": sheets_of_looks, "station": sheets_of_station}
)


@dataclass(frozen=True)
class Options:
    """Draw contact sheets of the assets as PNG files."""

    out: Annotated[Path, tyro.conf.arg(help="folder for the sheets; made if missing")] = Path("gallery")
    only: Annotated[tuple[Part, ...], tyro.conf.arg(help="what to draw; all by default")] = tuple(PARTS)


def main(options: Options) -> list[Path]:
    """Write the sheets and return their paths."""
    options.out.mkdir(parents=True, exist_ok=True)
    console, written = Console(), []
    for part in options.only:
        for name, tiles, columns in PARTS[part]():
            path = options.out / f"{name}.png"
            contact_sheet(tiles, columns, f"{name.replace('_', ' ')} ({len(tiles)})").save(path)
            console.print(f"{path}: {len(tiles)} tiles")
            written.append(path)
    return written


def _object_tile(object_id: str) -> Tile:
    item = get_object(object_id)
    world = _plain_world()
    quat, height_m = item.rest_quats[0]
    add_object(world, item, "item", (0.0, 0.0, height_m), quat)
    model, data = _ready(world)
    extent = np.array(item.extent_m)
    view = free_view((0.0, 0.0, extent[2] / 2), 1.25 * float(np.linalg.norm(extent)) + 0.03, 215, -32)
    words = " ".join((*item.size_words, "/".join(item.colors), item.noun))
    size_cm = " x ".join(f"{100 * v:.1f}" for v in extent)
    return photographs(model, data, [view], OBJECT_PX)[0], (object_id, words, f"{size_cm} cm, {item.mass_kg:.2f} kg")


def _hand_tiles(hand: HandSpec) -> Iterator[Tile]:
    world = _plain_world(height_m=-0.12)
    world.attach(build_hand(hand), prefix="hand/", frame=world.worldbody.add_frame())
    model, data = _ready(world)
    views = [free_view((0.0, 0.015, 0.095), 0.36, *angles) for angles in HAND_VIEWS.values()]
    for pose, action in HAND_POSES.items():
        _pose_hand(data, hand, action)
        mujoco.mj_forward(model, data)
        for picture, side in zip(photographs(model, data, views, HAND_PX), HAND_VIEWS, strict=True):
            yield picture, (f"{hand.name}, {pose}, {side}",)


def _look_tile(look: LookSpec, size: tuple[int, int]) -> Tile:
    model, data = _scene(look, "g0r")
    animate(model, look, 2.0)
    mujoco.mj_forward(model, data)
    picture = photographs(model, data, [named_view(model, "head")], size)[0]
    return picture, (f"{look.table} / {look.lighting}, variant {look.variant}",)


def _scene(look: LookSpec, hand: str) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """The station at init with some seen objects on the table."""
    world = build_station(hand)
    apply_look(world, look)
    chosen = SEEN[:: max(1, len(SEEN) // len(SCENE_PLACES))]
    for object_id, (x, y, turn) in zip(chosen, SCENE_PLACES, strict=False):
        quat, height_m = get_object(object_id).rest_quats[0]
        turned = np.empty(4)
        mujoco.mju_mulQuat(turned, np.array([np.cos(turn / 2), 0, 0, np.sin(turn / 2)]), np.array(quat, float))
        add_object(world, get_object(object_id), object_id, (x, y, height_m), turned)
    model, data = _ready(world)
    _pose_arm(data, "init")
    _pose_hand(data, get_hand(hand), get_hand(hand).rest_action)
    mujoco.mj_forward(model, data)
    return model, data


def _plain_world(height_m: float = 0.0) -> mujoco.MjSpec:
    """A white table at `height_m` in white light."""
    world = mujoco.MjSpec()
    world.add_material(name="table_top")
    world.worldbody.add_geom(
        name="table_top",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[0, 0, height_m - 0.02],
        size=[0.8, 0.8, 0.02],
        material="table_top",
        group=VISUAL_GROUP,
        contype=VISUAL_BITS[0],
        conaffinity=VISUAL_BITS[1],
    )
    apply_look(world, LookSpec())
    return world


def _ready(world: mujoco.MjSpec) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = world.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def _pose_arm(data: mujoco.MjData, pose: str) -> None:
    for k, angle in enumerate(POSES[pose], start=1):
        data.joint(f"arm/joint{k}").qpos[0] = angle


def _pose_hand(data: mujoco.MjData, hand: HandSpec, action: Sequence[float]) -> None:
    closing, low, high = 1 - np.asarray(action, float), np.array(hand.open_rad), np.array(hand.closed_rad)
    angles = dict(zip(HAND_ORDER, low + closing * (high - low), strict=True))
    for bone in hand.bones():
        angle = np.polynomial.polynomial.polyval(angles[bone.leader], bone.coupling) if bone.leader else None
        data.joint(f"hand/{bone.joint}").qpos[0] = angles[bone.joint] if angle is None else angle


if __name__ == "__main__":
    main(tyro.cli(Options))
