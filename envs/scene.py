"""EpisodeSpec -> compiled model: the only file that composes MJCF."""

import functools
from dataclasses import dataclass

import mujoco
import numpy as np

from assets.looks.looks import apply_look
from assets.objects.build import add_object
from assets.objects.library import get_object
from assets.objects.solids import Support, support
from assets.objects.types import ObjectSpec
from assets.robots.hand import HandSpec
from assets.robots.hands import get_hand
from assets.robots.station import build_station
from envs import spec
from envs.altering import altered, shift_head_camera
from envs.episode import EpisodeSpec
from envs.interface import EpisodeError
from envs.physics import set_options

# What a geom belongs to, one bit each, so that a contact is classified by a single look-up; object i is OBJECT << i.
ROBOT, HAND, STATIC, OBJECT = 1, 2, 4, 8


@dataclass(frozen=True, eq=False)
class Scene:
    """A compiled episode and the indices that the rest of the package needs, resolved once."""

    episode: EpisodeSpec
    model: mujoco.MjModel
    hand: HandSpec
    objects: tuple[ObjectSpec, ...]
    supports: tuple[Support, ...]  # exact lowest point of each object in any pose
    object_bodies: np.ndarray  # (N,) body ids, target first
    object_qpos: np.ndarray  # (N, 7) qpos addresses
    is_robot: np.ndarray  # (ngeom,) bool: moving arm and hand
    is_hand: np.ndarray  # (ngeom,) bool
    is_static: np.ndarray  # (ngeom,) bool: table, tray, column, parked arm
    geom_bits: np.ndarray  # (ngeom,) int64: the same as bits ROBOT, HAND, STATIC and OBJECT << i
    robot_or_station: np.ndarray  # (ngeom,) int8: ROBOT, STATIC or 0

    def initial_data(self) -> mujoco.MjData:
        """Fresh data with the objects at their places and everything at rest; the robot stands at qpos0."""
        data = mujoco.MjData(self.model)
        for addresses, placed in zip(self.object_qpos, self.episode.objects, strict=True):
            data.qpos[addresses] = (*placed.pos, *placed.quat)
        return data

    def object_poses(self, data: mujoco.MjData) -> np.ndarray:
        """Poses (N, 7) of all objects in world, position and quaternion wxyz, target first. A copy."""
        return data.qpos[self.object_qpos]

    def lowest_m(self, data: mujoco.MjData, index: int = 0) -> float:
        """Height of the lowest point of object `index` above the table."""
        body = self.object_bodies[index]
        return self.supports[index].lowest_z(data.xmat[body].reshape(3, 3), data.xpos[body])


@functools.cache
def _station(hand: str) -> mujoco.MjSpec:
    return build_station(hand)


def build_scene(episode: EpisodeSpec, hand: str = "g0r") -> Scene:
    """Compose and compile one episode with its changes. Raises EpisodeError for a hand or an object that cannot be."""
    changes, look = episode.changes, episode.look
    try:
        hand_spec = get_hand(hand)
        objects = tuple(altered(get_object(o.object_id), changes, look.table) for o in episode.objects)
    except (KeyError, ValueError) as err:
        raise EpisodeError(err.args[0]) from err
    world = _station(hand).copy()
    set_options(world)
    apply_look(world, look)
    shift_head_camera(world, changes)
    for i, (object_spec, placed) in enumerate(zip(objects, episode.objects, strict=True)):
        add_object(world, object_spec, spec.object_name(i), placed.pos, placed.quat)
    model = world.compile()
    bodies = np.array([model.body(spec.object_name(i)).id for i in range(len(objects))])
    qpos = np.array([model.joint(spec.object_name(i)).qposadr[0] + np.arange(7) for i in range(len(objects))])
    root = model.body_rootid[model.geom_bodyid]
    weld = model.body_weldid[model.geom_bodyid]
    collides = model.geom_contype != 0
    is_static = (weld == 0) & collides
    is_object = np.isin(root, bodies)
    of_hand = np.array([model.body(b).name.startswith("hand/") for b in range(model.nbody)])
    is_hand = of_hand[model.geom_bodyid] & collides
    is_robot = ~is_static & ~is_object & collides
    geom_bits = is_robot * ROBOT | is_hand * HAND | is_static * STATIC
    for i, body in enumerate(bodies):
        geom_bits[(root == body) & collides] |= OBJECT << i
    return Scene(
        episode=episode,
        model=model,
        hand=hand_spec,
        objects=objects,
        supports=tuple(support(o) for o in objects),
        object_bodies=bodies,
        object_qpos=qpos,
        is_robot=is_robot,
        is_hand=is_hand,
        is_static=is_static,
        geom_bits=geom_bits,
        robot_or_station=(geom_bits & (ROBOT | STATIC)).astype(np.int8),
    )
