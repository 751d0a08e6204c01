"""When a run that may stop early has seen enough."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.errors import UsageError
from benchmarks.summary import scored
from envs.interface import EpisodeResult


class Ending:
    """The end of a run over `indices`: an interval narrower than `width`, or never early where that is None.

    Raises UsageError for a width that cannot be.
    """

    def __init__(self, width: float | None, indices: Sequence[int]) -> None:
        self._indices, self._stopper = indices, None
        if width is not None:
            from benchmarks.adaptive import Stopper  # here, for other runs have no use for it

            try:
                self._stopper = Stopper(width, len(indices))
            except ValueError as fault:
                raise UsageError(f"--adaptive {width:g}: {fault}") from fault

    def prefix(self, results: Mapping[int, EpisodeResult]) -> Sequence[int] | None:
        """The first indices, in their order and without a gap, after which the run may end; None while there are none.

        The rule is asked at the numbers of scored rows that it names, and of no rows beyond: where a run ends does not
        depend on the order in which episodes finish.
        """
        if self._stopper is None:
            return None
        successes = n = 0
        for played, index in enumerate(self._indices, start=1):
            if index not in results:
                return None
            if results[index].outcome == "error":  # not scored; played again when the run is resumed
                continue
            n, successes = n + 1, successes + results[index].success
            if n in self._stopper.checkpoints and self._stopper.done(successes, n):
                return self._indices[:played]
        return None

    def settings(self, results: Sequence[EpisodeResult]) -> dict[str, Any]:
        """What the summary says of it: the rule's own interval, which alone holds at an early end."""
        if self._stopper is None:
            return {}
        rows = scored(results)
        interval = self._stopper.interval(sum(r.success for r in rows), len(rows)) if rows else None
        width, total = self._stopper.width, self._stopper.total
        return {"interval": interval, "adaptive_width": width, "adaptive_total": total}
