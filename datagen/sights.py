"""What the cameras showed in the demonstrations of a file: its pictures, or, where it holds states alone, new ones.

Pictures are most of the work of making a demonstration and nearly all of its size, and training looks at a few of its
frames. A file of states alone is drawn here, those frames and no others: equal to the bit to what the generator would
have stored without loss, on the same MuJoCo and OpenGL driver.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from datagen.storage import DATA, DemoFile
from datagen.windows import WindowReader
from envs import spec

MASK = "mask"
PICTURES = (spec.HEAD, spec.WRIST, MASK)


class Sights:
    """Pictures by step, counted over the whole file as `WindowReader` counts. Not for several threads at once."""

    def __init__(self, path: Path) -> None:
        stored = has_pictures(path)
        self._reader = WindowReader(path, images=PICTURES if stored else ())
        self._stage = None if stored else _Stage(path)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """Pictures "head" and "wrist" (H, W, 3) uint8 RGB, "mask" (H, W) uint8 with 1 where the target is seen.

        Raises StorageError for what is damaged, PlaybackError for states that are not of the stored scene.
        """
        window = self._reader[index]
        return window.images if self._stage is None else self._stage.drawn(window.demo, window.step)

    def close(self) -> None:
        """Free what is open; the next picture opens it again."""
        self._reader.close()
        if self._stage is not None:
            self._stage.close()


def has_pictures(path: Path) -> bool:
    """Whether the demonstrations of a file come with pictures."""
    with h5py.File(path, "r") as file:
        return any(f"obs/{spec.HEAD}" in demo for demo in file[DATA].values())


class _Stage:
    """The scene of the demonstration that was asked for last, kept for its next step."""

    def __init__(self, path: Path) -> None:
        # Late, so that files with pictures are read without MuJoCo.
        from datagen.playback import DEFAULT_HAND, Playback

        self._file = DemoFile(path)
        hand = self._file.env_args().get("env_kwargs", {}).get("hand", DEFAULT_HAND)
        self._build: Callable[[Any], Playback] = lambda demo: Playback(demo.spec, hand)
        self._name, self._states, self._playback = "", np.empty((0, 0)), None

    def drawn(self, name: str, step: int) -> dict[str, np.ndarray]:
        if name != self._name:
            self.close()
            demo = self._file.read(name)
            self._playback, self._states, self._name = self._build(demo), demo.states, name
        self._playback.place(self._states[step])
        return {camera: self._playback.frame(camera) for camera in spec.CAMERAS} | {MASK: self._playback.mask()}

    def close(self) -> None:
        if self._playback is not None:
            self._playback.close()
        self._playback, self._name = None, ""
