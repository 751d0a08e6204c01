"""Grasp candidates from geometry, in one canonical order: thumb against fingers, side before slanted before top."""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assets.objects.solids import surface_points
from assets.objects.types import Piece
from datagen.branch import Branch


@dataclass(frozen=True)
class Template:
    """A way to take hold of things, in the words of the station.

    pitch_deg: fingers against the horizontal (negative points down).
    roll_deg: turn about the fingers, 0 = palm vertical facing left, 90 = palm down.
    grip_m: where the object lies in the hand: x of its middle, clearance between palm and its near surface, z of its
    near edge (beyond the opposed thumb).
    thumb: opening of the thumb's rotation while reaching (0 = fully opposed).
    height: grasp point between the object's bottom (0) and top (1).
    azimuth_deg: the favourite direction of the fingers.
    least_height_m: objects lower than this are better held otherwise.
    """

    name: str
    pitch_deg: float
    roll_deg: float
    grip_m: tuple[float, float, float]
    thumb: float = 0.1
    height: float = 0.5
    azimuth_deg: float = 15.0
    least_height_m: float = 0.0


@dataclass(frozen=True)
class Grasp:
    """One candidate. hand_in_world: pose (4, 4) of the hand frame; preshape, squeeze: openings (6,) of the action."""

    template: str
    azimuth_deg: float
    hand_in_world: np.ndarray
    preshape: np.ndarray
    squeeze: np.ndarray


# In order of preference: from the side with the thumb up, slanted, over the top. Clearances and grip points are
# those that held most often over random objects of the library in a sweep of all parameters.
TEMPLATES = (
    Template("side", -15.0, 20.0, (-0.018, 0.004, 0.115), azimuth_deg=15.0, least_height_m=0.06),
    Template("slant", -30.0, 45.0, (-0.018, 0.004, 0.115), azimuth_deg=15.0, least_height_m=0.05),
    Template("over", -35.0, 85.0, (-0.012, 0.002, 0.112), azimuth_deg=30.0),
    Template("top", -50.0, 90.0, (-0.012, 0.002, 0.112), azimuth_deg=30.0),
    Template("flat", -20.0, 95.0, (-0.012, 0.002, 0.112), azimuth_deg=40.0),
    Template("steep", -65.0, 65.0, (-0.018, 0.004, 0.110), azimuth_deg=15.0, least_height_m=0.07),
    Template("low", -12.0, 15.0, (-0.018, 0.004, 0.115), azimuth_deg=30.0, height=0.35, least_height_m=0.08),
    Template("tips", -35.0, 98.0, (0.0, 0.0, 0.132), azimuth_deg=40.0),
)
# The same again with the object deeper in the hand or nearer the fingertips, after all of the above.
DEPTHS_M = (0.0, 0.012, -0.010)
DEPTH_COST = 5.0
TOO_LOW_COST = 4.0
LONG_RATIO = 1.3  # an outline this much longer than wide is taken straight across
PALM_DOWN_DEG = 60.0
AZIMUTHS_DEG = np.arange(-45.0, 76.0, 15.0)

# Weights of the canonical order, all in units of one template's rank.
AZIMUTH_COST = 1.0 / 40.0  # per degree away from the favourite
WIDTH_COST = 1.0 / 0.01  # per metre wider than the narrowest way to hold the object
WIDEST_M, TOO_WIDE_COST = 0.085, 6.0
RAISE_COST = 1.0 / 0.015  # per metre that the table pushes the hand up
TABLE_CLEARANCE_M = 0.004
MAX_RAISE_SHARE = 0.9  # of the object's height; beyond, the fingers would close above it

PALM_HALF_M = 0.016
SLICE_M = 0.035  # half the breadth of the hand across its fingers


def hand_rotation(azimuth_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """(3, 3) hand frame in world: fingers at an azimuth (0 = away from the robot, + = to its left) and pitch."""
    (cp, ct, cr), (sp, st, sr) = (f(np.radians([azimuth_deg, pitch_deg, roll_deg])) for f in (np.cos, np.sin))
    fingers = np.array([ct * cp, ct * sp, st])
    # The palm normal turns about the fingers from the robot's left (-sp, cp, 0) towards the table.
    palm = cr * np.array([-sp, cp, 0.0]) + sr * np.array([cp * st, sp * st, -ct])
    little = np.array(
        [
            palm[1] * fingers[2] - palm[2] * fingers[1],
            palm[2] * fingers[0] - palm[0] * fingers[2],
            palm[0] * fingers[1] - palm[1] * fingers[0],
        ]
    )
    return np.stack([little, palm, fingers], axis=1)


def place_hand(
    template: Template, azimuth_deg: float, shape: "Shape", rotation: np.ndarray, position: np.ndarray
) -> np.ndarray:
    """Hand pose (4, 4) in world for which the object, at `rotation` (3, 3) and `position` (3,), lies in the grip.

    Only the part of the object between the outer fingers counts: a tall bottle is gripped where the hand is.
    """
    axes = hand_rotation(azimuth_deg, template.pitch_deg, template.roll_deg)
    low, high = shape.bounds(rotation)
    centre = (low + high) / 2 + position
    centre[2] = position[2] + low[2] + template.height * (high[2] - low[2])
    middle = float(axes[:, 0] @ centre)
    near_y, near_z = shape.near_edges(axes, rotation, position, middle)
    gx, gap, gz = template.grip_m
    pose = np.eye(4)
    pose[:3, :3] = axes
    pose[:3, 3] = axes @ (middle - gx, near_y - PALM_HALF_M - gap, near_z - gz)
    return pose


class Shape:
    """The convex pieces of an object as points in its body frame, for questions about slices of it."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = [surface_points(piece) for piece in pieces]
        self._pairs = [np.triu_indices(len(points), k=1) for points in self._pieces]
        self._points = np.concatenate(self._pieces)

    def bounds(self, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner (3,), (3,) of the turned object's box in world axes, around its body origin."""
        points = self._points @ rotation.T
        return points.min(axis=0), points.max(axis=0)

    def width(self, rotation: np.ndarray, direction: np.ndarray) -> float:
        """Extent (m) of the whole object along a world direction (3,)."""
        along = self._points @ (rotation.T @ direction)
        return float(along.max() - along.min())

    def near_edges(
        self, axes: np.ndarray, rotation: np.ndarray, position: np.ndarray, middle: float
    ) -> tuple[float, float]:
        """Smallest coordinates along the hand's y and z axes of the slice |x - middle| <= SLICE_M.

        axes: (3, 3) hand axes in world as columns. Each piece is convex, so the extremes of its slice are found among
        its points inside and among the crossings of the lines between its points with the slice's two planes.
        """
        slices = []
        for points, (first, second) in zip(self._pieces, self._pairs, strict=True):
            local = (points @ rotation.T + position) @ axes
            x = local[:, 0] - middle
            slices.append(local[np.abs(x) <= SLICE_M, 1:])
            for plane in (-SLICE_M, SLICE_M):
                a, b = x[first] - plane, x[second] - plane
                cut = a * b < 0
                share = (a[cut] / (a[cut] - b[cut]))[:, None]
                slices.append(local[first[cut], 1:] * (1 - share) + local[second[cut], 1:] * share)
        inside = np.concatenate(slices)
        if len(inside) == 0:  # a concave object with nothing at its middle: take all of it
            inside = np.concatenate([(p @ rotation.T + position) @ axes for p in self._pieces])[:, 1:]
        near = inside.min(axis=0)
        return float(near[0]), float(near[1])


def preshape_of(template: Template) -> np.ndarray:
    """Openings (6,) while reaching: fingers open, thumb already turned against them."""
    return np.array([1.0, 1.0, 1.0, 1.0, 1.0, template.thumb])


def make_grasp(template: Template, azimuth_deg: float, hand_in_world: np.ndarray) -> Grasp:
    """A template at a place, with its hand shapes."""
    preshape = preshape_of(template)
    squeeze = np.array([0.0, 0.0, 0.0, 0.0, 0.0, template.thumb])
    return Grasp(template.name, azimuth_deg, hand_in_world, preshape, squeeze)


def candidates(branch: Branch) -> list[Grasp]:
    """Every template at every azimuth for the branch's target, in canonical order.

    The order depends on what a camera could see, the object's shape and place, and on nothing else.
    """
    return list(ranked(branch))


def ranked(branch: Branch) -> Iterator[Grasp]:
    """`candidates` one by one; a hand is put in its place only when its turn may have come.

    That takes most of the time, and the first few candidates are usually enough. What a candidate costs at least is
    known without: the table can only raise the hand, which only adds to the cost.
    """
    rotation, position = branch.target_pose()
    shape = Shape(branch.scene.objects[0].pieces)
    low, high = shape.bounds(rotation)
    waiting = sorted(_costed(shape, rotation, height=high[2] - low[2]), key=lambda c: (c.cost(0.0), c.place))
    placed: list[tuple[float, int, Grasp]] = []
    for candidate in waiting:
        while placed and placed[0][:2] < (candidate.cost(0.0), candidate.place):
            yield heapq.heappop(placed)[2]
        template, azimuth = candidate.template, candidate.azimuth_deg
        pose = place_hand(template, azimuth, shape, rotation, position)
        raised = branch.raise_over_table(pose, preshape_of(template), TABLE_CLEARANCE_M)
        if raised > MAX_RAISE_SHARE * (high[2] - low[2]):
            continue
        pose[2, 3] += raised
        grasp = make_grasp(template, float(azimuth), pose)
        heapq.heappush(placed, (candidate.cost(raised), candidate.place, grasp))
    while placed:
        yield heapq.heappop(placed)[2]


@dataclass(frozen=True)
class _Candidate:
    """A template at an azimuth, not yet placed. place: decides between equal costs."""

    place: int
    template: Template
    azimuth_deg: float
    rank_cost: float
    azimuth_cost: float
    width_cost: float

    def cost(self, raised_m: float) -> float:
        return self.rank_cost + (self.azimuth_cost + RAISE_COST * raised_m) + self.width_cost


def _costed(shape: "Shape", rotation: np.ndarray, height: float) -> Iterator[_Candidate]:
    azimuths = _azimuths(shape, rotation)
    widths = [[shape.width(rotation, closing_direction(base, a)) for a in azimuths] for base in TEMPLATES]
    place = itertools.count()
    for (round_, depth), (rank, base) in itertools.product(enumerate(DEPTHS_M), enumerate(TEMPLATES)):
        gx, gap, gz = base.grip_m
        name = base.name if round_ == 0 else f"{base.name}{round_}"
        template = replace(base, grip_m=(gx, gap, gz + depth), name=name)
        rank_cost = rank + DEPTH_COST * round_ + (TOO_LOW_COST if height < base.least_height_m else 0.0)
        for azimuth, width in zip(azimuths, widths[rank], strict=True):
            azimuth_cost = AZIMUTH_COST * abs(azimuth - base.azimuth_deg)
            width_cost = WIDTH_COST * (width - min(widths[rank])) + (TOO_WIDE_COST if width > WIDEST_M else 0.0)
            yield _Candidate(next(place), template, azimuth, rank_cost, azimuth_cost, width_cost)


def _azimuths(shape: Shape, rotation: np.ndarray) -> list[float]:
    """The grid of azimuths, and those that put the fingers straight across or along a long object."""
    fine = np.arange(0.0, 180.0, 5.0)
    across = [shape.width(rotation, np.array([np.cos(a), np.sin(a), 0.0])) for a in np.radians(fine)]
    if max(across) < LONG_RATIO * min(across):
        return list(AZIMUTHS_DEG)
    thin = fine[int(np.argmin(across))]
    aligned = [a for k in range(-4, 5) if AZIMUTHS_DEG[0] <= (a := thin + 90.0 * k) <= AZIMUTHS_DEG[-1]]
    return [*AZIMUTHS_DEG, *aligned]


def closing_direction(template: Template, azimuth_deg: float) -> np.ndarray:
    """The horizontal direction (3,) along which the hand must span the object.

    With the palm upright that is across the palm; with the palm down, thumb and fingertips meet along the fingers.
    """
    axes = hand_rotation(azimuth_deg, template.pitch_deg, template.roll_deg)
    direction = axes[:, 1 if template.roll_deg < PALM_DOWN_DEG else 2] * (1.0, 1.0, 0.0)
    return direction / np.linalg.norm(direction)
