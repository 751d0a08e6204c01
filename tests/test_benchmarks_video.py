"""Films and thumbnails: whole files or none, with the right views in the right places."""

import subprocess
from dataclasses import replace

import imageio_ffmpeg
import numpy as np
import pytest
from fake_episodes import fake_result
from PIL import Image

from benchmarks.evaluate import Plan
from benchmarks.video import LARGE, LAST_FRAME_S, SMALL, ThumbnailObserver, VideoObserver, compose
from envs import spec
from envs.sim import SimEnv

RESULT = fake_result(Plan("seen_objects", 1, "expert", "g0r"), 0, "missed")


@pytest.fixture(scope="module")
def env():
    world = SimEnv(suite="seen_objects")
    world.reset(seed=0, options={"index": 0})
    return world


class UnspeakableWord(str):
    """Breaks whatever draws it."""

    def __format__(self, _):
        raise ValueError("cannot be drawn")


def film(env, path, ends=("", "", "missed")):
    with VideoObserver(path) as observer:
        observer.on_reset(env, {}, {})
        for outcome in ends:
            observer.on_step(env, np.zeros(13), {}, 0.0, {"outcome": outcome})


def decoded(path) -> np.ndarray:
    """All frames of a film, (N, 512, 960, 3)."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, 512, 960, 3)


def test_a_film_has_a_frame_per_step_and_stands_still_at_the_end(env, tmp_path):
    path = tmp_path / "media" / "film.mp4"
    film(env, path)
    count = 1 + 2 + round(LAST_FRAME_S * spec.CONTROL_HZ)
    assert imageio_ffmpeg.count_frames_and_secs(path) == (count, pytest.approx(count / spec.CONTROL_HZ, abs=0.01))
    frames = decoded(path)
    assert len(frames) == count
    outside = frames[0][:480, :640].astype(int)
    assert abs(outside - env.picture("outside").astype(int)).mean() < 6  # what a lossy codec leaves
    assert [p.name for p in path.parent.iterdir()] == ["film.mp4"]


def test_a_fault_while_filming_leaves_no_file(env, tmp_path):
    with pytest.raises(ValueError, match="cannot be drawn"):
        film(env, tmp_path / "film.mp4", ends=("", UnspeakableWord()))
    assert list(tmp_path.iterdir()) == []


def test_views_and_words_have_their_places():
    grey = {"outside": 50, "head": 100, "wrist": 150}
    sizes = {"outside": LARGE, "head": SMALL, "wrist": SMALL}
    views = {name: np.full((sizes[name][1], sizes[name][0], 3), grey[name], np.uint8) for name in grey}
    frame = compose(views, "pick up the mug")
    assert frame.shape == (512, 960, 3)
    assert (frame[:480, :640] == 50).all()
    assert (frame[:240, 640:] == 100).all()
    assert (frame[240:480, 640:] == 150).all()
    assert frame[480:].max() > 200
    assert (compose(views, "")[480:].max(axis=(0, 1)) < 40).all()


def test_only_failures_leave_a_thumbnail(env, tmp_path):
    path = tmp_path / "media" / "000000.png"
    ThumbnailObserver(path).on_end(env, replace(RESULT, success=True))
    assert not path.parent.exists()
    ThumbnailObserver(path).on_end(env, RESULT)
    with Image.open(path) as picture:
        assert picture.size == (2 * SMALL[0], SMALL[1])
        assert picture.convert("L").getextrema()[1] > 100
    assert path.stat().st_size < 40_000
