"""The sources of masks by their names."""

from collections.abc import Callable

from policy.masks.interface import MaskError, Tracker

# The modules are loaded when they are asked for: OpenCV and torch are heavy, and neither is needed by the others.


def _privileged(**settings: object) -> Tracker:
    from policy.masks.privileged import PrivilegedMasks

    return PrivilegedMasks(**settings)


def _classic(**settings: object) -> Tracker:
    from policy.masks.classic import ClassicMasks

    return ClassicMasks(**settings)


def _sam2(**settings: object) -> Tracker:
    from policy.masks.sam2 import Sam2Masks

    return Sam2Masks(**settings)


MASKS: dict[str, Callable[..., Tracker]] = {"privileged": _privileged, "classic": _classic, "sam2": _sam2}


def make_masks(name: str, **settings: object) -> Tracker:
    """A fresh source of masks by its name; `settings` are the keyword arguments of its class.

    Raises MaskError for an unknown name, with the choices, or when what it needs is not installed or not there.
    """
    if name not in MASKS:
        raise MaskError(f"unknown masks {name!r}; choose from: {', '.join(sorted(MASKS))}")
    try:
        return MASKS[name](**settings)
    except ModuleNotFoundError as fault:
        raise MaskError(
            f"masks {name!r} need the package {fault.name!r}: install the project with its extra `policy`"
        ) from fault
    except TypeError as fault:
        raise MaskError(f"masks {name!r} do not take these settings ({fault})") from fault
