"""The object library: which families exist, who is seen and who is unseen, and how an id becomes an ObjectSpec."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assets.objects import imported
from assets.objects.families import animals, boxes, containers, dispensers, flats, fruit, tools, toys, vessels
from assets.objects.families.draw import Draw
from assets.objects.families.shapes import random_shape
from assets.objects.solids import bounds, mass_properties, rotation
from assets.objects.types import PRACTICE_SPLIT, SEEN_SPLIT, UNSEEN_SPLIT, Draft, ObjectSpec, RestPose


@dataclass(frozen=True)
class Family:
    """A builder and its share of the library: members 0..seen-1 are seen, the next `unseen` ones unseen.

    practice: how many more there are for training alone, named with three digits.
    """

    name: str
    build: Callable[[Draw], Draft]
    seen: int
    unseen: int
    practice: int = 0

    def ids(self, split: str | None = None) -> tuple[str, ...]:
        """Ids of the members of a split, or of all: seen first, then unseen, then for practice."""
        return self._by_split()[split] if split else tuple(i for ids in self._by_split().values() for i in ids)

    def split_of(self, object_id: str) -> str:
        """The split that a member belongs to."""
        return next(split for split, ids in self._by_split().items() if object_id in ids)

    @functools.cache  # noqa: B019  (families are few and live as long as the library)
    def _by_split(self) -> dict[str, tuple[str, ...]]:
        known = self.seen + self.unseen
        ids = [f"{self.name}_{i:02d}" for i in range(known)]
        more = tuple(f"{self.name}_{i:03d}" for i in range(known, known + self.practice))
        return {SEEN_SPLIT: tuple(ids[: self.seen]), UNSEEN_SPLIT: tuple(ids[self.seen :]), PRACTICE_SPLIT: more}


def _members(families: Sequence[Family], split: str) -> tuple[str, ...]:
    return tuple(i for family in families for i in family.ids(split))


# The split. Families with seen members first; the others are new to a policy that was trained on SEEN alone.
_TABLE = (
    Family("box", boxes.box, 3, 15),
    Family("can", containers.can, 3, 15),
    Family("bottle", containers.bottle, 3, 15),
    Family("mug", vessels.mug, 3, 14),
    Family("cup", vessels.cup, 2, 13),
    Family("ball", toys.ball, 2, 13),
    Family("jar", containers.jar, 2, 14),
    Family("carton", boxes.carton, 2, 13),
    Family("block", boxes.toy_block, 2, 13),
    Family("apple", fruit.apple, 2, 11),
    Family("soap", boxes.soap, 2, 12),
    Family("tube", dispensers.tube, 2, 13),
    Family("candle", containers.candle, 2, 13),
    Family("shaker", containers.shaker, 2, 12),
    Family("yogurt", containers.yogurt, 2, 13),
    Family("flashlight", tools.flashlight, 2, 12),
    Family("egg", fruit.egg, 0, 7),
    Family("pear", fruit.pear, 0, 8),
    Family("lemon", fruit.lemon, 0, 5),
    Family("orange", fruit.orange, 0, 6),
    Family("banana", fruit.banana, 0, 5),
    Family("spray", dispensers.spray, 0, 10),
    Family("pump", dispensers.pump, 0, 9),
    Family("brush", tools.brush, 0, 9),
    Family("dumbbell", tools.dumbbell, 0, 8),
    Family("tape", tools.tape, 0, 8),
    Family("marker", tools.marker, 0, 6),
    Family("cushion", tools.cushion, 0, 8),
    Family("star", toys.star, 0, 8),
    Family("cross", toys.cross, 0, 7),
    Family("car", toys.car, 0, 8),
    Family("doll", toys.doll, 0, 7),
    Family("animal", animals.animal, 0, 12),
    Family("puzzle", boxes.puzzle, 0, 7),
    Family("gift", boxes.gift, 0, 6),
    Family("bowl", vessels.bowl, 0, 5),
)
FAMILIES: dict[str, Family] = {family.name: family for family in _TABLE}
SEEN, UNSEEN = _members(_TABLE, SEEN_SPLIT), _members(_TABLE, UNSEEN_SPLIT)
ALL: tuple[str, ...] = SEEN + UNSEEN
# Shapes at random that stand in no test: only the suite train_shapes shows them.
_SHAPE = Family("shape", random_shape, 0, 0, practice=1000)
SHAPES = _SHAPE.ids()
# Flat things, which must be pulled over the table's edge: a library of their own, for the suites nonprehensile alone.
_FLAT_TABLE = (
    Family("book", flats.book, 5, 2),
    Family("plate", flats.plate, 5, 2),
    Family("tablet", flats.tablet, 4, 2),
    Family("notebook", flats.notebook, 4, 1),
    Family("cutting_board", flats.cutting_board, 4, 2),
    Family("tray", flats.tray, 4, 2),
    Family("envelope", flats.envelope, 3, 1),
    Family("board_game", flats.board_game, 3, 2),
    Family("picture_frame", flats.picture_frame, 0, 2),
    Family("trivet", flats.trivet, 0, 2),
)
FLAT_FAMILIES: dict[str, Family] = {family.name: family for family in _FLAT_TABLE}
FLAT_SEEN, FLAT_UNSEEN = _members(_FLAT_TABLE, SEEN_SPLIT), _members(_FLAT_TABLE, UNSEEN_SPLIT)
_EVERY_FAMILY = FAMILIES | FLAT_FAMILIES | {_SHAPE.name: _SHAPE}


def family_of(object_id: str) -> Family:
    """The family of an object id; raises KeyError that lists the choices for an unknown one."""
    name, _, number = object_id.rpartition("_")
    if name not in _EVERY_FAMILY:
        raise KeyError(f"unknown object {object_id!r}; families are {sorted(_EVERY_FAMILY)}")
    if object_id not in _EVERY_FAMILY[name].ids():
        ids = _EVERY_FAMILY[name].ids()
        raise KeyError(f"unknown object {object_id!r}; the family {name!r} has {ids[0]} to {ids[-1]}, not {number!r}")
    return _EVERY_FAMILY[name]


@functools.cache
def draft(object_id: str) -> Draft:
    """What the family's builder makes of an id, before it is centred and weighed."""
    return family_of(object_id).build(Draw.of(family_of(object_id).name, int(object_id.rpartition("_")[2])))


@functools.cache
def get_object(object_id: str) -> ObjectSpec:
    """The object with this id, always the same; raises KeyError that lists the choices for an unknown one.

    Ids that begin with "user_" are objects of the user's own, see assets.objects.imported.
    """
    if imported.is_user_id(object_id):
        return imported.find(object_id).spec
    family = family_of(object_id)
    split = family.split_of(object_id)
    # Words for sizes compare with the whole family, of which there are too many to build for practice.
    words = () if split == PRACTICE_SPLIT else _size_words(object_id)
    return finish(draft(object_id), object_id, family.name, split, words)


def finish(made: Draft, object_id: str, family: str, split: str, size_words: tuple[str, ...] = ()) -> ObjectSpec:
    """Centre a draft, weigh it and put it on the table."""
    low, high = bounds(made.pieces)
    # Only the height is centred: builders put a sensible axis (of a mug without its handle, say) at x = y = 0.
    shift = np.array([0.0, 0.0, -(low[2] + high[2]) / 2])
    pieces = tuple(replace(p, pos=tuple(float(v) for v in np.add(p.pos, shift))) for p in made.pieces)
    visuals = tuple(replace(v, mesh=v.mesh.moved(np.eye(3), shift)) for v in made.visuals)
    com, inertia = mass_properties(pieces, made.mass_kg)
    poses = []
    for quat in made.rest:
        frame = rotation(quat)
        poses.append(RestPose(quat, float(-bounds(pieces, frame)[0][2])))
    extent = np.subtract(*reversed(bounds(pieces, rotation(made.rest[0]))))
    return ObjectSpec(
        id=object_id,
        family=family,
        noun=made.noun,
        nouns=(made.noun, *made.synonyms),
        colors=made.colors,
        material=made.material,
        size_words=size_words,
        split=split,
        mass_kg=made.mass_kg,
        friction=made.friction,
        pieces=pieces,
        visuals=visuals,
        rest_poses=tuple(poses),
        extent_m=tuple(float(v) for v in extent),
        com_m=tuple(float(v) for v in com),
        inertia_kg_m2=tuple(float(inertia[i, j]) for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))),
        rolling_m=made.rolling_m,
    )


def _size_words(object_id: str) -> tuple[str, ...]:
    """Words that set an object apart within its family: small or large, short or tall (outer thirds)."""
    volume, slender = _family_sizes(family_of(object_id).name)
    words = []
    for values, low_word, high_word in ((volume, "small", "large"), (slender, "short", "tall")):
        low, high = np.quantile(list(values.values()), (1 / 3, 2 / 3))
        # Words need a visible difference: a family of near-equals has neither small nor large members.
        if high > 1.07 * low:
            words += [low_word] if values[object_id] <= low else [high_word] if values[object_id] >= high else []
    if object_id in FLAT_SEEN + FLAT_UNSEEN:  # nobody calls a plate tall
        words = [word for word in words if word not in ("short", "tall")]
    return tuple(words)


@functools.cache
def _family_sizes(name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Mean edge (m) and height over width of each member of a family."""
    volume, slender = {}, {}
    for object_id in _EVERY_FAMILY[name].ids():
        low, high = bounds(draft(object_id).pieces)
        x, y, z = high - low
        volume[object_id], slender[object_id] = float((x * y * z) ** (1 / 3)), float(z / max(x, y))
    return volume, slender
