"""The RealMan RM75-6F arm: seven joints, vendor frames, limits, masses and servo gains, as an MjSpec.

Frames are modified (Craig) DH with a = 0 and zero offsets; body i sits in body i-1 and turns about its own +z.
The flange frame is the frame of link 7: origin on the flange face, +z out of it.
Sources: vendor documents and URDF for frames, limits, masses, inertias; servo gains, armature and damping are
design choices (natural frequency about 70 rad/s, critically damped), because the vendor publishes none.
"""

from dataclasses import dataclass

import mujoco
import numpy as np

from assets.robots import palette, shells
from envs.spec import ARM_BITS, ARM_DH_D_M, ARM_SCALE_RAD, COLLISION_GROUP, STATIC_BITS

# Modified DH: twist alpha(i-1) in rad and offset d in m of each joint.
DH_ALPHA_RAD = np.deg2rad([0.0, -90.0, 90.0, -90.0, 90.0, -90.0, 90.0])
DH_D_M = np.array(ARM_DH_D_M)

JOINT_LIMITS_RAD = np.stack([-ARM_SCALE_RAD, ARM_SCALE_RAD], axis=1)  # (7, 2), as the published controller scales them
MAX_SPEED_RAD_S = np.full(7, 3.14)  # vendor URDF; its ROS variant allows joints 3 to 7 3.92
# Vendor's JSON protocol: set_joint_max_acc takes 500 rpm/s at most.
MAX_ACCELERATION_RAD_S2 = np.full(7, 500.0 * 2.0 * np.pi / 60.0)
MAX_TORQUE_NM = np.array([60.0, 60.0, 30.0, 30.0, 10.0, 10.0, 10.0])  # vendor URDF

SERVO_KP = np.array([5000.0, 6000.0, 2000.0, 2000.0, 600.0, 700.0, 160.0])  # N m / rad
SERVO_KV = np.array([140.0, 170.0, 56.0, 56.0, 17.0, 20.0, 4.6])  # N m s / rad
ARMATURE = np.array([0.2, 0.2, 0.1, 0.1, 0.05, 0.05, 0.03])  # kg m^2; zero would make saturated servos limit-cycle
DAMPING = np.array([2.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.2])  # N m s / rad

MOVING_SIDES, STATUE_SIDES = 16, 12  # facets around a tube of the drawn arm

# Published joint postures (rad) of the right arm, and the parked left arm.
POSES: dict[str, np.ndarray] = {
    "init": np.array([0.36939895, -1.42726047, 0.32529447, -0.78829542, -1.78686804, 0.85681702, 2.33696087]),
    "placement": np.array([0.95171058, -1.10870292, 0.30105185, -1.85312083, -2.63649433, 0.25455627, 2.43874849]),
    "return_medium": np.array([0.58597687, -0.72916365, 0.20774654, -1.24625233, -2.82404745, 1.29088039, 2.68651541]),
    "left_init": np.array([-0.10979866, -1.37397554, -1.11486395, -0.99602451, 0.28651326, -0.55909878, 0.59166664]),
}


@dataclass(frozen=True)
class Capsule:
    """One collision capsule in a link frame: ends (3,) and radius in m."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float


@dataclass(frozen=True)
class Link:
    """Mass in kg, centre of mass (3,) in m and principal inertia (3,) in kg m^2 about it, collision capsules."""

    mass: float
    com: tuple[float, float, float]
    inertia: tuple[float, float, float]
    capsules: tuple[Capsule, ...]


# Radii follow the vendor's meshes to about 1 cm. Odd links are tubes that end in an elbow, even ones carry the elbow's
# drum (along z) and the tube that leaves it along -y. The last link carries the force sensor; its URDF inertia (for
# 0.144 kg) is scaled to the documented mass.
BASE_CAPSULE = Capsule((0, 0, 0.02), (0, 0, 0.15), 0.055)
LINKS: tuple[Link, ...] = (
    Link(
        1.574,
        (0.000241, -0.013273, -0.00995),
        (2.488e-3, 2.321e-3, 1.451e-3),
        (Capsule((0, 0, -0.055), (0, 0, -0.015), 0.044),),
    ),
    Link(
        1.217,
        (-0.000357, -0.106798, 0.005329),
        (3.494e-3, 8.93e-4, 3.444e-3),
        (Capsule((0, -0.02, 0), (0, -0.18, 0), 0.041), Capsule((0, 0, -0.018), (0, 0, 0.018), 0.042)),
    ),
    Link(
        1.110,
        (0.000003, -0.010398, -0.011324),
        (1.837e-3, 1.499e-3, 1.063e-3),
        (Capsule((0, 0, -0.045), (0, 0, -0.015), 0.038),),
    ),
    Link(
        0.685,
        (-0.000005, -0.084658, 0.004747),
        (1.282e-3, 3.73e-4, 1.256e-3),
        (Capsule((0, -0.02, 0), (0, -0.145, 0), 0.035), Capsule((0, 0, -0.016), (0, 0, 0.016), 0.037)),
    ),
    Link(
        0.619,
        (0.000078, -0.012937, -0.008781),
        (6.27e-4, 5.42e-4, 3.70e-4),
        (Capsule((0, 0, -0.045), (0, 0, -0.015), 0.032),),
    ),
    Link(
        0.602,
        (-0.000014, -0.078524, 0.002819),
        (7.81e-4, 2.90e-4, 7.64e-4),
        (Capsule((0, -0.02, 0), (0, -0.10, 0), 0.030), Capsule((0, 0, -0.014), (0, 0, 0.014), 0.032)),
    ),
    Link(
        0.248,
        (-0.000426, 0.000237, -0.027223),
        (7.6e-5, 6.0e-5, 1.12e-4),
        (Capsule((0, 0, -0.038), (0, 0, -0.012), 0.034),),
    ),
)


def frame_of(joint: int) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) and quaternion (4,) wxyz of link `joint` (0-based) in its parent at joint angle 0."""
    alpha, d = DH_ALPHA_RAD[joint], DH_D_M[joint]
    pos = np.array([0.0, -d * np.sin(alpha), d * np.cos(alpha)])
    return pos, np.array([np.cos(alpha / 2), np.sin(alpha / 2), 0.0, 0.0])


def build(frozen_rad: np.ndarray | None = None) -> mujoco.MjSpec:
    """The arm with bodies base, link1..7, joints and actuators joint1..7 and site flange, its base at the origin.

    With `frozen_rad` (7,) the arm is a statue in that posture: no joints, no actuators, static contact bits.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "rm75"
    spec.compiler.degree = False
    palette.add_palette(spec)
    sides = MOVING_SIDES if frozen_rad is None else STATUE_SIDES
    body = spec.worldbody.add_body(name="base", gravcomp=1.0)
    _set_inertia(body, 1.862, (0.0, 0.0, 0.07), (3.2e-3, 3.2e-3, 2.8e-3))
    _add_capsule(body, "base_collision", BASE_CAPSULE, STATIC_BITS)
    shells.add_arm_shell(spec, body, 0, sides)
    for i, link in enumerate(LINKS):
        pos, quat = frame_of(i)
        if frozen_rad is not None:
            turn = np.array([np.cos(frozen_rad[i] / 2), 0.0, 0.0, np.sin(frozen_rad[i] / 2)])
            mujoco.mju_mulQuat(quat, quat.copy(), turn)
        body = body.add_body(name=f"link{i + 1}", pos=pos, quat=quat, gravcomp=1.0)
        _set_inertia(body, link.mass, link.com, link.inertia)
        bits = ARM_BITS if frozen_rad is None else STATIC_BITS
        for k, capsule in enumerate(link.capsules):
            _add_capsule(body, f"link{i + 1}_collision{k}", capsule, bits)
        shells.add_arm_shell(spec, body, i + 1, sides)
        if frozen_rad is None:
            _add_joint(spec, body, i)
    if frozen_rad is None:
        for link in ("link1", "link2"):  # the shoulder's capsules overlap the base's on purpose
            spec.add_exclude(bodyname1="base", bodyname2=link)
    body.add_site(name="flange", size=[0.004] * 3, group=4)
    return spec


def _add_joint(spec: mujoco.MjSpec, body: mujoco.MjsBody, i: int) -> None:
    name, low_high, torque = f"joint{i + 1}", JOINT_LIMITS_RAD[i], MAX_TORQUE_NM[i]
    body.add_joint(
        name=name,
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=[0, 0, 1],
        range=low_high,
        armature=ARMATURE[i],
        damping=[DAMPING[i], 0, 0],
    )
    add_position_servo(spec, name, SERVO_KP[i], SERVO_KV[i], low_high, torque)


def add_position_servo(
    spec: mujoco.MjSpec, joint: str, kp: float, kv: float, range_rad: np.ndarray, limit_nm: float
) -> None:
    """A position actuator named like its joint: force = kp (ctrl - q) - kv qd, clipped to +-limit_nm."""
    actuator = spec.add_actuator(
        name=joint,
        target=joint,
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        gaintype=mujoco.mjtGain.mjGAIN_FIXED,
        biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        ctrlrange=range_rad,
        forcerange=[-limit_nm, limit_nm],
    )
    actuator.gainprm[0] = kp
    actuator.biasprm[:3] = 0.0, -kp, -kv


def _set_inertia(body: mujoco.MjsBody, mass: float, com, inertia) -> None:
    body.explicitinertial = True
    body.mass, body.ipos, body.inertia = mass, com, inertia


def _add_capsule(body: mujoco.MjsBody, name: str, capsule: Capsule, bits: tuple[int, int]) -> None:
    body.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        fromto=[*capsule.start, *capsule.end],
        size=[capsule.radius, 0, 0],
        mass=0.0,
        group=COLLISION_GROUP,
        contype=bits[0],
        conaffinity=bits[1],
    )
