"""A model's reply -> the box of one object in pixels of the head image, or "not visible"."""

import re
from collections.abc import Iterator
from typing import Any

from policy.planner.families import Family
from policy.planner.interface import Box, UnreadableReply
from policy.planner.replies import Reply, entries, number, read_reply

BOX_KEYS = ("bbox_2d", "bbox2d", "bbox", "box_2d", "box", "bounding_box", "boundingbox", "coordinates", "coords")
SEEN_KEYS = ("visible", "is_visible", "found", "present")
CORNERS = (
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("left", "top", "right", "bottom"),
)
SIZES = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
NUMBER = r"[-+]?\d+(?:\.\d+)?"
BETWEEN = r"\s*[,，;\s]\s*"
POINT = rf"[(（\[]\s*({NUMBER}){BETWEEN}({NUMBER})\s*[)）\]]"
TWO_POINTS = re.compile(rf"{POINT}\s*(?:[,;，；–—-]|->|to|and|至|到)?\s*{POINT}")
FOUR = re.compile(rf"(?<![\d.])({NUMBER}){BETWEEN}({NUMBER}){BETWEEN}({NUMBER}){BETWEEN}({NUMBER})(?![\d.])")
MARKED = re.compile(r"<\|?box(?:_start)?\|?>(.*?)(?:<\|?/?box(?:_end)?\|?>|\Z)", re.DOTALL)
HIDDEN = re.compile(
    r"\b(?:not|isn'?t|never|cannot|can'?t|no longer)\b(?:\s+\w+){0,3}?\s+"
    r"(?:visible|seen|see|find|found|present|locate)\b"
    r"|\binvisible\b|\bno\s+(?:such|matching)\b|\bnot\s+in\s+the\s+(?:picture|image|view|scene)\b"
    r"|不可见|看不到|看不见|没有看到|未找到|找不到|不在|nicht\s+(?:zu\s+sehen|sichtbar)|no\s+(?:es|está)\s+visible"
    r"|pas\s+visible",
    re.IGNORECASE,
)


def parse_box(text: str, family: Family, width: int, height: int) -> Box | None:
    """The first box in the reply that shows anything inside a picture of that many pixels; None: not visible.

    Not visible is: a field that says so, an empty or absent box in JSON, words that say so, or boxes that lie wholly
    outside the picture. A box in markup or JSON outweighs words around it; in plain prose the words outweigh numbers.
    Raises UnreadableReply where the reply says neither.
    """
    reply = read_reply(MARKED.sub(" ", text))
    if any(_denied(value) for value in reply.values):
        return None
    found = [*_marked(text), *(box for value in reply.values for box in _in_json(value))]
    if not found:
        if HIDDEN.search(reply.prose) or _declares_nothing(reply):
            return None
        found = list(_in_prose(reply.prose))
    if not found:
        raise UnreadableReply(f"neither a box nor 'not visible' in the reply {text[:200]!r}")
    boxes = (family.to_pixels(numbers, width, height) for numbers in found)
    return next((box for box in boxes if box is not None), None)


def _marked(text: str) -> Iterator[Box]:
    """Boxes in the Qwen families' own markup: <box>(x,y),(x,y)</box>."""
    for inner in MARKED.findall(text):
        numbers = re.findall(NUMBER, inner)
        if len(numbers) == 4:
            yield _box(numbers)


def _in_json(value: Any) -> Iterator[Box]:
    if isinstance(value, dict):
        keys = {str(key).strip().lower(): inner for key, inner in value.items()}
        box = _named(keys)
        if box is not None:
            yield box
            return
        for key in sorted(keys, key=lambda key: key not in BOX_KEYS):
            inner = keys[key]
            if key in BOX_KEYS and isinstance(inner, str):
                yield from _in_prose(inner)
            else:
                yield from _in_json(inner)
    elif isinstance(value, list):
        flat = [inner for point in value for inner in (point if isinstance(point, list) else [point])]
        numbers = [number(inner) for inner in flat]
        if len(numbers) == 4 and None not in numbers and len(value) in (2, 4):
            yield _box(numbers)
            return
        for inner in value:
            yield from _in_json(inner)


def _named(keys: dict[str, Any]) -> Box | None:
    """A box whose four numbers have names of their own."""
    for names in CORNERS:
        numbers = [number(keys.get(name)) for name in names]
        if None not in numbers:
            return _box(numbers)
    for names in SIZES:
        numbers = [number(keys.get(name)) for name in names]
        if None not in numbers:
            x, y, width, height = numbers
            return _box((x, y, x + width, y + height))
    return None


def _in_prose(text: str) -> Iterator[Box]:
    for found in TWO_POINTS.finditer(text):
        yield _box(found.groups())
    for found in FOUR.finditer(text):
        yield _box(found.groups())
    named = dict(re.findall(rf"\b([xy][0-2])\s*[=:]\s*({NUMBER})", text.lower()))
    box = _named(named)
    if box is not None:
        yield box


def _denied(value: Any) -> bool:
    """Whether a field of the JSON says in so many words that the object cannot be seen."""
    words = (
        inner.strip().lower() if isinstance(inner, str) else inner for key, inner in entries(value) if key in SEEN_KEYS
    )
    return any(word in (False, "false", "no", "否") for word in words)


def _declares_nothing(reply: Reply) -> bool:
    """An empty list, an empty box, or JSON whose text says that the object is not there."""
    for value in reply.values:
        if value == [] and not reply.cut:
            return True
        for key, inner in entries(value):
            if key in BOX_KEYS and inner in (None, "", "none", "None", "null", []) and not reply.cut:
                return True
            if isinstance(inner, str) and HIDDEN.search(inner):
                return True
    return False


def _box(numbers: Any) -> Box:
    x0, y0, x1, y1 = (float(n) for n in numbers)
    return x0, y0, x1, y1
