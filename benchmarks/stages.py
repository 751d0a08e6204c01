"""The stages of prompts for several objects: how often each was right, beside what was published."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.published import BY_STAGE
from benchmarks.statistics import Rate, percent, rate
from benchmarks.summary import scored
from envs.interface import EpisodeResult, Round

ALL = "all prompts"
TASKS, ATTEMPTS, PROPOSAL, BOX = "whole task", "attempts per object", "instruction proposal", "bounding box"
GRASP, TRAY, VERIFIED, COMPLETION = "grasp", "placing", "grasp verification", "completion check"
WITHIN = ("cleared at the 1st attempt", "within 2", "within 3")


@dataclass(frozen=True)
class Entry:
    """One figure of one prompt, or of all. rate: None for a mean; published: of the real robot, "" where there is none.

    words: the figure with what it is of, for tables; published carries its unit.
    """

    words: str
    rate: Rate | None
    published: str


@dataclass(frozen=True)
class Stage:
    """One figure for each prompt, in the order of `Stages.prompts`."""

    name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Stages:
    """The table. prompts: its columns, the last one for all of them."""

    prompts: tuple[str, ...]
    stages: tuple[Stage, ...]


def stages_of(results: Sequence[EpisodeResult]) -> Stages | None:
    """The table of some rows, with a Wilson interval on each rate; None where no row is of such a prompt."""
    rows = [row for row in scored(results) if row.rounds]
    if not rows:
        return None
    prompts = tuple(dict.fromkeys(row.instruction for row in rows))
    columns = [[row for row in rows if row.instruction == prompt] for prompt in prompts] + [rows]
    names = (TASKS, ATTEMPTS, PROPOSAL, BOX, GRASP, TRAY, VERIFIED, COMPLETION, *WITHIN)
    figures = [_figures(column) for column in columns]
    return Stages(
        (*prompts, ALL),
        tuple(
            Stage(name, tuple(_entry(name, p, of[name]) for p, of in zip((*prompts, ALL), figures, strict=True)))
            for name in names
        ),
    )


def _figures(rows: Sequence[EpisodeResult]) -> dict[str, Rate | float | None]:
    """Name of a figure -> its rate; of the attempts per object the mean, None where no task succeeded."""
    rounds = [each for row in rows for each in row.rounds]
    done = [row for row in rows if row.success]
    objects = sum(len(_tries(row)) for row in done)
    tries = [n for row in rows for n in _tries(row)]
    return {
        TASKS: rate(len(done), len(rows)),
        ATTEMPTS: sum(bool(each.grasp) for row in done for each in row.rounds) / objects if objects else None,
        PROPOSAL: _share([each.proposal for each in rounds]),
        BOX: _share([each.box for each in rounds]),
        GRASP: _share([each.held for each in rounds]),
        TRAY: _share([each.in_tray for each in rounds if each.held]),
        VERIFIED: _share([right for each in rounds for right in each.verdicts]),
        COMPLETION: _share([each.completion for each in rounds]),
        **{name: rate(sum(0 < n <= k for n in tries), len(tries)) for k, name in enumerate(WITHIN, start=1)},
    }


def _tries(row: EpisodeResult) -> list[int]:
    """For each object that the prompt asks for, at which grasp of it it was cleared; 0: never."""
    found = []
    for wanted in row.target.split("+"):
        of_it: list[Round] = [each for each in row.rounds if each.target == wanted]
        found.append(next((n for n, each in enumerate(of_it, start=1) if each.cleared), 0))
    return found


def _share(answers: Sequence[bool | None]) -> Rate:
    known = [right for right in answers if right is not None]
    return rate(sum(known), len(known))


def _entry(name: str, prompt: str, figure: Rate | float | None) -> Entry:
    known = BY_STAGE.get(name, {}).get(prompt)
    unit = "" if name == ATTEMPTS else " %"
    published = "" if known is None else f"{known:g}{unit}" if name == ATTEMPTS else f"{known:.1f}{unit}"
    if isinstance(figure, Rate):
        words = "none" if not figure.n else f"{percent(figure.successes / figure.n)} % ({figure.successes}/{figure.n})"
        return Entry(words, figure, published)
    return Entry("none" if figure is None else f"{figure:.2f}", None, published)
