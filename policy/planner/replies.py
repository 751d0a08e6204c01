"""The JSON values inside a model's reply, wherever they stand: bare, fenced, in prose, sloppy or cut off."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import json_repair

THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
PAIRS = {"{": "}", "[": "]"}


@dataclass(frozen=True)
class Reply:
    """values: the JSON objects and lists in their order; prose: the text around them; cut: the last one breaks off."""

    values: tuple[Any, ...]
    prose: str
    cut: bool = False


def read_reply(text: str) -> Reply:
    """Take a reply apart. Thoughts in <think> are no part of it; what a cut value leaves unfinished is dropped."""
    text = THOUGHT.sub(" ", text)
    text = text.split("</think>")[-1]  # some servers swallow the opening tag
    text = re.sub(r"```[\w-]*", "\n", text)
    values: list[Any] = []
    prose: list[str] = []
    at = kept = 0
    while at < len(text):
        if text[at] not in PAIRS:
            at += 1
            continue
        end = _closing(text, at)
        value = _value(text[at:end]) if end else _value(_without_loose_end(text[at:]))
        if value is None and not end and re.match(r"{\s*(?:\"|\Z)", text[at:]):
            value = {}  # broken off before anything was said: still an object, so its inside is not prose
        if value is None:
            at += 1
            continue
        values.append(value)
        prose.append(text[kept:at])
        at = kept = end or len(text)
        if not end:
            return Reply(tuple(values), "\n".join(prose), cut=True)
    prose.append(text[kept:])
    return Reply(tuple(values), "\n".join(prose))


def entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every (key in lower case, value) of the objects in a JSON value, outer ones first."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key).strip().lower().replace(" ", "_"), inner
        for inner in value.values():
            yield from entries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from entries(inner)


def number(value: Any) -> float | None:
    """A finite number, also where it is written as text ("12", "12 px"); None for anything else."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*([-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?)\s*(?:px|pixels?)?\s*", value, re.IGNORECASE)
        value = float(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _closing(text: str, start: int) -> int | None:
    """Where the bracket at `start` has been closed again; None: never, the text breaks off."""
    expected, in_string, escaped = [], False, False
    for at in range(start, len(text)):
        char = text[at]
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string, escaped = True, False
        elif char in PAIRS:
            expected.append(PAIRS[char])
        elif char in PAIRS.values():
            if char != expected.pop():
                return None
            if not expected:
                return at + 1
    return None


def _without_loose_end(text: str) -> str:
    """A value that breaks off, without the string or number it broke off in: half a number is a wrong number."""
    opened, escaped = None, False
    for at, char in enumerate(text):
        if opened is None:
            opened = at if char == '"' else None
        elif char == '"' and not escaped:
            opened = None
        escaped = opened is not None and char == "\\" and not escaped
    if opened is not None:
        text = text[:opened]
    text = re.sub(r"[-+\d.eE]+\s*$", "", text)
    return re.sub(r"(?:[,{]\s*\"[^\"]*\"\s*:?|,)\s*$", lambda found: "{" if found[0][0] == "{" else "", text)


def _value(text: str) -> dict | list | None:
    """The object or list that `text` spells, repaired if need be; None if it is neither or empty of any meaning."""
    try:
        return json.loads(text)
    except ValueError:
        value = json_repair.loads(text)
    if isinstance(value, dict) and value:
        return value
    if isinstance(value, list) and any(isinstance(v, dict | list) or number(v) is not None for v in value):
        return value
    return None
