"""What one control step reads from the contacts and poses of a scene."""

import mujoco
import numpy as np

from envs.scene import HAND, OBJECT, ROBOT, STATIC, Scene


def contact_readings(scene: Scene, data: mujoco.MjData) -> tuple[int, float]:
    """(objects that the hand touches, total normal force in newton between robot and table or station).

    Bit i of the first number stands for object i, 0 is the target. The force is that of the latest physics step.
    """
    contact = data.contact
    bits = scene.geom_bits[contact.geom]
    if len(bits) == 0:
        return 0, 0.0
    # No geom is robot and object, or robot and station, at once: the bits of a pair tell who meets whom.
    pair = bits[:, 0] | bits[:, 1]
    touched = int(np.bitwise_or.reduce(pair[(pair & HAND) != 0], initial=0)) // OBJECT
    hits = (pair & (ROBOT | STATIC)) == (ROBOT | STATIC)
    if not hits.any():
        return touched, 0.0
    rows = contact.efc_address[hits]
    # With an elliptic cone the first row of a contact's constraint is its normal force; -1 marks an inactive contact.
    return touched, float(data.efc_force[rows[rows >= 0]].sum())


def raised_m(scene: Scene, data: mujoco.MjData, start_poses: np.ndarray) -> float:
    """Largest rise of any neighbour's body origin above where it stood (m); 0 without neighbours."""
    if len(start_poses) < 2:
        return 0.0
    return float((data.xpos[scene.object_bodies[1:], 2] - start_poses[1:, 2]).max())
