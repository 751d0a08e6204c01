"""The whole cell without objects, looks and lights: column, both arms, hand, tray, table and cameras.

World frame: origin on the table-top plane under the column axis, x from the column to the table, y to the robot's
left, z up. Dimensions are fitted to the published photograph (+-2 cm unless noted); tray depth, the table's front
and sides and the floor are guesses.
"""

import mujoco
import numpy as np

from assets.robots import cameras, furniture, palette, rm75
from assets.robots.cameras import HEAD_AXES, HEAD_POS, WRIST_AXES, WRIST_POS
from assets.robots.hand import build_hand
from assets.robots.hand_types import mirrored
from assets.robots.hands import get_hand

__all__ = [
    "ARM_BASE_IN_WORLD",
    "HAND_IN_FLANGE",
    "HEAD_AXES",
    "HEAD_POS",
    "TABLE_X",
    "TABLE_Y",
    "WORKSPACE",
    "WRIST_AXES",
    "WRIST_POS",
    "build_station",
    "pose_matrix",
]

# The arms start from brackets whose axis rises 60 deg above horizontal, straight outward. Quaternions wxyz.
ARM_BASE_POS_M = (0.0, -0.115, 0.26)
ARM_BASE_QUAT = (0.683013, 0.183013, -0.183013, 0.683013)
LEFT_BASE_POS_M = (0.0, 0.115, 0.26)
LEFT_BASE_QUAT = (0.683013, -0.183013, -0.183013, -0.683013)

# Hand frame on the flange: turned by +1 rad about the flange axis; the left hand is its mirror image.
HAND_ROLL_RAD = 1.0
HAND_QUAT = (np.cos(HAND_ROLL_RAD / 2), 0.0, 0.0, np.sin(HAND_ROLL_RAD / 2))
LEFT_ROLL_RAD = np.pi - HAND_ROLL_RAD
LEFT_HAND_QUAT = (np.cos(LEFT_ROLL_RAD / 2), 0.0, 0.0, np.sin(LEFT_ROLL_RAD / 2))

# Table top and the area in which objects are spawned: every point can be reached and is seen by the head camera.
TABLE_X = furniture.TABLE_X
TABLE_Y = furniture.TABLE_Y
WORKSPACE = np.array([[0.40, 0.58], [-0.40, 0.05]])  # ((x low, x high), (y low, y high)) m


def pose_matrix(pos: tuple[float, ...], quat: tuple[float, ...]) -> np.ndarray:
    """Pose (4, 4) of a position in m and a quaternion wxyz of any length."""
    pose, rotation = np.eye(4), np.empty(9)
    mujoco.mju_quat2Mat(rotation, np.array(quat, dtype=float) / np.linalg.norm(quat))
    pose[:3, :3], pose[:3, 3] = rotation.reshape(3, 3), pos
    return pose


ARM_BASE_IN_WORLD = pose_matrix(ARM_BASE_POS_M, ARM_BASE_QUAT)  # (4, 4)
HAND_IN_FLANGE = pose_matrix((0.0, 0.0, 0.0), HAND_QUAT)  # (4, 4)


def build_station(hand: str = "g0r") -> mujoco.MjSpec:
    """The cell with the right arm carrying `hand` and the left arm parked as a statue.

    Prefixes arm/, hand/, left_arm/ and left_hand/; the 13 actuators stand in action order. KeyError for an unknown
    hand. Sets no physics options: the scene does.
    """
    spec_of_hand = get_hand(hand)
    station = mujoco.MjSpec()
    station.modelname = f"station_{hand}"
    station.compiler.degree = False
    palette.add_palette(station)
    furniture.add_furniture(station)
    mount = station.worldbody.add_frame(pos=ARM_BASE_POS_M, quat=ARM_BASE_QUAT)
    station.attach(rm75.build(), prefix="arm/", frame=mount)
    flange = station.body("arm/link7").add_frame(quat=HAND_QUAT)
    station.attach(build_hand(spec_of_hand), prefix="hand/", frame=flange)
    mount = station.worldbody.add_frame(pos=LEFT_BASE_POS_M, quat=LEFT_BASE_QUAT)
    station.attach(rm75.build(frozen_rad=rm75.POSES["left_init"]), prefix="left_arm/", frame=mount)
    flange = station.body("left_arm/link7").add_frame(quat=LEFT_HAND_QUAT)
    station.attach(build_hand(mirrored(spec_of_hand), statue=True), prefix="left_hand/", frame=flange)
    cameras.add_cameras(station)
    return station
