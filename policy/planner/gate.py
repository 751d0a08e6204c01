"""Has the hand had time to act, and has the target been out of sight for long? Two small memories of the monitor."""

SLACK_S = 1e-6  # a clock made of summed periods falls short of a second by rounding


def has_passed(since_s: float, now_s: float, duration_s: float) -> bool:
    """Whether that much time lies between the two moments."""
    return now_s - since_s >= duration_s - SLACK_S


class HandGate:
    """How long the fingers have been closed; stands in for the published height of the arm, unknown in `policy`."""

    def __init__(self, closed_below: float) -> None:
        self._closed_below = closed_below
        self._closed_from_s: float | None = None
        self._now_s = 0.0

    @property
    def closed(self) -> bool:
        """Whether the fingers are closed at the last look."""
        return self._closed_from_s is not None

    def see(self, now_s: float, hand_opening: float | None) -> bool:
        """Take a look (mean opening, 1 open; None: not known). True if the hand has just opened again."""
        self._now_s = now_s
        was_closed = self.closed
        if hand_opening is None or hand_opening >= self._closed_below:
            self._closed_from_s = None
        elif not was_closed:
            self._closed_from_s = now_s
        return was_closed and not self.closed

    def closed_for(self, duration_s: float) -> bool:
        """Whether they have been closed without a break for that long."""
        return self._closed_from_s is not None and has_passed(self._closed_from_s, self._now_s, duration_s)


class LossTimer:
    """How long the target has been out of sight without a break."""

    def __init__(self) -> None:
        self._lost_from_s: float | None = None
        self._now_s = 0.0

    def see(self, now_s: float, lost: bool) -> None:
        """Take a look."""
        self._now_s = now_s
        if not lost:
            self._lost_from_s = None
        elif self._lost_from_s is None:
            self._lost_from_s = now_s

    def lasted(self, duration_s: float) -> bool:
        """Whether it has been out of sight for that long."""
        return self._lost_from_s is not None and has_passed(self._lost_from_s, self._now_s, duration_s)
