"""Pictures of an episode for people: a film of three views, and a small picture of how a failure ended."""

import os
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from envs import spec
from envs.interface import EpisodeResult, Observation
from envs.rollout import Observer
from envs.sensing import Rig
from envs.sim import SimEnv

OUTSIDE = "outside"
LARGE, SMALL = (640, 480), (320, 240)  # width, height in pixels
CAPTION_HEIGHT = 32
LAST_FRAME_S = 1.5  # the film stands still this long after the hold, so that the end can be seen
THUMBNAIL_COLOURS = 96
_INK, _PAPER = (240, 240, 240), (24, 26, 30)


class VideoObserver(Observer):
    """Films an episode at the control rate: the view from outside beside what the head and wrist cameras see.

    The 20 s hold happens within one step and is not shown; the last frame stands after it. Use it as a context
    manager: the film takes its name only if the block ends well.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(f".{os.getpid()}-{path.name}")
        self._rig: Rig | None = None
        self._film: Any = None
        self._attempt = 0

    def __enter__(self) -> "VideoObserver":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # One thread: the other cores belong to other workers.
        how = ["-preset", "veryfast", "-crf", "27", "-threads", "1", "-movflags", "+faststart"]
        self._film = imageio.get_writer(
            self._unfinished, format="FFMPEG", fps=spec.CONTROL_HZ, codec="libx264", quality=None, output_params=how
        )
        return self

    def __exit__(self, fault: type[BaseException] | None, *_: object) -> None:
        self._film.close()
        if self._rig is not None:
            self._rig.close()
        if fault is None:
            os.replace(self._unfinished, self._path)
        else:
            self._unfinished.unlink(missing_ok=True)

    def on_reset(self, env: SimEnv, observation: Observation, info: dict[str, Any]) -> None:
        """Film the start of an attempt."""
        del observation, info  # Unused: the film shows the scene itself.
        if self._rig is None:
            self._rig = Rig(env.model, LARGE, (OUTSIDE, *spec.CAMERAS))
        self._attempt += 1
        self._film.append_data(self._frame(env, ""))

    def on_step(
        self, env: SimEnv, action: np.ndarray, observation: Observation, reward: float, info: dict[str, Any]
    ) -> None:
        """Film what one action led to; after the last one, hold the picture."""
        del action, observation, reward  # Unused: the film shows the scene itself.
        frame = self._frame(env, info["outcome"])
        for _ in range(round(LAST_FRAME_S * spec.CONTROL_HZ) if info["outcome"] else 1):
            self._film.append_data(frame)

    def _frame(self, env: SimEnv, outcome: str) -> np.ndarray:
        views = {OUTSIDE: self._rig.render(env.data, OUTSIDE, LARGE)}
        views |= {camera: self._rig.render(env.data, camera, SMALL) for camera in spec.CAMERAS}
        moment = f"attempt {self._attempt}   {env.progress.time_s:.1f} s   {outcome}"
        return compose(views, f"{env.instruction}   ·   {moment}")


class ThumbnailObserver(Observer):
    """Keeps a small picture of the end of each episode that was no success: from outside and from the head camera."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_end(self, env: SimEnv, result: EpisodeResult) -> None:
        """Draw the picture if the episode failed."""
        if result.success:
            return
        with Rig(env.model, SMALL, (OUTSIDE, spec.HEAD)) as rig:
            views = rig.frames(env.data)
        picture = Image.fromarray(np.concatenate([views[OUTSIDE], views[spec.HEAD]], axis=1))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(f".{os.getpid()}-{self._path.name}")
        picture.quantize(THUMBNAIL_COLOURS).save(unfinished, format="PNG", optimize=True)
        os.replace(unfinished, self._path)


def compose(views: dict[str, np.ndarray], caption: str) -> np.ndarray:
    """One (512, 960, 3) uint8 frame: outside at the left, head over wrist at the right, words below."""
    side = np.concatenate([views[camera] for camera in spec.CAMERAS], axis=0)
    pictures = np.concatenate([views[OUTSIDE], side], axis=1)
    strip = Image.new("RGB", (pictures.shape[1], CAPTION_HEIGHT), _PAPER)
    ImageDraw.Draw(strip).text((10, 6), caption, fill=_INK, font=ImageFont.load_default(size=16))
    return np.concatenate([pictures, np.asarray(strip)], axis=0)
