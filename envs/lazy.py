"""Observations whose pictures are drawn when somebody reads them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from envs.interface import DexClutterError


class PastMomentError(DexClutterError, RuntimeError):
    """A picture was asked for that nobody had read before the world went on."""


class LazyObservation(Mapping[str, Any]):
    """What an environment shows of one moment. Equal to the bit to what it would have drawn at once.

    `draw(camera)` is called at the first reading of each of the `cameras`; the picture is kept. After `expire`, which
    the environment calls when it goes on, a picture that nobody has read raises PastMomentError.
    """

    def __init__(self, ready: Mapping[str, Any], cameras: Sequence[str], draw: Callable[[str], np.ndarray]) -> None:
        self._values = dict(ready)
        self._cameras = tuple(cameras)
        self._draw: Callable[[str], np.ndarray] | None = draw

    def __getitem__(self, key: str) -> Any:
        if key not in self._values and key in self._cameras:
            if self._draw is None:
                raise PastMomentError(
                    f"the picture {key!r} of a past moment was never drawn; read it before the next step, or make the "
                    "environment without lazy=True"
                )
            self._values[key] = self._draw(key)
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values or key in self._cameras

    def __iter__(self) -> Iterator[str]:
        yield from (key for key in self._values if key not in self._cameras)
        yield from self._cameras

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self)})"

    def expire(self) -> None:
        """The moment is over: what has not been drawn by now cannot be drawn any more."""
        self._draw = None
