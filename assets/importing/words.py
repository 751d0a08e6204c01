"""From the name that a user gives to the words of referring expressions."""

import re
from dataclasses import dataclass

import numpy as np

from assets.importing.refused import Refused
from assets.objects import library
from assets.objects.imported import PREFIX
from assets.objects.language import SIZES
from assets.objects.palette import COLOR_WORDS

LONGEST_NAME = 40
MATERIALS = {
    "plastic": ("plastic",), "wood": ("wood", "wooden"), "metal": ("metal", "steel"), "ceramic": ("ceramic",),
    "cardboard": ("cardboard",), "rubber": ("rubber",), "glass": ("glass",), "cloth": ("cloth",), "paper": ("paper",),
}  # fmt: skip
DEFAULT_MATERIAL = "plastic"
GLOSS = {"metal": 0.7, "glass": 0.7, "ceramic": 0.6, "plastic": 0.4}
DULL = 0.15


@dataclass(frozen=True)
class Named:
    """What a name says: object id, nouns (longest first), and the colour, material and sizes in it, if any."""

    object_id: str
    nouns: tuple[str, ...]
    color: str | None
    material: str
    sizes: tuple[str, ...]


def parse(name: str, material: str | None = None) -> Named:
    """Read "large blue coffee mug". Raises Refused for a name without a noun, or one that cannot be said."""
    words = name.lower().split()
    if not words or len(name) > LONGEST_NAME or not all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", w) for w in words):
        raise Refused(
            f'--name is what people call it, such as "blue mug": words of unaccented letters and digits, at most '
            f"{LONGEST_NAME} in all; got {name!r}"
        )
    if material is not None and not re.fullmatch(r"[a-z]+(-[a-z]+)*", material):
        raise Refused(f"--material is one word in small letters, such as {', '.join(MATERIALS)}; got {material!r}")
    rest = " ".join(words)
    color, rest = _taken(rest, sorted(COLOR_WORDS, key=len, reverse=True))
    sizes = tuple(word for word in SIZES if word in rest.split())
    rest = " ".join(word for word in rest.split() if word not in SIZES)
    if material is None:
        # "glass" alone is a noun: a word counts as the material only where another noun is left.
        for known, forms in MATERIALS.items():
            form, left = _taken(rest, forms)
            if form and left:
                material, rest = known, left
                break
    if not rest:
        raise Refused(f'--name {name!r} says no noun; call it what it is, such as "{name.strip()} mug"')
    nouns = tuple(dict.fromkeys([rest, rest.split()[-1]]))
    slug = "_".join(re.sub(r"-", "_", word) for word in words)
    return Named(PREFIX + slug, nouns, color, material or DEFAULT_MATERIAL, sizes)


def _taken(text: str, choices: list[str] | tuple[str, ...]) -> tuple[str | None, str]:
    """The first of the choices that stands in the text as words before its last word, and the text without it."""
    for choice in choices:
        pattern = rf"(^| ){re.escape(choice)}( |$)"
        if re.search(pattern, text):
            return choice, re.sub(pattern, " ", text, count=1).strip()
    return None, text


def size_words(named: Named, extent_m: np.ndarray) -> tuple[str, ...]:
    """Words from the name; for the rest, how it compares with the built-in family that its noun names, if one does."""
    family = next((library.FAMILIES[noun] for noun in named.nouns if noun in library.FAMILIES), None)
    words = list(named.sizes)
    if family is None:
        return tuple(words)
    extents = np.array([library.get_object(object_id).extent_m for object_id in family.ids()])
    for measure, low_word, high_word in ((_mean_edge, "small", "large"), (_slenderness, "short", "tall")):
        low, high = np.quantile(measure(extents), (1 / 3, 2 / 3))
        own = float(measure(np.asarray(extent_m)[None])[0])
        if not {low_word, high_word} & set(words) and high > 1.07 * low:
            words += [low_word] if own <= low else [high_word] if own >= high else []
    return tuple(words)


def _mean_edge(extents: np.ndarray) -> np.ndarray:
    return extents.prod(axis=1) ** (1 / 3)


def _slenderness(extents: np.ndarray) -> np.ndarray:
    return extents[:, 2] / extents[:, :2].max(axis=1)
