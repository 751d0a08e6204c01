"""A demonstration as a film: head, wrist and mask beside each other, joint curves below."""

import os
from collections.abc import Callable
from pathlib import Path

import imageio.v2 as imageio

from datagen import panels
from datagen.recording import Recording
from datagen.reel import Reel
from envs import spec

WIDTH = 960  # px


def write_film(reel: Reel, path: Path, show: Callable[[int, int], None] = lambda *_: None) -> None:
    """Write an H.264 film at the control rate; it takes its name only when it is whole. show(done, of) hears of it.

    `reel` should have curves of `WIDTH` pixels.
    """
    unfinished = path.with_name(f".{os.getpid()}-{path.name}")
    how = ["-preset", "veryfast", "-crf", "23", "-movflags", "+faststart"]
    facts = reel.demo.attributes
    name = title(reel.demo)
    try:
        with imageio.get_writer(
            unfinished, format="FFMPEG", fps=spec.CONTROL_HZ, codec="libx264", quality=None, macro_block_size=2,
            output_params=how,
        ) as film:  # fmt: skip
            for step in range(reel.steps):
                now = reel.moment(step)
                caption = f"{name}   {facts['instruction']}   ·   {now.time_s:.2f} s   {now.phase}"
                film.append_data(panels.mosaic((now.head, now.wrist, now.overlay), now.curves, caption, WIDTH))
                show(step + 1, reel.steps)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def title(demo: Recording) -> str:
    """The name of a demonstration, marked where it is a failure."""
    return demo.name if demo.attributes["success"] else f"{demo.name} (failed: {demo.attributes['outcome']})"
