"""How large a mesh is meant to be: files rarely say in which unit they count."""

import math

from assets.importing.refused import Refused

UNITS_M = {"mm": 0.001, "cm": 0.01, "m": 1.0}
# In order of likelihood for a mesh whose numbers fit more than one unit.
_GUESSES = ("m", "mm", "cm")
LARGEST_SIDE_M = (0.02, 0.30)
LEAST_SIDE_M = 0.004
_LONG = {"mm": "millimetres", "cm": "centimetres", "m": "metres"}
OTHER_UNITS_M = {"inches": 0.0254, "feet": 0.3048}


def parse(text: str) -> str | float:
    """What --scale says: "auto", a unit, or metres per unit of the file. Raises Refused for anything else."""
    if text in ("auto", *UNITS_M):
        return text
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise Refused(
            f"--scale must be auto, mm, cm, m, or the metres that one unit of the file stands for, got {text!r}"
        )
    return factor


def metres_per_unit(largest: float, scale: str | float, stated: str | None = None) -> tuple[float, str]:
    """(metres per unit of the file, the sentence that says why) for a mesh whose largest side is `largest` units.

    scale: as `parse` returns it; stated: the unit that the file itself states ("m", "mm", ...), if it does.
    Raises Refused when the object would not measure 2 to 30 cm along its largest side.
    """
    if scale == "auto":
        return _guess(largest, stated)
    factor = UNITS_M[scale] if isinstance(scale, str) else scale
    said = f"{_LONG[scale]}, as --scale says" if isinstance(scale, str) else f"{factor:g} m per unit, as --scale says"
    if not _fits(largest * factor):
        raise Refused(f"{_size_words(largest * factor)} with --scale {scale}; {_fix(largest)}")
    return factor, f"largest side {largest:.4g} units = {100 * largest * factor:.1f} cm: {said}"


def _guess(largest: float, stated: str | None) -> tuple[float, str]:
    fitting = [unit for unit in _GUESSES if _fits(largest * UNITS_M[unit])]
    if stated in fitting:
        unit, why = stated, f"{_LONG[stated]}, as the file states"
    elif fitting:
        unit, why = fitting[0], f"assumed to be {_LONG[fitting[0]]}"
        if stated:
            why += f" although the file states {stated}, which would make it {largest * UNITS_M[stated]:.4g} m"
        elif len(fitting) > 1:
            why += f" ({_LONG[fitting[1]]} would fit as well: say --scale {fitting[1]} if that is what it is)"
        else:
            why += ", the unit that makes it fit a hand; say --scale if that is wrong"
    else:
        raise Refused(f"its largest side of {largest:.4g} units is 2 to 30 cm neither in mm, cm nor m; {_fix(largest)}")
    factor = UNITS_M[unit]
    return factor, f"largest side {largest:.4g} units = {100 * largest * factor:.1f} cm: {why}"


def _fits(size_m: float) -> bool:
    low, high = LARGEST_SIDE_M
    return low <= size_m <= high


def _size_words(size_m: float) -> str:
    low, high = LARGEST_SIDE_M
    word, bound = ("large", high) if size_m > high else ("small", low)
    return f"too {word}: its largest side is {100 * size_m:.3g} cm, the bound is {100 * bound:.0f} cm"


def _fix(largest: float) -> str:
    """The scales that would make it fit, most likely first."""
    units = {f"--scale {unit}": factor for unit, factor in UNITS_M.items()}
    units |= {f"--scale {factor:g} if it counts in {name}": factor for name, factor in OTHER_UNITS_M.items()}
    fits = [f"{words} ({100 * largest * factor:.3g} cm)" for words, factor in units.items() if _fits(largest * factor)]
    return f"try {' or '.join(fits[:2])}" if fits else f"--scale {0.1 / largest:.3g} would make it 10 cm"
