"""Prompts for several objects as data: their words, and which objects of the library they ask for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assets.objects.language import ALSO_CALLED
from assets.objects.library import get_object
from assets.objects.types import ObjectSpec

# What is eaten as it lies there, and what may hold food: people differ on the latter.
FOOD = ("apple", "pear", "lemon", "orange", "banana", "egg", "yogurt")
MAYBE_FOOD = ("box", "can", "bottle", "jar", "carton", "shaker")


@dataclass(frozen=True)
class Prompt:
    """A published prompt. asks_for: surely meant by it; may_ask_for: what somebody could mean, those included."""

    name: str
    words: str
    asks_for: Callable[[ObjectSpec], bool]
    may_ask_for: Callable[[ObjectSpec], bool]

    def split(self, ids: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of some objects, those that are meant and those that are surely not; the doubtful ones are in neither."""
        known = {i: get_object(i) for i in ids}
        meant = tuple(i for i, known_as in known.items() if self.asks_for(known_as))
        return meant, tuple(i for i, known_as in known.items() if not self.may_ask_for(known_as))


def _is_green(thing: ObjectSpec) -> bool:
    return thing.colors[0] == "green"


def _has_green(thing: ObjectSpec) -> bool:
    return any("green" in (color, *ALSO_CALLED.get(color, ())) for color in thing.colors)


def _is_bottle(thing: ObjectSpec) -> bool:
    return "bottle" in thing.noun.split()


def _called_bottle(thing: ObjectSpec) -> bool:
    return any("bottle" in noun.split() for noun in thing.nouns)


PROMPTS = (
    Prompt("clear", "Clear the table", lambda thing: True, lambda thing: True),
    Prompt("green", "Grasp all green objects", _is_green, _has_green),
    Prompt("bottles", "Grasp all bottles", _is_bottle, _called_bottle),
    Prompt("food", "Grasp all food", lambda t: t.family in FOOD, lambda t: t.family in (*FOOD, *MAYBE_FOOD)),
)
