"""The things that an episode changes before it begins: objects of another finish or weight, a moved head camera."""

import functools
from dataclasses import replace

import mujoco
import numpy as np

from assets.objects.finish import finished
from assets.objects.types import ObjectSpec
from envs import spec
from envs.changes import Changes
from envs.placing import rotated

HEAD_PARTS = "head_camera_shell"  # the housing that goes with the head camera


def altered(object_spec: ObjectSpec, changes: Changes, table: str) -> ObjectSpec:
    """The object as it looks and weighs in an episode; itself where nothing is changed.

    Raises ValueError for a finish that the table top `table` does not allow.
    """
    seen = finished(object_spec, changes.finish, table)
    return seen if changes.friction == changes.mass == 1.0 else _weighed(seen, changes.friction, changes.mass)


@functools.lru_cache(maxsize=1024)
def _weighed(object_spec: ObjectSpec, friction: float, mass: float) -> ObjectSpec:
    return replace(
        object_spec,
        friction=object_spec.friction * friction,
        mass_kg=object_spec.mass_kg * mass,
        inertia_kg_m2=tuple(value * mass for value in object_spec.inertia_kg_m2),
    )


def shift_head_camera(world: mujoco.MjSpec, changes: Changes) -> None:
    """Move and turn the head camera of a station, and its housing with it. The turn is about the camera's own place."""
    move, turn = np.array(changes.head_move_m), rotated(changes.head_turn_rad)
    if not (move.any() or any(changes.head_turn_rad)):
        return
    camera = world.camera(spec.HEAD)
    eye = np.array(camera.pos)
    for part in (camera, world.geom(HEAD_PARTS)):
        pos, quat, matrix = np.array(part.pos), np.zeros(4), np.zeros(9)
        mujoco.mju_quat2Mat(matrix, np.array(part.quat))
        mujoco.mju_mat2Quat(quat, (turn @ matrix.reshape(3, 3)).ravel())
        part.pos, part.quat = eye + turn @ (pos - eye) + move, quat
