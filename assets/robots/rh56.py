"""The Inspire RH56 hand: 6 motors, 6 coupled joints, 12 in all.

Pivots, axes, ranges and couplings follow the public URDF of the right hand (hand frame, metres). The zero posture is
the URDF's, the open hand, except that the end links, there bent back by 0.045 rad, are straight. Forces follow the
register calibration of the real hand: 7 N at the fingers, 13 N at the thumb; motor limits are choices that
reproduce them.
"""

from assets.robots.hand_types import Bone, Box, Digit, HandSpec, HandStyle, Motor, Point

FINGER_MOTOR = Motor(limit_nm=0.78, speed_rad_s=6.0)
LITTLE_MOTOR = Motor(limit_nm=0.68, speed_rad_s=6.0)  # a shorter finger: the same force takes less torque
THUMB_BEND_MOTOR = Motor(limit_nm=2.00, speed_rad_s=2.4)
THUMB_ROTATION_MOTOR = Motor(limit_nm=1.00, speed_rad_s=6.0)

PROXIMAL_ARMATURE, DISTAL_ARMATURE, DISTAL_DAMPING = 4e-4, 1e-4, 2e-3
FINGER_TRAVEL_RAD = 1.47
FINGER_COUPLING = (0.0, 1.06399, 0.0, 0.0, 0.0)


def _finger(name: str, axis: Point, path: tuple[Point, ...]) -> Digit:
    """path: knuckle, middle joint, middle of the end link, centre of the tip's end cap."""
    knuckle, joint, bend, end = path
    proximal = Bone(
        body=f"{name}_proximal",
        joint=name,
        pivot=knuckle,
        axis=axis,
        range_rad=(0.0, FINGER_TRAVEL_RAD),
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
        range_rad=(-0.02, 1.60),
        path=(joint, bend, end),
        radii=(0.0065, 0.0058),
        mass_kg=0.010,
        armature=DISTAL_ARMATURE,
        damping=DISTAL_DAMPING,
        leader=name,
        coupling=FINGER_COUPLING,
    )
    return Digit(name, (proximal, distal), end)


LITTLE = _finger(
    "little",
    (-0.9945, 0.0, 0.1045),
    ((0.0305, -0.0003, 0.1352), (0.0345, 0.0021, 0.1670), (0.0363, 0.0025, 0.1830), (0.0382, 0.0015, 0.1980)),
)
RING = _finger(
    "ring",
    (-0.9986, 0.0, 0.0524),
    ((0.0113, -0.0003, 0.1366), (0.0130, 0.0021, 0.1687), (0.0145, 0.0023, 0.1880), (0.0160, 0.0011, 0.2078)),
)
MIDDLE = _finger(
    "middle",
    (-1.0, 0.0, 0.0),
    ((-0.0080, -0.0003, 0.1371), (-0.0079, 0.0021, 0.1691), (-0.0073, 0.0025, 0.1901), (-0.0069, 0.0012, 0.2113)),
)
INDEX = _finger(
    "index",
    (-0.9994, 0.0, -0.0349),
    ((-0.0273, -0.0003, 0.1367), (-0.0284, 0.0023, 0.1686), (-0.0287, 0.0025, 0.1880), (-0.0290, 0.0013, 0.2079)),
)

THUMB_AXIS: Point = (0.2791, 0.9603, 0.0)
THUMB = Digit(
    "thumb",
    (
        Bone(
            body="thumb_base",
            joint="thumb_rotation",
            pivot=(-0.0204, 0.0170, 0.0691),
            axis=(0.0, 0.0, -1.0),
            range_rad=(0.0, 1.308),
            path=((-0.0225, 0.0190, 0.0620), (-0.0300, 0.0211, 0.0605)),
            radii=(0.0100,),
            mass_kg=0.012,
            armature=PROXIMAL_ARMATURE,
            motor=THUMB_ROTATION_MOTOR,
        ),
        Bone(
            body="thumb_proximal",
            joint="thumb_bend",
            pivot=(-0.0312, 0.0211, 0.0599),
            axis=THUMB_AXIS,
            range_rad=(0.0, 0.6),
            path=((-0.0312, 0.0211, 0.0599), (-0.0550, 0.0275, 0.0770), (-0.0738, 0.0327, 0.0944)),
            radii=(0.0105, 0.0090),
            mass_kg=0.014,
            armature=PROXIMAL_ARMATURE,
            motor=THUMB_BEND_MOTOR,
        ),
        Bone(
            body="thumb_middle",
            joint="thumb_middle",
            pivot=(-0.0738, 0.0327, 0.0944),
            axis=THUMB_AXIS,
            range_rad=(-0.02, 0.82),
            path=((-0.0738, 0.0327, 0.0944), (-0.0933, 0.0381, 0.1046)),
            radii=(0.0085,),
            mass_kg=0.007,
            armature=DISTAL_ARMATURE,
            damping=DISTAL_DAMPING,
            leader="thumb_bend",
            coupling=(0.0, 1.334, 0.0, 0.0, 0.0),
        ),
        Bone(
            body="thumb_distal",
            joint="thumb_tip",
            pivot=(-0.0933, 0.0381, 0.1046),
            axis=THUMB_AXIS,
            range_rad=(-0.02, 0.42),
            path=((-0.0933, 0.0381, 0.1046), (-0.1090, 0.0427, 0.1150)),
            radii=(0.0075,),
            mass_kg=0.007,
            armature=DISTAL_ARMATURE,
            damping=DISTAL_DAMPING,
            leader="thumb_bend",
            coupling=(0.0, 0.667, 0.0, 0.0, 0.0),
        ),
    ),
    (-0.1090, 0.0427, 0.1150),
)

RH56 = HandSpec(
    name="rh56",
    palm=(
        Box((0.0, 0.002, 0.034), (0.030, 0.019, 0.020)),
        Box((0.0015, 0.001, 0.095), (0.0407, 0.0165, 0.041)),
        Box((-0.0204, 0.0190, 0.0540), (0.0095, 0.0080, 0.0140)),  # the thumb's socket
    ),
    palm_mass_kg=0.42,
    palm_com=(0.0, 0.0, 0.065),
    digits=(LITTLE, RING, MIDDLE, INDEX, THUMB),
    open_rad=(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    closed_rad=(1.47, 1.47, 1.47, 1.47, 0.6, 1.308),
    style=HandStyle(palm="charcoal", wrist="steel", pad="black", finger="charcoal", joint="silver", tip="rubber"),
)
