"""A demonstrator's habit: one way to grasp that changes smoothly with where the target stands and how it lies.

A demonstrator that takes whatever holds first is hard to imitate: targets that look alike are then grasped from quite
different sides, with the wrist turned over here and not there. Over 180 such demonstrations a quadratic function of the
target's place and outline left 0.9 rad of joint 5 at the grasp unexplained. The habit points the fingers along the line
from the arm's base to the target, keeps the wrist on one side of its singularity, and leaves this only where it must.
"""

from dataclasses import dataclass

import numpy as np

from assets.robots.station import ARM_BASE_IN_WORLD
from datagen import grasps
from datagen.branch import Branch
from datagen.grasps import Grasp, Shape, Template

# (template, azimuth against the line from the base to the target in degrees), in order of preference. Along these the
# joint angles at the grasp of an upright cylinder are a quadratic function of its place to 0.02 to 0.04 rad.
PREFERRED = (("over", -15.0), ("slant", 0.0), ("flat", -15.0), ("side", 0.0), ("top", -15.0), ("steep", 0.0))
TURNS_DEG = (0.0, -15.0, 15.0, -30.0, 30.0, -45.0, 45.0, -60.0, 60.0)
LEAST_AZIMUTH_DEG, MOST_AZIMUTH_DEG = -75.0, 90.0

# Weights of the order, in units of one rank of PREFERRED.
TURN_COST = 1.0 / 20.0  # per degree
LEFT_TURN = 2.0  # as much more costly is a turn to the left: it leads to the wrist's singularity
WIDTH_COST = 1.0 / 0.015  # per metre wider than the narrowest way to hold the object

# A learned hand is a centimetre off at times, and the table does not give way.
TABLE_CLEARANCE_M = 0.010
TURNED_OVER_COST = 3.0  # of a posture beyond the wrist's singularity, see motion.ranked_postures


@dataclass(frozen=True)
class _Choice:
    cost: float
    template: Template
    azimuth_deg: float


def habitual(branch: Branch) -> list[Grasp]:
    """Candidates for the branch's target, the most habitual first. A function of the target's shape and place alone."""
    rotation, position = branch.target_pose()
    shape = Shape(branch.scene.objects[0].pieces)
    low, high = shape.bounds(rotation)
    height = float(high[2] - low[2])
    found = []
    for choice in sorted(_choices(shape, rotation, position, height), key=lambda choice: choice.cost):
        template = choice.template
        pose = grasps.place_hand(template, choice.azimuth_deg, shape, rotation, position)
        raised = branch.raise_over_table(pose, grasps.preshape_of(template), TABLE_CLEARANCE_M)
        if raised > grasps.MAX_RAISE_SHARE * height:
            continue
        pose[2, 3] += raised
        found.append(grasps.make_grasp(template, choice.azimuth_deg, pose))
    return found


def bearing_deg(position: np.ndarray) -> float:
    """Direction from the arm's base to a place (m, world), in degrees; 0 is away from the robot, + to its left."""
    towards = position[:2] - ARM_BASE_IN_WORLD[:2, 3]
    return float(np.degrees(np.arctan2(towards[1], towards[0])))


def _choices(shape: Shape, rotation: np.ndarray, position: np.ndarray, height: float) -> list[_Choice]:
    widths = {angle: shape.width(rotation, _level(angle)) for angle in np.arange(0.0, 180.0, 5.0)}
    thin = min(widths, key=lambda angle: widths[angle])
    is_long = max(widths.values()) > grasps.LONG_RATIO * widths[thin]
    known = {template.name: template for template in grasps.TEMPLATES}
    choices = []
    for rank, (name, offset) in enumerate(PREFERRED):
        template, favourite = known[name], bearing_deg(position) + offset
        turns = {*TURNS_DEG, _turn_across(template, favourite, thin)} if is_long else TURNS_DEG
        for turn in sorted(turns):
            if not LEAST_AZIMUTH_DEG <= favourite + turn <= MOST_AZIMUTH_DEG:
                continue
            width = shape.width(rotation, grasps.closing_direction(template, favourite + turn))
            cost = rank + TURN_COST * (-turn if turn < 0 else LEFT_TURN * turn)
            cost += WIDTH_COST * (width - widths[thin]) + grasps.TOO_WIDE_COST * (width > grasps.WIDEST_M)
            cost += grasps.TOO_LOW_COST * (height < template.least_height_m)
            choices.append(_Choice(cost, template, favourite + turn))
    return choices


def _turn_across(template: Template, azimuth_deg: float, thin_deg: float) -> float:
    """The turn, -90 to 90 degrees, that makes the hand close along a long object's thin side."""
    across = grasps.closing_direction(template, azimuth_deg)
    return float((thin_deg - np.degrees(np.arctan2(across[1], across[0])) + 90.0) % 180.0 - 90.0)


def _level(azimuth_deg: float) -> np.ndarray:
    return np.array([np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg)), 0.0])
