"""Which of two policies is better, on the same episodes: `python -m benchmarks.compare A B`."""

import base64
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from benchmarks.console import named_words
from benchmarks.errors import UsageError
from benchmarks.journal import MEDIA, read_results, thumbnail_name, video_name, write_atomically
from benchmarks.pages import drawn
from benchmarks.paired import Paired, bootstrap_interval, counted, interval_words, mcnemar, verdict
from benchmarks.report import EMBEDDED_BYTES, read_summary, rerun_command
from benchmarks.statistics import Rate, rate
from benchmarks.summary import Summary, repeated_targets, scored
from envs.interface import OUTCOMES, EpisodeResult

SHOWN = 60  # episodes with pictures on the page; all that differ stand in its table


@dataclass(frozen=True)
class Options:
    """Compares two finished runs episode by episode and draws a page."""

    a: tyro.conf.Positional[Path]
    """Folder of a finished run."""
    b: tyro.conf.Positional[Path]
    """Folder of another one, on the same episodes."""
    common: bool = False
    """Compare the episodes that both have, where one has more than the other."""
    allow_privileged: bool = False
    """Compare although one of the two reads more of the simulation than the other."""
    out: Path | None = None
    """The page; without it, <A>-vs-<B>.html beside the folder of B."""


@dataclass(frozen=True)
class Side:
    """One of the two runs. `rows` by index are those that are scored and compared."""

    letter: str
    folder: Path
    summary: Summary
    rows: dict[int, EpisodeResult]

    @property
    def rate(self) -> Rate:
        """The success rate over the compared episodes."""
        return rate(sum(row.success for row in self.rows.values()), len(self.rows))

    @property
    def title(self) -> str:
        """The policy in words, with what of it is privileged."""
        privileged = f" (privileged: {', '.join(self.summary.privileged)})" if self.summary.privileged else ""
        return named_words(self.summary) + privileged


@dataclass(frozen=True)
class Comparison:
    """All that the page and the terminal say. `errors` and `left_out` count episodes, the latter for A and B."""

    a: Side
    b: Side
    pairs: Paired
    interval: tuple[float, float]
    errors: int
    left_out: tuple[int, int]
    privileged: bool

    @property
    def headline(self) -> str:
        """The verdict; where only one of the two is privileged, it begins with that."""
        words = verdict(self.pairs, self.interval)
        if not self.privileged:
            return words
        reads = [f"{s.letter} reads {', '.join(s.summary.privileged) or 'only observations'}" for s in (self.a, self.b)]
        return f"Unequal terms ({'; '.join(reads)}): {words}"

    @property
    def changed(self) -> list[int]:
        """Indices whose outcome words differ; first those that one of the two won alone."""
        differ = [i for i, row in self.a.rows.items() if row.outcome != self.b.rows[i].outcome]
        return sorted(differ, key=lambda i: (self.a.rows[i].success == self.b.rows[i].success, i))

    def notes(self) -> list[str]:
        """What a reader must know beside the headline."""
        pairs, notes = self.pairs, []
        notes.append(
            f"{pairs.only_a} episodes succeeded with A alone, {pairs.only_b} with B alone, {pairs.both} with both, "
            f"{pairs.neither} with neither; exact McNemar p = {mcnemar(pairs):.2g}"
        )
        rows = list(self.a.rows.values())
        targets, worth = repeated_targets(rows, [self.b.rows[row.index].success - row.success for row in rows])
        if targets:
            words = interval_words(bootstrap_interval(pairs, size=worth))
            notes.append(f"{targets} targets in {pairs.n} pairs; for other targets too, B less A: {words} points")
        notes.append(f"they disagree in {100 * pairs.disagreement:.1f} % of the pairs (what benchmarks.power asks for)")
        if self.errors:
            notes.append(f"{self.errors} pairs left out: an episode was lost by our own fault in A or B (errors)")
        if any(self.left_out):
            notes.append(
                f"left out because the other run has not got them: {self.left_out[0]} of A, {self.left_out[1]} of B"
            )
        for what, one, two in (
            ("hands", self.a.summary.hand, self.b.summary.hand),
            ("MuJoCo versions", self.a.summary.versions.get("mujoco"), self.b.summary.versions.get("mujoco")),
        ):
            if one != two:
                notes.append(f"the {what} differ: {one} in A, {two} in B")
        return notes


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0, or 2 for what cannot be compared."""
    options = tyro.cli(Options, args=arguments, prog="python -m benchmarks.compare", description=__doc__)
    try:
        found = compare(options.a, options.b, common=options.common, allow_privileged=options.allow_privileged)
        page = options.out or options.b.parent / f"{options.a.resolve().name}-vs-{options.b.resolve().name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(page, render(found, page.parent))
    except UsageError as fault:
        print(f"benchmarks.compare: {fault}", file=sys.stderr)
        return 2
    console = Console(highlight=False)
    for side in (found.a, found.b):
        console.print(f"{side.letter}  {side.title}  {side.rate}  {side.folder}", markup=False)
    console.print(found.headline, style="bold", markup=False)
    for note in found.notes():
        console.print(f"· {note}", markup=False)
    for index in found.changed:
        console.print(f"  {index:>6}  {found.a.rows[index].outcome} → {found.b.rows[index].outcome}", markup=False)
    console.print(f"page  {page}", markup=False)
    return 0


def compare(a: Path, b: Path, *, common: bool = False, allow_privileged: bool = False) -> Comparison:
    """Compare the finished runs in two folders. Raises UsageError for runs that are no fair pair."""
    summaries = read_summary(a), read_summary(b)
    _check_protocol(a, b, *summaries)
    privileged = set(summaries[0].privileged) != set(summaries[1].privileged)
    if privileged and not allow_privileged:
        reads = [", ".join(s.privileged) or "nothing but observations" for s in summaries]
        raise UsageError(
            f"{a} reads {reads[0]} and {b} reads {reads[1]}: no fair contest; "
            f"--allow-privileged compares them all the same and says so"
        )
    rows = [{row.index: row for row in read_results(folder)} for folder in (a, b)]
    shared = sorted(rows[0].keys() & rows[1].keys())
    left_out = len(rows[0]) - len(shared), len(rows[1]) - len(shared)
    if any(left_out) and not common:
        raise UsageError(
            f"{left_out[0]} episodes of {a} and {left_out[1]} of {b} are not in the other run; "
            f"--common compares the {len(shared)} that both have"
        )
    scores = [{row.index for row in scored(list(side.values()))} for side in rows]
    compared = [index for index in shared if index in scores[0] and index in scores[1]]
    if not compared:
        raise UsageError(f"{a} and {b} have no scored episode in common")
    _check_scenes(rows[0], rows[1], compared)
    sides = [
        Side(letter, folder, summary, {index: table[index] for index in compared})
        for letter, folder, summary, table in zip("AB", (a, b), summaries, rows, strict=True)
    ]
    pairs = counted((rows[0][index].success, rows[1][index].success) for index in compared)
    errors = len(shared) - len(compared)
    return Comparison(*sides, pairs, bootstrap_interval(pairs), errors, left_out, privileged)


def _check_protocol(a: Path, b: Path, one: Summary, two: Summary) -> None:
    for what in ("suite", "version", "attempts"):
        mine, yours = getattr(one, what), getattr(two, what)
        if mine != yours:
            raise UsageError(f"{what} is {mine!r} in {a} and {yours!r} in {b}; compare runs that agree in it")


def _check_scenes(a: dict[int, EpisodeResult], b: dict[int, EpisodeResult], indices: Sequence[int]) -> None:
    unlike = [index for index in indices if a[index].spec_hash != b[index].spec_hash]
    if unlike:
        raise UsageError(
            f"the scenes of {len(unlike)} episodes differ (such as {unlike[0]}: {a[unlike[0]].spec_hash} and "
            f"{b[unlike[0]].spec_hash}): other versions of the suite or of MuJoCo made them. Play both runs anew"
        )


def render(found: Comparison, home: Path) -> str:
    """The page as text, to stand in the folder `home`. It needs no network; films that are too many stay outside."""
    shown = found.changed[:SHOWN]
    films = [path for index in shown for s in (found.a, found.b) if (path := _film(s, index)).exists()]
    embed = sum(film.stat().st_size for film in films) <= EMBEDDED_BYTES
    return drawn(
        "compare.html.j2",
        found=found,
        sides=(found.a, found.b),
        low=100 * found.interval[0],
        high=100 * found.interval[1],
        words=[word for word in OUTCOMES if word != "error"],
        crossings=Counter((row.outcome, found.b.rows[i].outcome) for i, row in found.a.rows.items()),
        cards=[[_view(side, index, home, embed) for side in (found.a, found.b)] for index in shown],
        embedded=embed,
    )


@dataclass(frozen=True)
class View:
    """One side of one episode on the page: at most one of film and picture, as an address."""

    letter: str
    row: EpisodeResult
    film: str | None
    picture: str | None
    command: str


def _view(side: Side, index: int, home: Path, embed: bool) -> View:
    film, picture = _film(side, index), side.folder / MEDIA / thumbnail_name(index)
    address, still = None, None
    if film.exists():
        address = _data_address(film, "video/mp4") if embed else Path(os.path.relpath(film, home)).as_posix()
    elif picture.exists():
        still = _data_address(picture, "image/png")
    return View(side.letter, side.rows[index], address, still, rerun_command(side.summary, index))


def _film(side: Side, index: int) -> Path:
    return side.folder / MEDIA / video_name(index)


def _data_address(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


if __name__ == "__main__":
    sys.exit(main())
