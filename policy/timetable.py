"""Which action of which chunk is due at which control step, with the time that inference takes."""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from envs import spec
from envs.interface import DexClutterError


class TimetableError(DexClutterError, ValueError):
    """A latency that leaves nothing of a chunk to act on."""


@dataclass(frozen=True, eq=False)
class _Entry:
    chunk: np.ndarray  # (horizon, 13)
    acts_from: int  # the control step at which it takes over
    begins: int  # the control step that its first action belongs to


class Timetable:
    """The chunks of one attempt. Control steps count from 0; a chunk is asked for every `period` of them.

    horizon: actions of a chunk; execute: how many act before the next look, where inference takes no time.
    latency_ms: a chunk computed from what is seen at step t acts from t + latency on, rounded up to whole steps, with
    the actions that belong to those steps; until then the chunk before it goes on. Before the first chunk the arm
    waits, so that one acts from its first action. No chunk is begun before the one before it is there.
    Raises TimetableError for a negative latency and for one that outlasts a chunk.
    """

    def __init__(self, horizon: int, execute: int, latency_ms: float = 0.0) -> None:
        if not (math.isfinite(latency_ms) and latency_ms >= 0):
            raise TimetableError(f"a latency is 0 ms or more, not {latency_ms:g}")
        self.delay = spec.steps_of(latency_ms)
        self.period = max(execute, self.delay)
        if self.delay + self.period > horizon:
            most = max(delay for delay in range(horizon) if delay + max(execute, delay) <= horizon)
            raise TimetableError(
                f"a latency of {latency_ms:g} ms outlasts a chunk of {horizon} actions, of which {execute} act before "
                f"the next look; at most {most * 1000 / spec.CONTROL_HZ:g} ms can be bridged"
            )
        self._next_look = 0
        self._entries: deque[_Entry] = deque()

    def wants_chunk(self, step: int) -> bool:
        """Whether a chunk is to be computed from what is seen at `step`."""
        return step >= self._next_look

    def add(self, step: int, chunk: np.ndarray) -> None:
        """The chunk (horizon, 13) computed from what was seen at `step`."""
        acts_from = step + self.delay
        self._entries.append(_Entry(chunk, acts_from, step if self._entries else acts_from))
        self._next_look = step + self.period

    def action(self, step: int) -> np.ndarray | None:
        """The action (13,) due at `step`; None before the first chunk acts. A chunk's last action is held."""
        while len(self._entries) > 1 and self._entries[1].acts_from <= step:
            self._entries.popleft()
        if not self._entries or self._entries[0].acts_from > step:
            return None
        entry = self._entries[0]
        return entry.chunk[min(step - entry.begins, len(entry.chunk) - 1)]
