"""A copy of the physics beside the real episode: collision queries and tried-out motions, without touching it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from envs import spec
from envs.control import Servo, hand_from_rad, set_hand
from envs.outcome import neighbour_disturbed
from envs.readings import station_force_n
from envs.scene import Scene

PATH_STRIDE_RAD = 0.06  # spacing of collision checks along a path, of the fastest joint
TURN_LEVER_M = 0.03  # half the length of a household thing: what a turn within the hand moves
TOUCH_M = 0.0015  # shallower overlaps are contacts that physics resolves by itself


@dataclass(frozen=True)
class Trial:
    """What a tried-out motion ended with. Heights in metres above the table."""

    lowest_m: float
    crept_m: float  # how far the target moved or turned within the hand during the last second
    disturbed: bool
    station_force_n: float

    def holds(self, height_m: float, creep_m: float) -> bool:
        """True if the target is up and stays where it is in the hand."""
        return self.lowest_m >= height_m and self.crept_m <= creep_m


def in_hand(scene: Scene, data: mujoco.MjData) -> np.ndarray:
    """The target's pose in the hand frame as (12,) metres: position, and its axes at a lever of TURN_LEVER_M."""
    frame, body = data.site("hand/frame"), scene.object_bodies[0]
    to_hand = frame.xmat.reshape(3, 3).T
    axes = to_hand @ data.xmat[body].reshape(3, 3)
    return np.concatenate([to_hand @ (data.xpos[body] - frame.xpos), TURN_LEVER_M / np.sqrt(2) * axes.ravel()])


class Branch:
    """One scene's model with a second state. `snapshot` fixes where every query and trial begins."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.data = mujoco.MjData(scene.model)
        self._base = mujoco.MjData(scene.model)
        self.servo = Servo(scene.model, scene.hand)
        self._reference = np.zeros(spec.ARM_DOF)
        self._force_n = 0.0
        self._hand_address = np.array(
            [j.qposadr[0] for j in map(scene.model.joint, range(scene.model.njnt)) if j.name.startswith("hand/")]
        )
        self._hand_shapes: dict[bytes, np.ndarray] = {}
        self._hand_points: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
        body = scene.model.geom_bodyid
        self._on_neighbour = np.isin(body, scene.object_bodies[1:])

    def snapshot(self, data: mujoco.MjData, servo: Servo) -> None:
        """Take over the real episode's state."""
        mujoco.mj_copyData(self._base, self.scene.model, data)
        mujoco.mj_copyData(self.data, self.scene.model, data)
        self._reference = servo.reference_rad.copy()

    def rewind(self) -> None:
        """Go back to the snapshot, so that queries meet every object where it stood before the latest trial."""
        mujoco.mj_copyData(self.data, self.scene.model, self._base)

    def fork(self) -> "Branch":
        """A branch whose snapshot is the state in which the latest trial ended."""
        fork = Branch(self.scene)
        fork.snapshot(self.data, self.servo)
        return fork

    @property
    def opening(self) -> np.ndarray:
        """Hand openings (6,) at the snapshot."""
        return np.clip(hand_from_rad(self._base.qpos[self.servo.hand_qpos], self.scene.hand), 0.0, 1.0)

    def target_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """(rotation (3, 3), position (3,)) of the target in world at the snapshot."""
        body = self.scene.object_bodies[0]
        return self._base.xmat[body].reshape(3, 3).copy(), self._base.xpos[body].copy()

    def blocked(self, arm_rad: np.ndarray, opening: np.ndarray, brush: bool = False) -> bool:
        """True if the robot overlaps table, station or an object in this posture.

        brush: neighbours do not count; whether the hand may push one aside is then for a trial to judge.
        """
        data, model = self.data, self.scene.model
        data.qpos[self.servo.arm_qpos] = arm_rad
        data.qpos[self._hand_address] = self._hand_shape(opening)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        if data.ncon == 0:
            return False
        pairs = data.contact.geom
        a, b = pairs[:, 0], pairs[:, 1]
        robot = self.scene.is_robot
        hit = (robot[a] != robot[b]) & (data.contact.dist < -TOUCH_M)
        if brush:
            hit &= ~(self._on_neighbour[a] | self._on_neighbour[b])
        return bool(hit.any())

    def path_blocked(self, waypoints: np.ndarray, opening: np.ndarray, brush: bool = False) -> bool:
        """True if the robot overlaps anything along the straight joint lines of a path (K, 7). See `blocked`."""
        for start, end in itertools.pairwise(waypoints):
            count = max(1, int(np.ceil(np.abs(end - start).max() / PATH_STRIDE_RAD)))
            # The far end first: most blocked lines are blocked near the objects.
            if any(self.blocked(start + (end - start) * k / count, opening, brush) for k in range(count, 0, -1)):
                return True
        return False

    def try_out(
        self,
        actions: np.ndarray,
        check_step: int,
        begin_at: int = 0,
        shift: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> Trial:
        """Carry out actions (T, 13) from the snapshot and report. Gives up at `check_step` if nothing has been lifted.

        begin_at > 0 starts with the robot standing at actions[begin_at - 1]. shift: (dx, dy, yaw) by which the target
        stands elsewhere than the snapshot says (m, m, rad).
        """
        data, model, scene = self.data, self.scene.model, self.scene
        mujoco.mj_copyData(data, model, self._base)
        self.servo.reference_rad = self._reference.copy()
        if begin_at:
            first = actions[begin_at - 1]
            self.servo.reset(data, first[spec.ARM] * spec.ARM_SCALE_RAD, first[spec.HAND])
            data.qvel[self.servo.arm_dof] = 0.0
        if any(shift):
            self._shift_target(data, shift)
        start = scene.object_poses(data)
        self._force_n, held_at = 0.0, None
        for step in range(begin_at, len(actions)):
            self.servo.run(data, actions[step], self._feel)
            if step == check_step and scene.lowest_m(data) < 0.005:
                break
            if step == len(actions) - 1 - spec.CONTROL_HZ:
                held_at = in_hand(scene, data)
        return Trial(
            lowest_m=scene.lowest_m(data),
            crept_m=float("inf") if held_at is None else float(np.linalg.norm(in_hand(scene, data) - held_at)),
            disturbed=neighbour_disturbed(start[1:], scene.object_poses(data)[1:]),
            station_force_n=self._force_n,
        )

    def target_path(self, actions: np.ndarray) -> np.ndarray:
        """Where the target is after each of the actions (T, 13) from the snapshot: (T, 7) position, quaternion wxyz."""
        mujoco.mj_copyData(self.data, self.scene.model, self._base)
        self.servo.reference_rad = self._reference.copy()
        poses = np.zeros((len(actions), 7))
        for action, pose in zip(actions, poses, strict=True):
            self.servo.run(self.data, action)
            pose[:] = self.data.qpos[self.scene.object_qpos[0]]
        return poses

    def _feel(self, data: mujoco.MjData) -> None:
        self._force_n = max(self._force_n, station_force_n(self.scene, data))

    def hand_points(self, opening: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Spheres that cover the hand's collision shapes: centres (N, 3) in the hand frame and radii (N,), metres."""
        model, data = self.scene.model, mujoco.MjData(self.scene.model)
        data.qpos[self._hand_address] = self._hand_shape(opening)
        mujoco.mj_kinematics(model, data)
        frame = data.site("hand/frame")
        rotation = frame.xmat.reshape(3, 3)
        centres, radii = [], []
        for geom in np.flatnonzero(self.scene.is_hand):
            matrix, (a, b, c) = data.geom_xmat[geom].reshape(3, 3), model.geom_size[geom]
            if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_BOX:
                local = np.array([[x, y, z] for x in (-a, a) for y in (-b, b) for z in (-c, c)])
                radius = 0.0
            elif model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE:
                local, radius = np.array([[0.0, 0.0, -b], [0.0, 0.0, b]]), a
            else:
                local, radius = np.zeros((1, 3)), float(model.geom_rbound[geom])
            centres.append((local @ matrix.T + data.geom_xpos[geom] - frame.xpos) @ rotation)
            radii.append(np.full(len(local), radius))
        return np.concatenate(centres), np.concatenate(radii)

    def raise_over_table(self, hand_in_world: np.ndarray, opening: np.ndarray, clearance_m: float) -> float:
        """How far (m, >= 0) the hand must rise at this pose (4, 4) to clear the table by `clearance_m`."""
        key = np.asarray(opening, dtype=float).tobytes()
        if key not in self._hand_points:
            self._hand_points[key] = self.hand_points(opening)
        centres, radii = self._hand_points[key]
        lowest = (centres @ hand_in_world[2, :3] + hand_in_world[2, 3] - radii).min()
        return max(0.0, clearance_m - float(lowest))

    def _shift_target(self, data: mujoco.MjData, shift: Sequence[float]) -> None:
        address = self.scene.object_qpos[0]
        data.qpos[address[:2]] += shift[:2]
        turn = np.array([np.cos(shift[2] / 2), 0.0, 0.0, np.sin(shift[2] / 2)])
        turned = np.zeros(4)
        mujoco.mju_mulQuat(turned, turn, data.qpos[address[3:]])
        data.qpos[address[3:]] = turned

    def _hand_shape(self, opening: np.ndarray) -> np.ndarray:
        key = np.asarray(opening, dtype=float).tobytes()
        if key not in self._hand_shapes:
            scratch = mujoco.MjData(self.scene.model)
            set_hand(self.scene.model, scratch, self.scene.hand, opening)
            self._hand_shapes[key] = scratch.qpos[self._hand_address].copy()
        return self._hand_shapes[key]
