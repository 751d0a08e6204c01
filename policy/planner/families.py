"""Families of vision-language models: what the four numbers of a box mean in each.

Sources: the model cards and cookbooks of Qwen-VL, Qwen2-VL, Qwen3-VL and InternVL (0 to 1000 of width and height),
Qwen2.5-VL (pixels of the picture as its processor resized it, sides multiples of 28), Gemini (0 to 1000, y first).
"""

import re
from dataclasses import dataclass

from policy.planner.interface import Box, PlannerError


@dataclass(frozen=True)
class Family:
    """How one family writes coordinates.

    scale: what the far edge of the picture is called (1000, or 1.0); None: pixels.
    grid: with pixels, the side that the model's processor rounds the picture to; 0: it sees the picture as it is.
    y_first: numbers come as (y0, x0, y1, x1).
    pattern: regular expression that finds the family in a model's name, in lower case.
    """

    name: str
    pattern: str
    scale: float | None
    grid: int = 0
    y_first: bool = False

    def seen_size(self, width: int, height: int) -> tuple[float, float]:
        """(width, height) of the frame in which the model speaks about a picture of that many pixels."""
        if self.scale is not None:
            return self.scale, self.scale
        if not self.grid:
            return width, height
        return max(1, round(width / self.grid)) * self.grid, max(1, round(height / self.grid)) * self.grid

    def to_pixels(self, numbers: Box, width: int, height: int) -> Box | None:
        """The model's four numbers as a box inside the picture: corners ordered, clipped; None if nothing is left."""
        if self.y_first:
            numbers = (numbers[1], numbers[0], numbers[3], numbers[2])
        seen_width, seen_height = self.seen_size(width, height)
        xs = sorted(min(max(x * width / seen_width, 0.0), float(width)) for x in numbers[0::2])
        ys = sorted(min(max(y * height / seen_height, 0.0), float(height)) for y in numbers[1::2])
        if xs[1] - xs[0] < 1.0 or ys[1] - ys[0] < 1.0:
            return None
        return xs[0], ys[0], xs[1], ys[1]

    def words(self, width: int, height: int) -> str:
        """What the prompt says about coordinates."""
        order = "[y0, x0, y1, x1]" if self.y_first else "[x0, y0, x1, y1]"
        if self.scale is None:
            return f"{order} in whole pixels of the picture, which is {width} wide and {height} high"
        far = f"{self.scale:g}"
        return f"{order}, where 0 is the left or upper edge of the picture and {far} the right or lower edge"


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("qwen2.5-vl", r"qwen-?_?2[._]5[-_]?vl", scale=None, grid=28),
        Family("qwen2-vl", r"qwen-?_?2[-_]?vl", scale=1000.0),
        Family("qwen3-vl", r"qwen-?_?3(?:[._]5)?[-_]?vl", scale=1000.0),
        Family("qwen-vl", r"qwen[-_]?vl", scale=1000.0),
        Family("internvl", r"internvl", scale=1000.0),
        Family("gemini", r"gemini", scale=1000.0, y_first=True),
        # Conventions by themselves, for a model of any other name.
        Family("pixels", r"(?!)", scale=None),
        Family("thousandths", r"(?!)", scale=1000.0),
        Family("fractions", r"(?!)", scale=1.0),
    )
}
AUTO = "auto"


def get_family(name: str, model: str = "") -> Family:
    """The family called `name`, or with "auto" the one that `model` belongs to by its name.

    Raises PlannerError listing the choices: a guessed convention would put every box in the wrong place.
    """
    choices = ", ".join(FAMILIES)
    if name != AUTO:
        if name not in FAMILIES:
            raise PlannerError(f"unknown family {name!r}; choose from: {AUTO}, {choices}")
        return FAMILIES[name]
    for family in FAMILIES.values():
        if re.search(family.pattern, model.lower()):
            return family
    raise PlannerError(
        f"it is not known in which coordinates the model {model!r} writes boxes; set family to one of: {choices}"
    )
