"""The hands by name."""

from assets.robots.g0r import G0R
from assets.robots.hand_types import HandSpec
from assets.robots.rh56 import RH56

HANDS: dict[str, HandSpec] = {"g0r": G0R, "rh56": RH56}


def get_hand(name: str) -> HandSpec:
    """The hand called `name`; KeyError lists the choices."""
    if name not in HANDS:
        raise KeyError(f"unknown hand {name!r}; choose one of {', '.join(HANDS)}")
    return HANDS[name]
