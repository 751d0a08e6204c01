"""A run along its axes: how it did by family, crowd, table top, lighting and object."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.published import BY_LOOK, LOOK_SUITES
from benchmarks.statistics import Rate
from benchmarks.summary import Group, by_family, grouped, scored
from datagen.files import write_atomically
from envs.episode import distribution, make_episode
from envs.interface import EpisodeError, EpisodeResult

LOOKS = "looks.json"

Look = tuple[str, str]  # table, lighting


@dataclass(frozen=True)
class Axis:
    """Rates along one axis. published: name of a group -> percent of the real robot, where there is one."""

    title: str
    groups: tuple[Group, ...]
    published: dict[str, float]


@dataclass(frozen=True)
class Cell:
    """An object of the heat map, with the colour of its rate."""

    target: str
    rate: Rate
    colour: str


def axes(results: Sequence[EpisodeResult], looks: Mapping[int, Look]) -> list[Axis]:
    """The axes along which the rows differ, and the family of the target in any case."""
    rows = scored(results)
    dressed = [row for row in rows if row.index in looks]
    found = [
        ("family of the target, the worst first", by_family(rows)),
        ("objects on the table", grouped(rows, lambda row: row.objects)),
        ("table top", grouped(dressed, lambda row: looks[row.index][0])),
        ("lighting", grouped(dressed, lambda row: looks[row.index][1])),
    ]
    known = BY_LOOK if rows and rows[0].suite in LOOK_SUITES else {}
    return [
        Axis(title, tuple(groups), {g.name: known[g.name] for g in groups if g.name in known})
        for place, (title, groups) in enumerate(found)
        if len(groups) > 1 or (place == 0 and groups)
    ]


def heat_map(results: Sequence[EpisodeResult]) -> list[tuple[Group, list[Cell]]]:
    """For each family, the worst first, its objects in order of their names."""
    rows = scored(results)
    return [
        (family, [_cell(group) for group in grouped([r for r in rows if r.family == family.name], _target)])
        for family in by_family(rows)
    ]


def read_looks(folder: Path, results: Sequence[EpisodeResult]) -> dict[int, Look]:
    """Index -> (table, lighting) of the rows' scenes, as far as they can be made here; kept in the run's folder.

    A scene takes a twentieth of a second to make. Rows of another version of their suite have no look that is known.
    """
    path = folder / LOOKS
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    rows = {row.spec_hash: row for row in results if row.outcome != "error"}
    looks = {spec_hash: tuple(look) for spec_hash, look in kept.items() if spec_hash in rows}
    only = _only_look(rows.values())
    for spec_hash, row in rows.items():
        if spec_hash in looks:
            continue
        look = only or _made(row)
        if look is None:
            return {}
        looks[spec_hash] = look
    if looks.keys() - kept.keys() and only is None:
        write_atomically(path, json.dumps(looks) + "\n")
    return {rows[spec_hash].index: look for spec_hash, look in looks.items()}


def _target(row: EpisodeResult) -> str:
    return row.target


def _cell(group: Group) -> Cell:
    return Cell(group.name, group.rate, f"hsl({round(145 * group.rate.value)} 55% 46%)")


def _only_look(rows: Sequence[EpisodeResult]) -> Look | None:
    """The look that all scenes of the rows' suite have, if there is but one."""
    try:
        here = {(row.suite, row.version): distribution(row.suite) for row in rows}
    except EpisodeError:
        return None
    looks = {look for (_, version), suite in here.items() for look in suite.looks if version == suite.version}
    return looks.pop() if len(looks) == 1 else None


def _made(row: EpisodeResult) -> Look | None:
    try:
        episode = make_episode(row.suite, row.index, row.version)
    except EpisodeError:
        return None
    return (episode.look.table, episode.look.lighting) if episode.hash == row.spec_hash else None
