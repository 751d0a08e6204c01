"""What an object is: collision pieces, visuals, mass, words. Frozen data, no MuJoCo."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from assets.mesh import Mesh

PIECE_KINDS = ("box", "sphere", "capsule", "cylinder", "ellipsoid", "mesh")
IDENTITY = (1.0, 0.0, 0.0, 0.0)
SEEN_SPLIT, UNSEEN_SPLIT, PRACTICE_SPLIT = "seen", "unseen", "practice"


@dataclass(frozen=True, eq=False)
class Piece:
    """One convex collision piece in the body frame.

    kind: one of PIECE_KINDS; size: (3,) as a MuJoCo geom reads it (metres, unused entries 0);
    pos: (3,) metres; quat: wxyz; vertices: (V, 3) metres, convex, in the piece frame, for kind "mesh" only
    (pieces that share one array share one mesh asset); density: relative to the object's other pieces.
    """

    kind: str
    size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0)
    quat: tuple[float, float, float, float] = IDENTITY
    vertices: np.ndarray | None = None
    density: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in PIECE_KINDS:
            raise ValueError(f"unknown piece kind {self.kind!r}; choose from {PIECE_KINDS}")
        if (self.kind == "mesh") != (self.vertices is not None):
            raise ValueError("vertices belong to pieces of kind 'mesh', and to those alone")


@dataclass(frozen=True, eq=False)
class Visual:
    """One drawn part in the body frame: a mesh with one colour or one picture.

    rgb: (3,) in [0, 1]; texture: (H, W, 3) uint8, first row on top (v = 1), or None; gloss: 0 matt to 1 shiny;
    alpha: 1 opaque to 0 invisible.
    """

    mesh: Mesh
    rgb: tuple[float, float, float] = (1.0, 1.0, 1.0)
    texture: np.ndarray | None = None
    gloss: float = 0.3
    alpha: float = 1.0


@dataclass(frozen=True)
class RestPose:
    """A stable pose on a level table: quat wxyz of the body, and the height of its origin above the table (m)."""

    quat: tuple[float, float, float, float]
    height_m: float

    def __iter__(self):
        return iter((self.quat, self.height_m))


@dataclass(frozen=True, eq=False)
class ObjectSpec:
    """One object of the library, complete: what it weighs, how it collides, how it looks and what it is called.

    id: unique word ("mug_03"); family: which builder made it; noun: what people call it; nouns: every noun that
    fits it, noun first; colors: colour words, dominant first; material: one word; size_words: relative to its
    family ("small", "tall"); split: "seen", "unseen" or "practice"; mass_kg; friction: sliding coefficient;
    rolling_m: rolling friction of round things (0: none), which keeps them where they were put;
    pieces, visuals: in the body frame, whose z points up in the first rest pose and whose origin lies on the main
    axis at half height;
    rest_poses: stable poses; extent_m: (3,) bounding box of the collision pieces in the first rest pose (m);
    com_m: (3,) centre of mass and inertia_kg_m2: (6,) xx yy zz xy xz yz about it, both in the body frame.
    """

    id: str
    family: str
    noun: str
    nouns: tuple[str, ...]
    colors: tuple[str, ...]
    material: str
    size_words: tuple[str, ...]
    split: str
    mass_kg: float
    friction: float
    pieces: tuple[Piece, ...]
    visuals: tuple[Visual, ...]
    rest_poses: tuple[RestPose, ...]
    extent_m: tuple[float, float, float]
    com_m: tuple[float, float, float]
    inertia_kg_m2: tuple[float, ...]
    rolling_m: float = 0.0

    @property
    def rest_quats(self) -> tuple[tuple[tuple[float, float, float, float], float], ...]:
        """(quat wxyz, height of the body origin above the table in metres) of each rest pose, best first."""
        return tuple((pose.quat, pose.height_m) for pose in self.rest_poses)


@dataclass(frozen=True, eq=False)
class Draft:
    """What a family builder returns: an object before mass properties, rest heights and its place in the library.

    pieces and visuals stand at any height, with their main axis at x = y = 0: the library centres the height.
    rest: quats (wxyz) of the stable poses, main pose first. size_m: numbers that tell members of one family apart.
    """

    noun: str
    colors: tuple[str, ...]
    material: str
    mass_kg: float
    friction: float
    pieces: Sequence[Piece]
    visuals: Sequence[Visual]
    synonyms: tuple[str, ...] = ()
    rest: tuple[tuple[float, float, float, float], ...] = (IDENTITY,)
    rolling_m: float = 0.0
    size_m: dict[str, float] = field(default_factory=dict)
