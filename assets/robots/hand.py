"""Builds coupled six-motor hands: a HandSpec of bones, couplings and motors becomes an MjSpec.

Body frames keep the hand's orientation in the zero posture, so a bone is a path of points and a joint is a point
and an axis, all in the hand frame.
"""

from itertools import combinations

import mujoco
import numpy as np

from assets.robots import hand_shells, palette
from assets.robots.hand_types import Bone, Box, Digit, HandSpec, HandStyle, Motor, Point, mirrored
from assets.robots.rm75 import add_position_servo
from envs.spec import COLLISION_GROUP, HAND_BITS, HAND_ORDER, STATIC_BITS

__all__ = ["Bone", "Box", "Digit", "HandSpec", "HandStyle", "Motor", "Point", "build_hand", "mirrored"]

# Contact and coupling parameters measured to hold objects for 20 s without creep.
CONTACT_SOLREF = (0.004, 1.0)
CONTACT_SOLIMP = (0.95, 0.99, 0.001, 0.5, 2.0)
COUPLING_SOLREF = (0.004, 1.0)
COUPLING_SOLIMP = (0.99, 0.999, 0.001, 0.5, 2.0)
SKIN_FRICTION = (0.7, 0.005, 0.0001)  # against the station; objects bring their own with a higher priority
SERVO_DROOP_RAD = 0.12  # position error at which a finger motor reaches its torque limit


def build_hand(spec: HandSpec, *, statue: bool = False) -> mujoco.MjSpec:
    """The hand with body palm at the origin, unprefixed names, actuators in HAND_ORDER, sites frame and tip_<digit>.

    A `statue` is the open hand without joints, actuators and constraints, with static contact bits.
    """
    world = mujoco.MjSpec()
    world.modelname = spec.name
    world.compiler.degree = False
    palette.add_palette(world)
    palm = world.worldbody.add_body(name="palm", gravcomp=1.0)
    _set_solid(palm, spec.palm_mass_kg, np.array(spec.palm_com), np.array([0.035, 0.016, 0.05]))
    bits = STATIC_BITS if statue else HAND_BITS
    for k, box in enumerate(spec.palm):
        palm.add_geom(
            name=f"palm_collision{k}", type=mujoco.mjtGeom.mjGEOM_BOX, pos=box.center, size=box.half, **_surface(bits)
        )
    palm.add_site(name="frame", size=[0.004] * 3, group=4)
    hand_shells.add_palm_shell(world, palm, spec, statue)
    for digit in spec.digits:
        _add_digit(world, palm, digit, bits, spec, statue)
    if not statue:
        _add_motors(world, spec)
        _add_excludes(world, spec)
    return world


def _surface(bits: tuple[int, int]) -> dict:
    return {
        "mass": 0.0,
        "group": COLLISION_GROUP,
        "contype": bits[0],
        "conaffinity": bits[1],
        "condim": 4,
        "friction": SKIN_FRICTION,
        "solref": CONTACT_SOLREF,
        "solimp": CONTACT_SOLIMP,
    }


def _set_solid(body: mujoco.MjsBody, mass: float, com: np.ndarray, half: np.ndarray) -> None:
    """Give a body the inertia of a solid box with half sizes (3,) around its centre of mass."""
    body.explicitinertial = True
    body.mass, body.ipos = mass, com
    square = half**2
    body.inertia = mass / 3 * (square.sum() - square)


def _add_digit(
    world: mujoco.MjSpec, palm: mujoco.MjsBody, digit: Digit, bits: tuple[int, int], spec: HandSpec, statue: bool
) -> None:
    parent, origin = palm, np.zeros(3)
    for bone in digit.bones:
        pivot = np.array(bone.pivot)
        body = parent.add_body(name=bone.body, pos=pivot - origin, gravcomp=1.0)
        path = np.array(bone.path) - pivot
        reach = np.ptp(path, axis=0) / 2 + max(bone.radii)
        _set_solid(body, bone.mass_kg, (path.min(axis=0) + path.max(axis=0)) / 2, reach)
        for k, radius in enumerate(bone.radii):
            body.add_geom(
                name=f"{bone.body}_collision{k}",
                type=mujoco.mjtGeom.mjGEOM_CAPSULE,
                fromto=[*path[k], *path[k + 1]],
                size=[radius, 0, 0],
                **_surface(bits),
            )
        hand_shells.add_bone_shell(world, body, spec, bone, statue)
        if not statue:
            _add_hinge(world, body, bone)
        parent, origin = body, pivot
    parent.add_site(name=f"tip_{digit.name}", pos=np.array(digit.tip) - origin, size=[0.003] * 3, group=4)


def _add_hinge(world: mujoco.MjSpec, body: mujoco.MjsBody, bone: Bone) -> None:
    damping = bone.damping if bone.motor is None else bone.motor.limit_nm / bone.motor.speed_rad_s
    body.add_joint(
        name=bone.joint,
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=bone.axis,
        range=bone.range_rad,
        armature=bone.armature,
        damping=[damping, 0, 0],
    )
    if bone.leader:
        equality = world.add_equality(
            name=f"{bone.joint}_coupling",
            type=mujoco.mjtEq.mjEQ_JOINT,
            objtype=mujoco.mjtObj.mjOBJ_JOINT,
            name1=bone.joint,
            name2=bone.leader,
            solref=COUPLING_SOLREF,
            solimp=COUPLING_SOLIMP,
        )
        equality.data[: len(bone.coupling)] = bone.coupling


def _add_motors(world: mujoco.MjSpec, spec: HandSpec) -> None:
    for name in HAND_ORDER:
        bone = spec.bone(name)
        limit = bone.motor.limit_nm
        add_position_servo(world, name, limit / SERVO_DROOP_RAD, 0.0, np.array(bone.range_rad), limit)


def _add_excludes(world: mujoco.MjSpec, spec: HandSpec) -> None:
    """No contact inside a digit, between fingers side by side, or between the palm and what is hinged to it."""
    fingers = [digit for digit in spec.digits if digit.name != "thumb"]
    pairs = {pair for digit in spec.digits for pair in combinations((b.body for b in digit.bones), 2)}
    pairs |= {(a.body, b.body) for one, two in combinations(fingers, 2) for a in one.bones for b in two.bones}
    pairs |= {("palm", digit.bones[0].body) for digit in fingers}
    thumb = next(digit for digit in spec.digits if digit.name == "thumb")
    pairs |= {("palm", bone.body) for bone in thumb.bones[:-1]}
    for first, second in sorted(pairs):
        world.add_exclude(bodyname1=first, bodyname2=second)
