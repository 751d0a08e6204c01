"""Referring expressions: words that pick one object out of a scene, and the resolver that proves that they do.

Directions are the robot's: it looks along +x, its left is +y, and "in front of" means nearer to it.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assets.objects.solids import bounds, rotation
from assets.objects.types import ObjectSpec

VERBS = ("grasp {}", "pick up {}", "hand me {}", "grab {}", "take {}", "lift {}", "please get {}", "give me {}")
RELATIONS = ("left of", "right of", "in front of", "behind")
SIDES = ("left", "right", "near", "far")
SIZES = ("small", "large", "tall", "short")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

# A word that also fits a shade with a name of its own: whoever says "blue" may mean the light blue one.
ALSO_CALLED = {
    "light blue": ("blue",),
    "teal": ("blue", "green"),
    "silver": ("grey",),
    "beige": ("brown", "white", "yellow"),
    "pink": ("purple", "red"),
    "orange": ("red",),
}
SIZE_MARGIN = 1.12  # sizes closer than this look alike
CLEAR_GAP_M = 0.02  # positions closer than this look level


@dataclass(frozen=True)
class Placed:
    """An object on the table. xy: (2,) metres in the world; pose: index of its rest pose."""

    spec: ObjectSpec
    xy: tuple[float, float]
    pose: int = 0


@dataclass(frozen=True)
class Reference:
    """A referring expression as data; every given field narrows the choice, in the order of the fields.

    color, accent: colours that the object must have; size: one of SIZES, against the rivals that are left;
    relation: one of RELATIONS to the object that `anchor` picks; side: one of SIDES, with order 0 for the first
    from that side (leftmost, closest to the robot), 1 for the second.
    """

    noun: str
    color: str | None = None
    accent: str | None = None
    material: str | None = None
    size: str | None = None
    relation: str | None = None
    anchor: "Reference | None" = None
    side: str | None = None
    order: int = 0


def resolves_to(reference: Reference, scene: Sequence[Placed]) -> list[int]:
    """Indices into the scene of every object that the reference may mean; one index means that it is unique.

    Relations are read generously: whatever lies at all to the left counts as left of. A relation whose anchor is
    itself not unique fits nothing.
    """
    found = [i for i, placed in enumerate(scene) if _has_attributes(reference, placed.spec)]
    if reference.size:
        found = _of_size(reference.size, found, scene)
    if reference.relation:
        anchors = resolves_to(reference.anchor, scene)
        if len(anchors) != 1:
            return []
        found = [i for i in found if i != anchors[0] and _ahead(reference.relation, scene[i], scene[anchors[0]]) > 0]
    if reference.side:
        ordered = sorted(found, key=lambda i: _rank(reference.side, scene[i]))
        found = ordered[reference.order : reference.order + 1]
    return found


def _has_attributes(reference: Reference, spec: ObjectSpec) -> bool:
    colors = _color_words(spec)
    return (
        reference.noun in spec.nouns
        and reference.color in (None, *colors)
        and reference.accent in (None, *colors)
        and reference.material in (None, spec.material)
    )


@functools.lru_cache(maxsize=2048)
def _lengths(spec: ObjectSpec, pose: int) -> tuple[float, float]:
    """Mean edge (m), of which large and small speak, and height in the pose (m), of which tall and short do."""
    low, high = bounds(spec.pieces, rotation(spec.rest_poses[pose].quat))
    return float(np.prod(high - low) ** (1 / 3)), float(high[2] - low[2])


@functools.lru_cache(maxsize=2048)
def _color_words(spec: ObjectSpec) -> frozenset[str]:
    """Every colour word that may be said of an object."""
    return frozenset([*spec.colors, *(word for color in spec.colors for word in ALSO_CALLED.get(color, ()))])


def _of_size(size: str, found: list[int], scene: Sequence[Placed]) -> list[int]:
    """Those at the size word's end of the range, with all that look as large; alone, by the family's own scale."""
    if len(found) < 2:
        return [i for i in found if size in scene[i].spec.size_words]
    lengths = {i: _lengths(scene[i].spec, scene[i].pose)[size in ("tall", "short")] for i in found}
    if size in ("large", "tall"):
        return [i for i in found if lengths[i] * SIZE_MARGIN >= max(lengths.values())]
    return [i for i in found if lengths[i] <= SIZE_MARGIN * min(lengths.values())]


def _ahead(relation: str, placed: Placed, anchor: Placed) -> float:
    """How far (m) an object lies from the anchor in the direction of the relation."""
    dx, dy = np.subtract(placed.xy, anchor.xy)
    return float({"left of": dy, "right of": -dy, "in front of": -dx, "behind": dx}[relation])


def _rank(side: str, placed: Placed) -> tuple[float, float, float]:
    """Sort key from a side; equal ones follow from near to far and from left to right, so that no two are equal."""
    x, y = placed.xy
    first = {"left": -y, "right": y, "near": float(np.hypot(x, y)), "far": -float(np.hypot(x, y))}[side]
    return first, x, -y


def noun_phrase(reference: Reference) -> str:
    """The reference in English, with its article: "the small green mug left of the can"."""
    color = " and ".join(word for word in (reference.color, reference.accent) if word)
    material = "wooden" if reference.material == "wood" else reference.material
    words = [word for word in (reference.size, color, material, reference.noun) if word]
    before, after = "", ""
    if reference.relation:
        after = f" {reference.relation} {noun_phrase(reference.anchor)}"
    if reference.side in ("left", "right"):
        before = f"{reference.side}most " if not reference.order else f"{ORDINALS[reference.order]} "
        after += f" from the {reference.side}" if reference.order else ""
    elif reference.side:
        where = "closest to" if reference.side == "near" else "farthest from"
        after += f" {where} the robot"
    return f"the {before}{' '.join(words)}{after}"


def references(target: Placed, others: Sequence[Placed]) -> tuple[Reference, ...]:
    """Every reference of ours that means the target alone, plainest first; at least one.

    Raises ValueError when two objects stand at the same place, or there are more than ten of a kind.
    """
    scene = (target, *others)
    if len({tuple(placed.xy) for placed in scene}) < len(scene):
        raise ValueError("two objects stand at the same place; give each object of a scene its own xy")
    unique = [r for r in dict.fromkeys(_candidates(target, others)) if resolves_to(r, scene) == [0]]
    if unique:
        return tuple(unique)
    # Identical things, none of them clearly apart: count them from the left.
    plain = Reference(target.spec.noun, side="left")
    for order in range(len(ORDINALS)):
        if resolves_to(replace(plain, order=order), scene) == [0]:
            return (replace(plain, order=order),)
    raise ValueError(f"more than {len(ORDINALS)} objects called {target.spec.noun!r}; a scene may hold fewer")


def _candidates(target: Placed, others: Sequence[Placed]) -> Iterator[Reference]:
    """References that describe the target truly and clearly, plainest first; they need not be unique."""
    plain = list(_described(target.spec))
    yield from plain
    for base in plain:
        for size in SIZES:
            yield replace(base, size=size)
    for base in plain:
        yield from _placed(base, target, others)
    for base in plain[:2]:
        yield from _related(base, target, others)
    for base in plain:
        yield from _counted(base, target, others)


def _described(spec: ObjectSpec) -> Iterator[Reference]:
    """The noun with and without colours and material, then the other nouns."""
    # "the orange orange" is said by nobody.
    color = spec.colors[0] if spec.colors[0] != spec.noun else None
    yield Reference(spec.noun)
    if color:
        yield Reference(spec.noun, color=color)
        if len(spec.colors) > 1:
            yield Reference(spec.noun, color=color, accent=spec.colors[1])
    if spec.material not in ("fruit", "wax"):  # not words that tell a thing apart
        yield Reference(spec.noun, material=spec.material)
    for noun in spec.nouns[1:]:
        yield Reference(noun, color=color)


def _rivals(base: Reference, others: Sequence[Placed]) -> list[Placed]:
    return [placed for placed in others if _has_attributes(base, placed.spec)]


def _placed(base: Reference, target: Placed, others: Sequence[Placed]) -> Iterator[Reference]:
    """Leftmost, rightmost, closest and farthest, where the lead over the rivals shows."""
    rivals = _rivals(base, others)
    for side in SIDES:
        lead = min((_rank(side, rival)[0] for rival in rivals), default=-np.inf) - _rank(side, target)[0]
        if lead >= CLEAR_GAP_M:
            yield replace(base, side=side)


def _related(base: Reference, target: Placed, others: Sequence[Placed]) -> Iterator[Reference]:
    """Next to another object that one or two words pick out, nearest anchor first."""
    scene = (target, *others)

    def by_distance(placed: Placed) -> float:
        return float(np.hypot(*np.subtract(placed.xy, target.xy)))

    for anchor in sorted(others, key=by_distance):
        named = [r for r in _described(anchor.spec) if [scene[i] for i in resolves_to(r, scene)] == [anchor]]
        for relation in RELATIONS if named else ():
            ahead = _ahead(relation, target, anchor)
            # Within 45 degrees of the direction, and far enough to be seen.
            if ahead >= max(CLEAR_GAP_M, by_distance(anchor) * np.cos(np.pi / 4)):
                yield replace(base, relation=relation, anchor=named[0])


def _counted(base: Reference, target: Placed, others: Sequence[Placed]) -> Iterator[Reference]:
    """The second, third ... from a side, where none of the rivals stands level with the target."""
    rivals = _rivals(base, others)
    for side in ("left", "right"):
        gaps = [_rank(side, target)[0] - _rank(side, rival)[0] for rival in rivals]
        order = sum(gap > 0 for gap in gaps)
        if 0 < order < len(ORDINALS) and min(map(abs, gaps)) >= CLEAR_GAP_M:
            yield replace(base, side=side, order=order)


def _varied(found: Sequence[Reference]) -> list[Reference]:
    """The plainest two first, then one of each other kind (relation, place, size), then the rest."""
    kinds = (lambda r: r.relation, lambda r: r.side, lambda r: r.size)
    first = [next((r for r in found[2:] if kind(r)), None) for kind in kinds]
    return list(dict.fromkeys([*found[:2], *(r for r in first if r), *found]))


def described(target: Placed, others: Sequence[Placed], count: int = 8) -> tuple[tuple[str, Reference], ...]:
    """Instructions that ask for the target alone, each with the reference that it says.

    The plainest references share the verbs in turn; count: how many, between 3 and len(VERBS).
    """
    if not 3 <= count <= len(VERBS):
        raise ValueError(f"count must lie between 3 and {len(VERBS)}, got {count}")
    chosen = _varied(references(target, others))[: max(3, count // 2)]
    picks = [chosen[i % len(chosen)] for i in range(count)]
    return tuple((verb.format(noun_phrase(pick)), pick) for verb, pick in zip(VERBS[:count], picks, strict=True))


def referring_expressions(target: Placed, others: Sequence[Placed]) -> tuple[str, ...]:
    """At least three instructions, such as "pick up the small green mug", that mean the target and nothing else.

    target, others: the scene's objects, at distinct places (ValueError otherwise). Always the same for one scene.
    """
    return tuple(text for text, _ in described(target, others))


def unique_expression(target: Placed, others: Sequence[Placed]) -> str:
    """The plainest noun phrase that means the target and nothing else, such as "the green mug"."""
    return noun_phrase(references(target, others)[0])
