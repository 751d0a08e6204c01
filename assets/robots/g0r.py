"""The G0-R class hand: 6 motors, 5 coupled joints, 11 in all, with the geometry of the OYMotion ROHand.

The maker's kinematics are not published; the published joint values and photographs match the ROHand, whose public
URDF and linkage formulas give the pivots, axes, ranges and couplings below (hand frame, open posture, metres).
Motor limits are choices that make about 7 N at the fingertips and 13 N at the thumb tip.
"""

from assets.robots.hand_types import Bone, Box, Digit, HandSpec, HandStyle, Motor, Point

FINGER_MOTOR = Motor(limit_nm=0.82, speed_rad_s=6.0)
LITTLE_MOTOR = Motor(limit_nm=0.65, speed_rad_s=6.0)  # a shorter finger: the same force takes less torque
THUMB_BEND_MOTOR = Motor(limit_nm=1.10, speed_rad_s=3.4)
THUMB_ROTATION_MOTOR = Motor(limit_nm=0.80, speed_rad_s=6.0)

PROXIMAL_ARMATURE, DISTAL_ARMATURE, DISTAL_DAMPING = 4e-4, 1e-4, 2e-3


def _finger(
    name: str, axis: Point, travel_rad: tuple[float, float], coupling: tuple[float, ...], path: tuple[Point, ...]
) -> Digit:
    """path: knuckle, middle joint, bend of the end link, centre of the tip's end cap."""
    knuckle, joint, bend, end = path
    proximal = Bone(
        body=f"{name}_proximal",
        joint=name,
        pivot=knuckle,
        axis=axis,
        range_rad=(0.0, travel_rad[0]),
        path=(knuckle, joint),
        radii=(0.0074,),
        mass_kg=0.010,
        armature=PROXIMAL_ARMATURE,
        motor=LITTLE_MOTOR if name == "little" else FINGER_MOTOR,
    )
    distal = Bone(
        body=f"{name}_distal",
        joint=f"{name}_tip",
        pivot=joint,
        axis=axis,
        range_rad=(-0.02, travel_rad[1]),
        path=(joint, bend, end),
        radii=(0.0060, 0.0055),
        mass_kg=0.010,
        armature=DISTAL_ARMATURE,
        damping=DISTAL_DAMPING,
        leader=name,
        coupling=coupling,
    )
    return Digit(name, (proximal, distal), end)


# Flexion turns about -x. Couplings are degree-4 fits to the linkage, error below 0.005 rad.
LITTLE = _finger(
    "little",
    (-0.9892, -0.0871, 0.1177),
    (1.455, 1.72),
    (0.0, 1.5278, -0.3309, -0.0349, 0.0638),
    ((0.0296, 0.0002, 0.1295), (0.0331, 0.0034, 0.1610), (0.0341, 0.0078, 0.1745), (0.0357, 0.0130, 0.1890)),
)
RING = _finger(
    "ring",
    (-0.9984, 0.0, 0.0566),
    (1.460, 1.71),
    (0.0, 1.2907, -0.0038, -0.2509, 0.1306),
    ((0.0094, -0.0024, 0.1332), (0.0114, 0.0002, 0.1690), (0.0125, 0.0062, 0.1885), (0.0138, 0.0158, 0.2110)),
)
MIDDLE = _finger(
    "middle",
    (-0.9999, 0.0, -0.0132),
    (1.449, 1.70),
    (0.0, 1.2879, -0.0241, -0.1934, 0.1012),
    ((-0.0105, -0.0031, 0.1360), (-0.0110, 0.0004, 0.1768), (-0.0112, 0.0052, 0.1967), (-0.0116, 0.0130, 0.2195)),
)
INDEX = _finger(
    "index",
    (-0.9928, 0.0872, -0.0826),
    (1.466, 1.72),
    (0.0, 1.2950, 0.0023, -0.2449, 0.1220),
    ((-0.0307, 0.0012, 0.1327), (-0.0335, 0.0026, 0.1685), (-0.0345, 0.0075, 0.1885), (-0.0358, 0.0148, 0.2113)),
)

# The thumb at rotation 0 lies beside the palm; rotated by 1.605 rad it stands in front of index and middle.
THUMB = Digit(
    "thumb",
    (
        Bone(
            body="thumb_base",
            joint="thumb_rotation",
            pivot=(-0.0198, 0.0269, 0.0661),
            axis=(0.0129, -0.2167, -0.9762),
            range_rad=(0.0, 1.605),
            path=((-0.0270, 0.0285, 0.0685), (-0.0400, 0.0310, 0.0716)),
            radii=(0.0100,),
            mass_kg=0.012,
            armature=PROXIMAL_ARMATURE,
            motor=THUMB_ROTATION_MOTOR,
        ),
        Bone(
            body="thumb_proximal",
            joint="thumb_bend",
            pivot=(-0.0409, 0.0310, 0.0718),
            axis=(0.0029, 0.9762, -0.2167),
            range_rad=(0.0, 0.8316),
            path=((-0.0409, 0.0310, 0.0718), (-0.0560, 0.0400, 0.1000), (-0.0630, 0.0433, 0.1179)),
            radii=(0.0100, 0.0090),
            mass_kg=0.014,
            armature=PROXIMAL_ARMATURE,
            motor=THUMB_BEND_MOTOR,
        ),
        Bone(
            body="thumb_distal",
            joint="thumb_tip",
            pivot=(-0.0630, 0.0433, 0.1179),
            axis=(0.0029, 0.9762, -0.2167),
            range_rad=(-0.02, 0.97),
            path=((-0.0650, 0.0433, 0.1185), (-0.0735, 0.0440, 0.1240), (-0.0810, 0.0445, 0.1290)),
            radii=(0.0085, 0.0070),
            mass_kg=0.010,
            armature=DISTAL_ARMATURE,
            damping=DISTAL_DAMPING,
            leader="thumb_bend",
            coupling=(0.0, 1.5681, -0.2678, -0.3181, 0.0209),
        ),
    ),
    (-0.0810, 0.0445, 0.1290),
)

G0R = HandSpec(
    name="g0r",
    palm=(
        Box((-0.001, 0.001, 0.036), (0.028, 0.019, 0.024)),
        Box((-0.0005, 0.000, 0.098), (0.040, 0.0165, 0.040)),
        Box((-0.0200, 0.0255, 0.0550), (0.0095, 0.0090, 0.0150)),  # the thumb's socket
    ),
    palm_mass_kg=0.40,
    palm_com=(0.0, 0.0, 0.065),
    digits=(LITTLE, RING, MIDDLE, INDEX, THUMB),
    open_rad=(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    closed_rad=(1.455, 1.460, 1.449, 1.466, 0.8316, 1.605),
    style=HandStyle(palm="white", wrist="steel", pad="rubber", finger="silver", joint="steel", tip="silver"),
)
