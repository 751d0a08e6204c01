"""What one control step reads from the contacts and poses of a scene."""

import mujoco
import numpy as np

from envs.scene import Scene


def contact_readings(scene: Scene, data: mujoco.MjData) -> tuple[bool, float]:
    """(hand touches the target, largest normal force in newton between robot and table or station)."""
    pairs = data.contact.geom
    if len(pairs) == 0:
        return False, 0.0
    a, b = pairs[:, 0], pairs[:, 1]
    body = scene.model.geom_bodyid
    target = scene.object_bodies[0]
    touching = (scene.is_hand[a] & (body[b] == target)) | (scene.is_hand[b] & (body[a] == target))
    hits = (scene.is_robot[a] & scene.is_static[b]) | (scene.is_robot[b] & scene.is_static[a])
    hits &= data.contact.efc_address >= 0
    # With an elliptic cone the first row of a contact's constraint is its normal force.
    force = data.efc_force[data.contact.efc_address[hits]].sum() if hits.any() else 0.0
    return bool(touching.any()), float(force)


def raised_m(scene: Scene, data: mujoco.MjData, start_poses: np.ndarray) -> float:
    """Largest rise of any neighbour's body origin above where it stood (m); 0 without neighbours."""
    if len(start_poses) < 2:
        return 0.0
    return float((data.xpos[scene.object_bodies[1:], 2] - start_poses[1:, 2]).max())
