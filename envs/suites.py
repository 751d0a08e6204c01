"""The suites as data: what each list of episodes draws its scenes from, and what it changes in them."""

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from assets.looks.looks import TEST_LIGHTINGS, TEST_TABLES, TRAIN_LIGHTINGS, TRAIN_TABLES
from assets.objects import library
from envs.changes import CLASSIC, FILAMENT
from envs.prompts import PROMPTS

Look = tuple[str, str]  # table, lighting
Range = tuple[float, float]  # m, in world

WHITE: Look = ("white", "white")
TRAINING_SUITES = ("train", "train_shapes", "nonprehensile_train")  # no claim is made on them
# Looks that training may show: the plain room and the training variants, never a look of the tests.
TRAIN_LOOKS = tuple(itertools.product(("white", *TRAIN_TABLES), ("white", *TRAIN_LIGHTINGS)))


@dataclass(frozen=True)
class Condition:
    """What the scenes of a block of episodes have in common. The defaults are the usual world.

    looks: one of these is drawn; objects: how many stand on the table (None: drawn, about six); place: where the
    target stands, x and y ranges in world (m, None: anywhere it may); place_name: what reports call it; alike: all
    neighbours are of the target's family; camera: how far the head camera is off, in cm and in degrees; shoved: the
    target is shoved while the hand reaches; pulled: the target's way over the near edge stays free; prompt: words that
    ask for the first `relevant` objects, all of them drawn from the distribution's targets; moment: the state about
    which a planner is asked (benchmarks.moments), "" where a policy acts; the rest as in envs.changes.
    """

    looks: tuple[Look, ...] = (WHITE,)
    objects: int | None = None
    place: tuple[Range, Range] | None = None
    place_name: str = ""
    alike: bool = False
    finish: str = ""
    camera: float = 0.0
    friction: float = 1.0
    mass: float = 1.0
    latency_ms: float = 0.0
    renderer: str = CLASSIC
    shoved: bool = False
    pulled: bool = False
    prompt: str = ""
    relevant: int = 1
    moment: str = ""


@dataclass(frozen=True)
class Distribution:
    """What a suite draws its scenes from. `version` is bumped when any number here or in the physics changes.

    The targets take turns in rounds, each round in an order of its own; every target meets all the conditions before
    the next one comes. scenes_of: the scenes are those of that suite, the same one under every condition, so that
    conditions (and the two suites) can be compared in pairs; otherwise every episode is a scene of its own.
    """

    version: int
    targets: tuple[str, ...]
    neighbours: tuple[str, ...]
    size: int
    conditions: tuple[Condition, ...] = (Condition(),)
    scenes_of: str = ""

    @property
    def looks(self) -> tuple[Look, ...]:
        """Every look that may be drawn."""
        return tuple(dict.fromkeys(look for condition in self.conditions for look in condition.looks))


@dataclass(frozen=True)
class Part:
    """`count` episodes of a distribution, from index `first` on. Equal names (and distributions) mean equal scenes."""

    name: str
    source: Distribution
    count: int
    first: int = 0


@dataclass(frozen=True)
class Mix:
    """A suite made of parts, one after the other; in the next of its rounds, and beyond its size, each part goes on
    where it stopped."""

    version: int
    parts: tuple[Part, ...]
    rounds: int = 1

    @property
    def size(self) -> int:
        """How many episodes are published."""
        return self.rounds * sum(part.count for part in self.parts)

    @property
    def targets(self) -> tuple[str, ...]:
        """Every object that may be a target."""
        return tuple(dict.fromkeys(i for part in self.parts for i in part.source.targets))

    @property
    def neighbours(self) -> tuple[str, ...]:
        """Every object that may be a neighbour."""
        return tuple(dict.fromkeys(i for part in self.parts for i in part.source.neighbours))

    @property
    def looks(self) -> tuple[Look, ...]:
        """Every look that may be drawn."""
        return tuple(dict.fromkeys(look for part in self.parts for look in part.source.looks))


@dataclass(frozen=True)
class Cell:
    """Where an index falls: episode `index` of the distribution `source`, drawn under the seed `name`."""

    name: str
    source: Distribution
    index: int

    @property
    def number(self) -> int:
        """Which target it is, counted through all rounds."""
        return self.index // len(self.source.conditions)

    @property
    def condition(self) -> Condition:
        """What holds in this episode."""
        return self.source.conditions[self.index % len(self.source.conditions)]


def cell(name: str, suite: Distribution | Mix, index: int) -> Cell:
    """The cell of an index >= 0 of the suite `name`."""
    if isinstance(suite, Distribution):
        return Cell(name, suite, index)
    round_, place = divmod(index, suite.size // suite.rounds)
    for part in suite.parts:
        if place < part.count:
            return Cell(part.name, part.source, part.first + round_ * part.count + place)
        place -= part.count
    raise AssertionError("a place below the size lies in a part")


def spread(ids: Sequence[str], count: int) -> tuple[str, ...]:
    """`count` of the ids, evenly over the list and so over the families, in which they are ordered."""
    return tuple(ids[(2 * k + 1) * len(ids) // (2 * count)] for k in range(count))


UNSEEN, SEEN, SHAPES = library.UNSEEN, library.SEEN, library.SHAPES
SUBSET = spread(UNSEEN, 103)  # stands for the 103 objects of the published tests of look
FEW_UNSEEN = spread(UNSEEN, 24)
# Five places of the target, from the robot's view: x away from it, y to its left (m).
PLACES = {
    "near right": (0.455, -0.33),
    "near left": (0.455, -0.03),
    "middle": (0.495, -0.18),
    "far right": (0.545, -0.33),
    "far left": (0.545, -0.03),
}
PLACE_HALF_M = 0.01
COUNTS = (1, 3, 6, 9, 12)
CAMERA_CM_DEG = (0.0, 1.0, 2.0, 4.0, 8.0)
PHYSICS = ((1.0, 1.0), (0.7, 1.0), (0.5, 1.0), (1.0, 0.5), (1.0, 2.0))  # times friction, times mass
LATENCIES_MS = (0.0, 50.0, 100.0, 200.0, 400.0)
# Of these table tops a single colour word is true, so that a camouflaged object can be asked for by its colour.
CAMOUFLAGE_TABLES = ("white", "black_mouse_pad", "pink_towel", "wood")
LEVEL_SIZE = 60  # episodes at each level of a shift
# Flat targets: no further away than fingers reach behind them, and above the tray once they are pulled.
FLAT_PLACE = ((0.45, 0.48), (-0.17, -0.01))
FLAT_LOOKS = (WHITE, ("white", "disco"), ("wood", "white"), ("colourful_cloth", "white"))
FLAT_OBJECTS = 4
LONG_HORIZON_SCENES = 24  # for each prompt
ALIKE_OBJECTS = 5  # the smallest family has five unseen members
PUBLISHED_OBJECTS = 6  # on the table, while the published planner was asked
# Looks under which it was asked: no distraction, two backgrounds, two lightings.
DISTRACTIONS: tuple[Look, ...] = (
    WHITE, ("calibration_board", "white"), ("colourful_cloth", "white"), ("white", "lamp"), ("white", "disco"),
)  # fmt: skip
# Moment -> how many of every twenty questions are about it: is it held, is it done? Half are to be answered with yes.
HELD_MOMENTS = {"held": 5, "beside": 1, "around": 1, "slipped": 1, "wrong": 1, "above": 1}
DONE_MOMENTS = {"gone": 5, "untouched": 1, "moved": 2, "others": 2}


def _under(tables: Sequence[str], lightings: Sequence[str]) -> tuple[Condition, ...]:
    return tuple(Condition(looks=(look,)) for look in itertools.product(tables, lightings))


def _shift(conditions: Sequence[Condition], size: int) -> Distribution:
    """The scenes of unseen_objects under other conditions."""
    return Distribution(1, UNSEEN, UNSEEN, size, tuple(conditions), scenes_of="unseen_objects")


def _baselines() -> Mix:
    def part(name: str, targets: tuple[str, ...], pool: tuple[str, ...], conditions: tuple[Condition, ...]) -> Part:
        size = len(targets) * len(conditions)
        return Part(f"baselines/{name}", Distribution(1, targets, pool, size, conditions), size)

    return Mix(
        1,
        (
            part("seen", spread(SEEN, 12), SEEN, (Condition(),)),
            part("unseen", FEW_UNSEEN, UNSEEN, (Condition(),)),
            part("lighting", FEW_UNSEEN, UNSEEN, _under(["white"], ["disco", "lamp"])),
            part("backgrounds", FEW_UNSEEN, UNSEEN, _under(["black_white_pad", "colourful_cloth"], ["white"])),
        ),
    )


def _single_object() -> Mix:
    places = tuple(
        Condition(objects=1, place=tuple((v - PLACE_HALF_M, v + PLACE_HALF_M) for v in at), place_name=name)
        for name, at in PLACES.items()
    )
    parts = []
    for name, targets in (("seen", spread(SEEN, 13)), ("unseen", spread(UNSEEN, 8))):
        source = Distribution(1, targets, targets, 10 * len(targets), (*places, *places))
        parts.append(Part(f"single_object/{name}", source, source.size))
    return Mix(1, tuple(parts))


def _adversarial() -> Distribution:
    conditions = (
        Condition(finish="glossy"),
        Condition(finish="transparent"),
        Condition(finish="camouflaged", looks=tuple((table, "white") for table in CAMOUFLAGE_TABLES)),
        Condition(alike=True, objects=ALIKE_OBJECTS),
    )
    return Distribution(1, UNSEEN, UNSEEN, 100, conditions)


def _nonprehensile(
    targets: tuple[str, ...], others: tuple[str, ...], size: int, looks: Sequence[tuple]
) -> Distribution:
    """Flat targets that must be pulled over the edge; one condition for each group of looks."""
    way = Condition(objects=FLAT_OBJECTS, place=FLAT_PLACE, pulled=True)
    return Distribution(1, targets, others, size, tuple(replace(way, looks=group) for group in looks))


@functools.cache
def _long_horizon() -> Mix:
    """Each published prompt in 24 scenes: of three objects where it asks for all, else of three or four, two asked for.

    What somebody might mean by the prompt, and somebody else not, is in no scene.
    """
    parts = []
    for prompt in PROMPTS:
        meant, others = prompt.split(UNSEEN)
        relevant, counts = (2, (3, 4)) if others else (3, (3,))
        conditions = tuple(Condition(objects=n, prompt=prompt.words, relevant=relevant) for n in counts)
        source = Distribution(1, meant, others, LONG_HORIZON_SCENES, conditions)
        parts.append(Part(f"long_horizon/{prompt.name}", source, source.size))
    return Mix(1, tuple(parts))


def _verdicts() -> Mix:
    """Moments take turns, so that any stretch of the list has about as many of each."""
    parts = (
        Part(
            f"planner_verdicts/{moment}",
            Distribution(1, UNSEEN, UNSEEN, 10 * count, (Condition(objects=PUBLISHED_OBJECTS, moment=moment),)),
            count,
        )
        for moment, count in (HELD_MOMENTS | DONE_MOMENTS).items()
    )
    return Mix(1, tuple(parts), rounds=10)


@functools.cache
def distributions() -> Mapping[str, Distribution | Mix]:
    """Name -> what it is drawn from, of every suite."""
    plain: dict[str, Distribution | Mix] = {
        "unseen_objects": Distribution(1, UNSEEN, UNSEEN, 360),
        "unseen_backgrounds": Distribution(1, SUBSET, UNSEEN, 618, _under(TEST_TABLES, ["white"])),
        "unseen_lighting": Distribution(1, SUBSET, UNSEEN, 309, _under(["white"], TEST_LIGHTINGS)),
        "seen_objects": Distribution(1, SEEN, SEEN, 360),
        "density": Distribution(1, UNSEEN, UNSEEN, 5 * LEVEL_SIZE, tuple(Condition(objects=n) for n in COUNTS)),
        "adversarial": _adversarial(),
        "camera_shift": _shift([Condition(camera=amount) for amount in CAMERA_CM_DEG], 5 * LEVEL_SIZE),
        "physics_shift": _shift([Condition(friction=f, mass=m) for f, m in PHYSICS], 5 * LEVEL_SIZE),
        "latency": _shift([Condition(latency_ms=ms) for ms in LATENCIES_MS], 5 * LEVEL_SIZE),
        "renderer_shift": _shift([Condition(renderer=FILAMENT)], 120),
        "disturbance": Distribution(1, UNSEEN, UNSEEN, 100, (Condition(shoved=True),)),
        "nonprehensile": _nonprehensile(library.FLAT_UNSEEN, UNSEEN, 144, [(look,) for look in FLAT_LOOKS]),
        "planner_boxes": Distribution(
            1, UNSEEN, UNSEEN, 150, tuple(Condition(looks=(look,), objects=PUBLISHED_OBJECTS) for look in DISTRACTIONS)
        ),
        "train": Distribution(1, SEEN, SEEN, 2000, (Condition(looks=TRAIN_LOOKS),)),
        "train_shapes": Distribution(1, SHAPES, (*SEEN, *SHAPES), 2000, (Condition(looks=TRAIN_LOOKS),)),
        "nonprehensile_train": _nonprehensile(library.FLAT_SEEN, SEEN, 1000, [TRAIN_LOOKS]),
    }

    def mix(**counts: int) -> Mix:
        return Mix(1, tuple(Part(name, plain[name], count) for name, count in counts.items()))

    mixes: dict[str, Distribution | Mix] = {
        "generalization": mix(unseen_objects=360, unseen_backgrounds=618, unseen_lighting=309),
        "baselines": _baselines(),
        "single_object": _single_object(),
        "long_horizon": _long_horizon(),
        "planner_verdicts": _verdicts(),
        "smoke": mix(
            unseen_objects=4, seen_objects=2, unseen_backgrounds=3, unseen_lighting=3, density=3, adversarial=4,
            disturbance=1,
        ),
    }  # fmt: skip
    return plain | mixes
