"""Vocabulary shared by every layer: keys, slices, units, rates and names. Imports nothing of ours."""

import math

import numpy as np

# Rates (Hz) and the physics step that they imply.
CONTROL_HZ = 20
PHYSICS_HZ = 500
STREAM_HZ = 100  # the arm's pass-through mode takes a target every 10 ms
CONTROL_PERIOD_S = 1.0 / CONTROL_HZ
TIMESTEP_S = 1.0 / PHYSICS_HZ
SUBSTEPS = PHYSICS_HZ // CONTROL_HZ
BLOCK_SUBSTEPS = PHYSICS_HZ // STREAM_HZ

# The 13 numbers of action and state.
ARM_DOF = 7
HAND_DOF = 6
ACTION_DIM = ARM_DOF + HAND_DOF
ARM = slice(0, ARM_DOF)
HAND = slice(ARM_DOF, ACTION_DIM)
HAND_ORDER = ("little", "ring", "middle", "index", "thumb_bend", "thumb_rotation")
HAND_OPEN, HAND_CLOSED = 1.0, 0.0
ACTION_NAMES = tuple(f"arm/joint{i}" for i in range(1, 8)) + tuple(f"hand/{n}" for n in HAND_ORDER)

# Link offsets of the RM75-6F along its joints, as its vendor gives them in modified Denavit-Hartenberg form (m).
ARM_DH_D_M = (0.2405, 0.0, 0.256, 0.0, 0.210, 0.0, 0.1725)
# The published controller scales arm angles by these limits (rad).
ARM_SCALE_RAD = np.array([3.1, 2.268, 3.1, 2.355, 3.1, 2.233, 6.28])
ACTION_LOW = np.array([-1.0] * ARM_DOF + [0.0] * HAND_DOF, dtype=np.float32)
ACTION_HIGH = np.ones(ACTION_DIM, dtype=np.float32)

# Observation keys. Images are (H, W, 3) uint8 RGB, state is (13,) float32.
HEAD, WRIST, STATE, INSTRUCTION = "head", "wrist", "state", "instruction"
CAMERAS = (HEAD, WRIST)
IMAGE_SIZE = (640, 480)  # width, height in pixels, as the published cameras deliver
HEAD_FOVY_DEG, WRIST_FOVY_DEG = 42.4, 62.0

# Body names in the compiled model.
TARGET = "target"


def object_name(index: int) -> str:
    """Body name of the object at `index` in an episode's list; 0 is the target."""
    return TARGET if index == 0 else f"object{index}"


def steps_of(milliseconds: float) -> int:
    """Control steps that a time takes, rounded up."""
    return math.ceil(milliseconds / 1000 * CONTROL_HZ - 1e-9)


# Protocol (part of the suite version).
LIFT_HEIGHT_M = 0.10
UP_BEFORE_HOLD_S = 0.5
HOLD_S = 20.0
ATTEMPT_S = 15.0
DISTURBED_M = 0.05
TOPPLED_DEG = 45.0
COLLISION_FORCE_N = 150.0

# Geom groups: what cameras draw, and what only collides.
VISUAL_GROUP, COLLISION_GROUP = 2, 3

# Contact bits (contype, conaffinity). Arm links never touch each other within the joint limits used
# here, so only the hand checks itself.
STATIC_BITS = (1, 6)
ARM_BITS = (2, 5)
HAND_BITS = (10, 13)
OBJECT_BITS = (4, 7)
VISUAL_BITS = (0, 0)
