"""All steps from a mesh file to an ObjectSpec, in their order."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import ConvexHull

from assets.importing import scale as scaling
from assets.importing import words
from assets.importing.colours import is_plain, words_for
from assets.importing.pieces import convex_pieces
from assets.importing.refused import Refused
from assets.importing.resting import rest_poses, shortest_turn
from assets.importing.solid import Solid, make_solid, moments
from assets.importing.source import UP, Samples, Source, read
from assets.importing.surface import visuals_of
from assets.objects.imported import FAMILY, SPLIT
from assets.objects.palette import PALETTE
from assets.objects.solids import bounds, mass_properties, rotation, support_of
from assets.objects.types import IDENTITY, ObjectSpec, Piece, RestPose, Visual

MASS_KG, FRICTION = (0.005, 1.5), (0.1, 1.5)
PLAUSIBLE_KG_M3 = (30.0, 12_000.0)
HAND_SPAN_M = 0.09
DEFAULT_COLOR = "grey"


@dataclass(frozen=True)
class Request:
    """What the user says. upright: (3,) direction in the file's axes that points up, None to go by the format."""

    path: Path
    name: str
    mass_kg: float
    friction: float = 0.7
    scale: str = "auto"
    material: str | None = None
    upright: tuple[float, float, float] | None = None
    max_pieces: int = 8


@dataclass(frozen=True, eq=False)
class Made:
    """The object, where it came from as plain JSON values, and what was found and assumed as (topic, sentence)."""

    spec: ObjectSpec
    origin: dict[str, Any]
    notes: tuple[tuple[str, str], ...]


def check(request: Request) -> words.Named:
    """What can be refused before the file is read: mass, friction, scale, direction, name. Raises Refused."""
    for value, (low, high), what in (
        (request.mass_kg, MASS_KG, f"--mass must be {1000 * MASS_KG[0]:g} g to {MASS_KG[1]:g} kg, in kg"),
        (request.friction, FRICTION, f"--friction must be {FRICTION[0]:g} to {FRICTION[1]:g}"),
    ):
        if not low <= value <= high:
            grams = what.startswith("--mass") and low <= value / 1000 <= high
            hint = f"; if that is in grams, say {value / 1000:g}" if grams else ""
            raise Refused(f"{what}, got {value:g}{hint}")
    if request.upright is not None and not 0 < np.linalg.norm(request.upright) < np.inf:
        raise Refused(f"--upright is the direction in the file that points up, such as 0 0 1; got {request.upright}")
    scaling.parse(request.scale)
    return words.parse(request.name, request.material)


def make_object(request: Request) -> Made:
    """Turn a mesh file into an object. Raises Refused with the reason and the likely fix."""
    named = check(request)
    source = read(request.path)
    largest = float(np.ptp(source.vertices, axis=0).max())
    factor, scale_note = scaling.metres_per_unit(largest, scaling.parse(request.scale), source.unit)
    solid = make_solid(source)
    solid = replace(solid, vertices=solid.vertices * factor)
    samples = source.samples and replace(source.samples, points=source.samples.points * factor)
    pieces = convex_pieces(solid, request.max_pieces)
    _refuse_thin(pieces)
    com, inertia, weighed = _mass_properties(solid, pieces, request.mass_kg)
    rgb = PALETTE[named.color or DEFAULT_COLOR][0]
    visuals = visuals_of(solid, samples, rgb)
    colors = (named.color or DEFAULT_COLOR,) if samples is None else words_for(samples.rgb, named.color)
    gloss = words.GLOSS.get(named.material, words.DULL)
    visuals = tuple(replace(visual, gloss=gloss) for visual in visuals)
    raw = ObjectSpec(
        id=named.object_id, family=FAMILY, noun=named.nouns[0], nouns=named.nouns, colors=colors,
        material=named.material, size_words=(), split=SPLIT, mass_kg=request.mass_kg, friction=request.friction,
        pieces=pieces, visuals=visuals, rest_poses=(), extent_m=(0.0, 0.0, 0.0), com_m=tuple(com),
        inertia_kg_m2=_six(inertia),
    )  # fmt: skip
    up = np.array(request.upright or UP.get(source.format, (0.0, 0.0, 1.0)), dtype=float)
    up /= np.linalg.norm(up)
    poses = rest_poses(raw, up, insist=request.upright is not None)
    spec = _standing(raw, inertia, poses)
    spec = replace(spec, size_words=words.size_words(named, np.array(spec.extent_m)))
    notes = (
        ("size", scale_note),
        *(("surface", text) for text in solid.notes),
        ("mass", weighed),
        *_advice(spec, solid, up, rotation(poses[0].quat), named, samples),
    )
    return Made(spec, _origin(request, source, factor, notes), notes)


def _six(inertia: np.ndarray) -> tuple[float, ...]:
    return tuple(float(inertia[i, j]) for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)))


def _refuse_thin(pieces: tuple[Piece, ...]) -> None:
    points = support_of(pieces).vertices
    across = points @ ConvexHull(points).equations[:, :3].T
    least = float(np.ptp(across, axis=0).min())
    if least < scaling.LEAST_SIDE_M:
        raise Refused(
            f"it is only {1000 * least:.1f} mm thin, too thin for fingers to lift off a table (the bound is "
            f"{1000 * scaling.LEAST_SIDE_M:g} mm); thicken it, or check --scale"
        )


def _mass_properties(solid: Solid, pieces: tuple[Piece, ...], mass_kg: float) -> tuple[np.ndarray, np.ndarray, str]:
    """Centre of mass (3,), inertia about it (3, 3) and the sentence that says what they were computed from."""
    if solid.closed:
        volume, com, second = moments(solid.vertices, solid.faces)
        second = second * mass_kg / volume
        inertia = np.trace(second) * np.eye(3) - second
        inside = support_of(pieces)
        reach = [inside.reach(sign * axis) - sign * com @ axis for axis in np.eye(3) for sign in (-1, 1)]
        if np.linalg.eigvalsh(second).min() > 0 and min(reach) > 0:
            density = mass_kg / volume
            text = f"{1000 * mass_kg:g} g in {1e6 * volume:.1f} cm3 of closed volume, {density / 1000:.2g} g/cm3"
            bodies = len(np.unique(solid.body))
            if bodies > 1:
                text += f" ({bodies} closed bodies; where they overlap counts for each)"
            low, high = PLAUSIBLE_KG_M3
            if not low <= density <= high:
                text += ": no household material is like that; check --mass and --scale"
            return com, inertia, text
    com, inertia = mass_properties(pieces, mass_kg)
    reason = "the surface is not closed" if not solid.closed else "its bodies overlap too much"
    return com, inertia, f"{1000 * mass_kg:g} g spread over the convex pieces, since {reason}"


def _standing(raw: ObjectSpec, inertia: np.ndarray, poses: tuple[RestPose, ...]) -> ObjectSpec:
    """The object in its own frame: z up in the first rest pose, origin over the centre of mass at half height."""
    turn = rotation(poses[0].quat)
    low, high = bounds(raw.pieces, turn)
    com = turn @ raw.com_m
    shift = -np.array([com[0], com[1], (low[2] + high[2]) / 2])
    pieces = tuple(replace(p, vertices=p.vertices @ turn.T + shift) for p in raw.pieces)
    visuals: tuple[Visual, ...] = tuple(replace(v, mesh=v.mesh.moved(turn, shift)) for v in raw.visuals)
    reach = support_of(pieces).reach
    stood = []
    for i, pose in enumerate(poses):
        quat = shortest_turn(turn @ rotation(pose.quat)[2]) if i else IDENTITY
        stood.append(RestPose(quat, float(reach(-rotation(quat)[2]))))
    return replace(
        raw,
        pieces=pieces,
        visuals=visuals,
        rest_poses=tuple(stood),
        extent_m=tuple(float(v) for v in high - low),
        com_m=tuple(float(v) for v in com + shift),
        inertia_kg_m2=_six(turn @ inertia @ turn.T),
    )


def _advice(
    spec: ObjectSpec, solid: Solid, up: np.ndarray, turn: np.ndarray, named: words.Named, samples: Samples | None
) -> list[tuple[str, str]]:
    corners = sum(len(p.vertices) for p in spec.pieces)
    faces = sum(len(v.mesh.faces) for v in spec.visuals)
    painted = any(v.texture is not None for v in spec.visuals)
    look = "a small picture" if painted else _count(len(spec.visuals), "flat colour")
    x, y, z = (100 * v for v in spec.extent_m)
    found = [
        ("collision", f"{_count(len(spec.pieces), 'convex piece')} with {corners} corners"),
        ("picture", f"{faces} of {len(solid.faces):,} triangles, {look}"),
        ("rest", f"{_count(len(spec.rest_poses), 'stable pose')}; in the first it is {x:.1f} x {y:.1f} x {z:.1f} cm"),
    ]
    if turn[2] @ up < np.cos(np.radians(20.0)):
        found.append(
            ("rest", "it does not stand upright as the file has it; say --upright x y z if another side is up")
        )
    if min(_narrowest_m(spec, pose) for pose in spec.rest_poses) > HAND_SPAN_M:
        found.append(("hand", f"it is wider than {100 * HAND_SPAN_M:g} cm from every side: the hand may not span it"))
    if samples is not None and named.color and named.color not in spec.colors:
        plain = "its colour" if is_plain(samples.rgb) else "its main colour"
        found.append(("words", f"the name says {named.color}, but {plain} is {spec.colors[0]}, and so sentences say"))
    if samples is None and not named.color:
        found.append(("words", f"the file has no colour: drawn in {DEFAULT_COLOR}; put a colour into --name"))
    return found


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _narrowest_m(spec: ObjectSpec, pose: RestPose) -> float:
    """Least width (m) across the table in a rest pose."""
    reach, turn = support_of(spec.pieces).reach, rotation(pose.quat)
    ways = [np.cos(a) * turn[0] + np.sin(a) * turn[1] for a in np.radians(np.arange(0, 180, 5))]
    return min(reach(way) + reach(-way) for way in ways)


def _origin(request: Request, source: Source, factor: float, notes: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {
        "file": request.path.name,
        "sha256": source.digest,
        "name": request.name,
        "metres_per_unit": factor,
        "notes": [list(note) for note in notes],
    }
