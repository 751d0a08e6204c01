"""A run along its axes: how it did by family, crowd, look and object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.errors import UsageError
from benchmarks.published import BY_LEVEL
from benchmarks.statistics import Rate
from benchmarks.suites import axis_levels, get_suite
from benchmarks.summary import Group, by_family, grouped, scored
from envs.interface import EpisodeResult

OBJECTS = "objects"  # an axis that every row states itself
Levels = Mapping[str, str]  # axis -> the level of an episode on it


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


def axes(results: Sequence[EpisodeResult], levels: Mapping[int, Levels]) -> list[Axis]:
    """The axes along which the rows differ, first the family of the target. levels: of rows, by index."""
    rows = scored(results)
    found = {
        "family of the target, the worst first": by_family(rows),
        "objects on the table": grouped(rows, lambda row: row.objects),
    }
    for name in dict.fromkeys(name for level in levels.values() for name in level):
        known = [row for row in rows if name in levels.get(row.index, {})]
        found.setdefault(name, grouped(known, lambda row, name=name: levels[row.index][name]))
    published = BY_LEVEL.get(rows[0].suite, {}) if rows else {}
    return [
        Axis(title, tuple(groups), {g.name: published[g.name] for g in groups if g.name in published})
        for title, groups in found.items()
        if len(groups) > 1
    ]


def heat_map(results: Sequence[EpisodeResult]) -> list[tuple[Group, list[Cell]]]:
    """For each family, the worst first, its objects in order of their names."""
    rows = scored(results)
    return [
        (family, [_cell(group) for group in grouped([r for r in rows if r.family == family.name], _target)])
        for family in by_family(rows)
    ]


def suite_levels(results: Sequence[EpisodeResult]) -> dict[int, Levels]:
    """Index -> levels of the rows on their suite's axes; nothing for rows of another version of it, or of no suite."""
    try:
        suites = {name: get_suite(name) for name in {row.suite for row in results}}
    except UsageError:
        return {}
    found = {}
    for row in results:
        suite = suites[row.suite]
        if suite.axes and suite.version == row.version:
            levels = axis_levels(suite, row.index)
            found[row.index] = {axis: level for axis, level in levels.items() if axis != OBJECTS}
    return found


def _target(row: EpisodeResult) -> str:
    return row.target


def _cell(group: Group) -> Cell:
    return Cell(group.name, group.rate, f"hsl({round(145 * group.rate.value)} 55% 46%)")
