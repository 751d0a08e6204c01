"""When a failed call is worth another try, and how long to wait first. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

WORTH_ANOTHER_TRY = (408, 409, 425, 429)


def is_worth_another_try(status: int) -> bool:
    """Whether a server that answered with this HTTP status may answer better later."""
    return status in WORTH_ANOTHER_TRY or status >= 500


def asked_wait_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The wait that a server asks for in Retry-After (seconds or a date) or retry-after-ms; None: it asks for none.

    `headers` finds names whatever their case. `now` is for dates, and the present moment where it is not given.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wait_s = float(headers.get(name, "")) * unit_s
        except ValueError:
            continue
        if wait_s >= 0:
            return wait_s
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def wait_s(failures: int, asked_s: float | None, backoff_s: float, longest_s: float) -> float | None:
    """Seconds to wait after that many failures in a row: what the server asks for, else a wait that doubles.

    None: the server asks for more than `longest_s`, so that waiting is no use.
    """
    if asked_s is not None:
        return asked_s if asked_s <= longest_s else None
    return min(longest_s, backoff_s * 2.0 ** min(failures - 1, 60))
