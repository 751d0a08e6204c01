"""A test bench for hands: measures ranges, couplings, closing times, fingertip forces, opposition and a squeeze.

Everything is measured on the compiled hand with its wrist fixed in the air, without gravity, under the physics
options of the benchmark.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from assets.robots.hand import HandSpec, build_hand
from envs.spec import HAND_ORDER, OBJECT_BITS, TIMESTEP_S

DIGITS = ("little", "ring", "middle", "index", "thumb")
CYLINDER_DIAMETERS_M = (0.02, 0.05, 0.08)
PULL_N, PULL_S, SLIP_M = 2.0, 0.5, 0.015
PROBE_RADIUS_M = 0.008


@dataclass(frozen=True)
class Squeeze:
    """How a cylinder was held: diameter m, axis position (y, z) m in the hand frame, worst shift under pull m."""

    diameter_m: float
    center_m: tuple[float, float]
    shift_m: float

    @property
    def held(self) -> bool:
        """No pull moved the cylinder by more than SLIP_M."""
        return self.shift_m < SLIP_M


def use_benchmark_physics(spec: mujoco.MjSpec, *, gravity: bool = False) -> None:
    """Set the options under which the hand was designed: 2 ms, implicitfast, Newton, elliptic cone."""
    option = spec.option
    option.timestep = TIMESTEP_S
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    option.impratio = 100.0
    if not gravity:
        option.gravity = [0.0, 0.0, 0.0]


def compiled(hand: HandSpec) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """The bare hand, ready to step, open."""
    spec = build_hand(hand)
    use_benchmark_physics(spec)
    model = spec.compile()
    return model, mujoco.MjData(model)


def targets_rad(hand: HandSpec, closing: Sequence[float]) -> np.ndarray:
    """Motor targets (6,) rad of closing fractions (6,): 0 open, 1 closed."""
    low, high = np.array(hand.open_rad), np.array(hand.closed_rad)
    return low + np.asarray(closing, dtype=float) * (high - low)


def pose_kinematically(model: mujoco.MjModel, data: mujoco.MjData, hand: HandSpec, motors_rad: np.ndarray) -> None:
    """Put every joint where motor angles (6,) and the couplings say, and compute positions."""
    angles = dict(zip(HAND_ORDER, motors_rad, strict=True))
    for bone in hand.bones():
        angle = np.polynomial.polynomial.polyval(angles[bone.leader], bone.coupling) if bone.leader else None
        data.joint(bone.joint).qpos[0] = angles[bone.joint] if angle is None else angle
    mujoco.mj_kinematics(model, data)


def coupling_error_rad(hand: HandSpec) -> float:
    """Largest deviation of a coupled joint from its polynomial while all motors close and open again."""
    model, data = compiled(hand)
    _ignore_contacts(model)
    worst = 0.0
    for closing in (1.0, 0.0):
        data.ctrl[:] = targets_rad(hand, [closing] * 6)
        for _ in range(300):
            mujoco.mj_step(model, data)
            for bone in hand.bones():
                if bone.leader:
                    wanted = np.polynomial.polynomial.polyval(data.joint(bone.leader).qpos[0], bone.coupling)
                    worst = max(worst, abs(data.joint(bone.joint).qpos[0] - wanted))
    return worst


def closing_times_s(hand: HandSpec) -> dict[str, float]:
    """Time (s) from the command until 95 % of the travel, per motor, all moving at once; inf if it never gets there."""
    model, data = compiled(hand)
    _ignore_contacts(model)
    data.ctrl[:] = targets_rad(hand, [1.0] * 6)
    goals = targets_rad(hand, [0.95] * 6)
    times = dict.fromkeys(HAND_ORDER, np.inf)
    while data.time < 2.0 and np.inf in times.values():
        mujoco.mj_step(model, data)
        for name, goal in zip(HAND_ORDER, goals, strict=True):
            if times[name] == np.inf and data.joint(name).qpos[0] >= goal:
                times[name] = data.time
    return times


def _ignore_contacts(model: mujoco.MjModel) -> None:
    """A closing hand touches itself; what the motors and linkages do is measured without that."""
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT


def tip_force_n(hand: HandSpec, digit: str, travel: float = 0.35) -> float:
    """Force (N) with which a fingertip presses on a fixed ball met at `travel` of its closing, at stall."""
    motor = "thumb_bend" if digit == "thumb" else digit
    ball, start = _ball_in_the_way(hand, digit, motor, travel)
    spec = build_hand(hand)
    use_benchmark_physics(spec)
    spec.worldbody.add_geom(
        name="ball", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[PROBE_RADIUS_M, 0, 0], pos=ball, priority=1,
        contype=OBJECT_BITS[0], conaffinity=OBJECT_BITS[1], friction=[0.7, 0.005, 0.0001], condim=4,
    )  # fmt: skip
    model = spec.compile()
    data = mujoco.MjData(model)
    pose_kinematically(model, data, hand, start)
    goal = start.copy()
    goal[HAND_ORDER.index(motor)] = hand.closed_rad[HAND_ORDER.index(motor)]
    data.ctrl[:] = goal
    mujoco.mj_step(model, data, 500)
    return float(np.linalg.norm(contact_force(model, data, "ball")))


def _ball_in_the_way(hand: HandSpec, digit: str, motor: str, travel: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre (3,) of a ball that the tip touches at `travel`, and motor angles (6,) shortly before."""
    model, data = compiled(hand)
    index, tips = HAND_ORDER.index(motor), []
    for step in (travel - 0.02, travel, travel + 0.01):
        closing = np.zeros(6)
        closing[5] = 1.0 if digit == "thumb" else 0.0
        closing[index] = step
        motors = targets_rad(hand, closing)
        if step < travel:
            start = motors
        pose_kinematically(model, data, hand, motors)
        tips.append(data.site(f"tip_{digit}").xpos.copy())
    way = (tips[2] - tips[1]) / np.linalg.norm(tips[2] - tips[1])
    return tips[1] + way * (PROBE_RADIUS_M + tip_radius_m(hand, digit)), start


def tip_radius_m(hand: HandSpec, digit: str) -> float:
    """Radius (m) of the end cap of a digit."""
    return next(d for d in hand.digits if d.name == digit).bones[-1].radii[-1]


def contact_force(model: mujoco.MjModel, data: mujoco.MjData, geom: str) -> np.ndarray:
    """Sum (3,) N in the world frame of the contact forces on a geom."""
    total, wrench, wanted = np.zeros(3), np.zeros(6), model.geom(geom).id
    for i in range(data.ncon):
        contact = data.contact[i]
        if wanted in contact.geom:
            mujoco.mj_contactForce(model, data, i, wrench)
            total += (1.0 if contact.geom[1] == wanted else -1.0) * contact.frame.reshape(3, 3).T @ wrench[:3]
    return total


def opposition_gaps_m(hand: HandSpec) -> dict[str, float]:
    """Smallest gap (m) between the surfaces of thumb tip and each fingertip over the whole range of both."""
    model, data = compiled(hand)
    paths: dict[str, list[np.ndarray]] = {digit: [] for digit in DIGITS}
    for closing in np.linspace(0, 1, 41):
        pose_kinematically(model, data, hand, targets_rad(hand, [closing] * 4 + [0, 0]))
        for digit in DIGITS[:4]:
            paths[digit].append(data.site(f"tip_{digit}").xpos.copy())
    for rotation in np.linspace(0, 1, 25):
        for bend in np.linspace(0, 1, 17):
            pose_kinematically(model, data, hand, targets_rad(hand, [0] * 4 + [bend, rotation]))
            paths["thumb"].append(data.site("tip_thumb").xpos.copy())
    thumb = np.array(paths["thumb"])
    gaps = {}
    for digit in DIGITS[:4]:
        apart = np.linalg.norm(np.array(paths[digit])[:, None] - thumb, axis=-1).min()
        gaps[digit] = float(apart - tip_radius_m(hand, digit) - tip_radius_m(hand, "thumb"))
    return gaps


def squeeze(hand: HandSpec, diameter_m: float, center_m: tuple[float, float]) -> Squeeze:
    """Close on a free cylinder lying across the palm at (y, z) m, then pull it in six directions."""
    model, data = _cylinder_scene(hand, diameter_m, center_m)
    pose_kinematically(model, data, hand, targets_rad(hand, [0, 0, 0, 0, 0, 1]))
    for fraction in np.linspace(0, 1, 125):
        data.ctrl[:] = targets_rad(hand, [fraction] * 5 + [1])
        mujoco.mj_step(model, data)
    mujoco.mj_step(model, data, 250)
    body, worst, held_at = model.body("cylinder").id, 0.0, data.xpos[-1].copy()
    for direction in np.concatenate([np.eye(3), -np.eye(3)]):
        data.xfrc_applied[body, :3] = PULL_N * direction
        mujoco.mj_step(model, data, int(PULL_S / TIMESTEP_S))
        worst = max(worst, float(np.linalg.norm(data.xpos[body] - held_at)))
    return Squeeze(diameter_m, center_m, worst)


def best_squeeze(hand: HandSpec, diameter_m: float) -> Squeeze:
    """The first of a few natural places in the hand where the cylinder stays, or the best of the failures."""
    radius, best = diameter_m / 2, None
    for gap in (0.010, 0.020, 0.002, 0.030):
        for z in (0.125, 0.135, 0.115, 0.145):
            result = squeeze(hand, diameter_m, (0.0165 + radius + gap, z))
            if best is None or result.shift_m < best.shift_m:
                best = result
            if result.held:
                return result
    return best


def _cylinder_scene(hand: HandSpec, diameter_m: float, center_m: tuple[float, float]):
    spec = build_hand(hand)
    use_benchmark_physics(spec)
    body = spec.worldbody.add_body(name="cylinder", pos=[0.0, *center_m], quat=[0.5**0.5, 0.0, 0.5**0.5, 0.0])
    body.add_freejoint()
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[diameter_m / 2, 0.06, 0], mass=0.1, priority=1, condim=4,
        friction=[0.7, 0.005, 0.0001], solref=[0.004, 1.0], solimp=[0.95, 0.99, 0.001, 0.5, 2.0],
        contype=OBJECT_BITS[0], conaffinity=OBJECT_BITS[1],
    )  # fmt: skip
    model = spec.compile()
    return model, mujoco.MjData(model)
