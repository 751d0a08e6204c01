"""What a control step reads from the contacts and poses of a scene. Read often, so every array operation counts."""

import mujoco
import numpy as np

from envs.scene import HAND, OBJECT, ROBOT, STATIC, Scene

_ROBOT_STATION, _STATION_ROBOT = bytes([ROBOT, STATIC]), bytes([STATIC, ROBOT])


def contact_readings(scene: Scene, data: mujoco.MjData) -> tuple[int, float]:
    """(`touched_objects`, `station_force_n`)."""
    return touched_objects(scene, data), station_force_n(scene, data)


def touched_objects(scene: Scene, data: mujoco.MjData) -> int:
    """Which objects the hand touches: bit i stands for object i, 0 is the target."""
    bits = scene.geom_bits.take(data.contact.geom)
    pair = bits[:, 0] | bits[:, 1]
    # Nothing is hand and object at once: what a pair with the hand holds above the lowest bits is an object.
    return int(np.bitwise_or.reduce(pair * ((pair & HAND) != 0), initial=0)) // OBJECT


def station_force_n(scene: Scene, data: mujoco.MjData) -> float:
    """Total normal force in newton between robot and table or station, in the latest physics step."""
    contact = data.contact
    sides = scene.robot_or_station.take(contact.geom)
    # Nearly always there is no such contact, and a search in bytes says so quickest. It may err the other way.
    found = sides.tobytes()
    if _ROBOT_STATION not in found and _STATION_ROBOT not in found:
        return 0.0
    rows = contact.efc_address[sides[:, 0] + sides[:, 1] == ROBOT + STATIC]
    # With an elliptic cone the first row of a contact's constraint is its normal force; -1 marks an inactive contact.
    return float(data.efc_force[rows[rows >= 0]].sum())


def raised_m(scene: Scene, data: mujoco.MjData, start_poses: np.ndarray) -> float:
    """Largest rise of any neighbour's body origin above where it stood (m); 0 without neighbours."""
    if len(start_poses) < 2:
        return 0.0
    return float((data.xpos[scene.object_bodies[1:], 2] - start_poses[1:, 2]).max())
