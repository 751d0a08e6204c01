"""The cameras of the cell: where they look from, the bodies that carry them, and the wrist bracket.

Head: photo-true position, turned by 12 deg so that the fingertips at init show at the right edge. Wrist: on a bracket
at the thumb side, along the fingers, 13 deg towards them. Axes are image right and image up in the frame of the body
that carries the camera. Positions are fitted to the published photograph, tilts and lenses are guesses.
"""

import mujoco
import numpy as np

from assets.mesh import Mesh
from assets.robots.furniture import block
from assets.robots.palette import add_shell, painted
from assets.robots.shells import turned
from envs.spec import ARM_BITS, COLLISION_GROUP, HEAD, HEAD_FOVY_DEG, WRIST, WRIST_FOVY_DEG

HEAD_POS, HEAD_AXES = (0.10, 0.0, 0.70), (-0.20791, -0.97815, 0.0, 0.87918, -0.18688, 0.43834)
WRIST_POS, WRIST_AXES = (-0.085, 0.050, 0.055), (0.0, -1.0, 0.0, -0.97437, 0.0, 0.22495)
OUTSIDE_POS, OUTSIDE_AXES, OUTSIDE_FOVY_DEG = (0.67, -0.015, 1.09), (0.0, 1.0, 0.0, -0.8389, 0.0, 0.5443), 69.6
SIDE_POS, SIDE_AXES, SIDE_FOVY_DEG = (1.15, -0.85, 0.62), (0.63715, 0.77074, 0.0, -0.30543, 0.25249, 0.91813), 40.0

# Camera housings, half sizes along image right, image up and depth (m); the lens ends just behind the optical centre,
# so that no camera sees itself.
HEAD_HOUSING_HALF, WRIST_HOUSING_HALF = (0.045, 0.0125, 0.0125), (0.021, 0.021, 0.0115)
LENS_BACK_M = 0.002

# The wrist bracket in the hand frame: a strip from the wrist (start) to the camera (end), its half width and half
# thickness (m); it lies in a plane z = const.
STRIP_START, STRIP_END, STRIP_HALF = (-0.018, 0.010, 0.026), (-0.100, 0.058, 0.026), (0.014, 0.003)


def add_cameras(station: mujoco.MjSpec) -> None:
    """Add the policy's cameras head and wrist and the viewpoints outside and side, with what carries the first two."""
    world, palm = station.worldbody, station.body("hand/palm")
    for body, name, pos, axes, fovy in (
        (world, HEAD, HEAD_POS, HEAD_AXES, HEAD_FOVY_DEG),
        (palm, WRIST, WRIST_POS, WRIST_AXES, WRIST_FOVY_DEG),
        (world, "outside", OUTSIDE_POS, OUTSIDE_AXES, OUTSIDE_FOVY_DEG),
        (world, "side", SIDE_POS, SIDE_AXES, SIDE_FOVY_DEG),
    ):
        quat = np.empty(4)
        mujoco.mju_mat2Quat(quat, camera_rotation(axes).ravel())
        body.add_camera(name=name, pos=pos, quat=quat, fovy=fovy)
    add_shell(station, world, "head_camera_shell", _housing(HEAD_POS, HEAD_AXES, HEAD_HOUSING_HALF))
    strip = painted(block(*_strip()), "white")
    add_shell(station, palm, "bracket_shell", (strip, *_housing(WRIST_POS, WRIST_AXES, WRIST_HOUSING_HALF)))
    _add_bracket_collision(palm)


def camera_rotation(axes: tuple[float, ...]) -> np.ndarray:
    """Rotation (3, 3) of a camera given its image-right and image-up directions (6,): columns right, up, back."""
    right, up = np.array(axes[:3]), np.array(axes[3:])
    right /= np.linalg.norm(right)
    up -= (up @ right) * right
    up /= np.linalg.norm(up)
    return np.stack([right, up, np.cross(right, up)], axis=1)


def _housing(pos: tuple[float, ...], axes: tuple[float, ...], half: tuple[float, ...]) -> tuple[Mesh, ...]:
    rotation = camera_rotation(axes)
    center = np.array(pos) + rotation[:, 2] * (LENS_BACK_M + half[2] + 0.001)
    box = block(center, half, rotation)
    lens = turned([(0.008, -0.001), (0.008, LENS_BACK_M + 0.001)], 8, bottom=False)
    # The lens looks along -back; two of them, as stereo cameras have.
    forward = rotation @ np.diag([1.0, -1.0, -1.0])
    lenses = [
        painted(lens.moved(forward, center - rotation[:, 2] * half[2] + rotation[:, 0] * shift), "black")
        for shift in (-0.6 * half[0], 0.6 * half[0])
    ]
    return painted(box, "seam"), *lenses


def _strip() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre (3,), half sizes (3,) in m and rotation (3, 3) of the bracket's strip in the hand frame."""
    start, end = np.array(STRIP_START), np.array(STRIP_END)
    length = np.linalg.norm(end - start)
    along = (end - start) / length
    rotation = np.stack([along, np.cross([0.0, 0.0, 1.0], along), [0.0, 0.0, 1.0]], axis=1)
    return (start + end) / 2, np.array([length / 2, *STRIP_HALF]), rotation


def _add_bracket_collision(palm: mujoco.MjsBody) -> None:
    rotation = camera_rotation(WRIST_AXES)
    housing = np.array(WRIST_POS) + rotation[:, 2] * (WRIST_HOUSING_HALF[2] + LENS_BACK_M)
    for k, (center, half, turn) in enumerate((_strip(), (housing, WRIST_HOUSING_HALF, rotation))):
        quat = np.empty(4)
        mujoco.mju_mat2Quat(quat, turn.ravel())
        palm.add_geom(
            name=f"bracket_collision{k}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=center,
            quat=quat,
            size=half,
            mass=0.0,
            group=COLLISION_GROUP,
            contype=ARM_BITS[0],
            conaffinity=ARM_BITS[1],
        )
