"""Compressed pictures: lossless ones for any reader, JPEG ones as small as the quality allows."""

import io
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image

from datagen import frames
from datagen.frames import Frames
from datagen.sight import psnr_db

SHAPE = (120, 160, 3)


def scene(seed: int) -> np.ndarray:
    """A picture as renderers make them: plain ground, a gradient and a few hard edges."""
    rng = np.random.default_rng(seed)
    picture = np.full(SHAPE, (205, 206, 200), np.uint8)
    picture[60:] = (np.linspace(90, 160, SHAPE[1])[None, :, None] + rng.integers(0, 30, 3)).astype(np.uint8)
    for _ in range(6):
        top, left = rng.integers(0, 90), rng.integers(0, 120)
        picture[top : top + 30, left : left + 20] = rng.integers(90, 200, 3)
    return picture


FILM = np.stack([scene(seed) for seed in range(4)])


@pytest.mark.parametrize("fast", [True, False])
def test_lossless_frames_are_zlib_streams_whoever_writes_them(monkeypatch, tmp_path, fast):
    if fast:
        pytest.importorskip("deflate")
    else:
        monkeypatch.setattr(frames, "deflate", None)
    packed = Frames.pack(iter(FILM), SHAPE)
    assert packed.shape == FILM.shape
    assert not packed.is_jpeg
    for chunk, picture in zip(packed.chunks, FILM, strict=True):
        assert zlib.decompress(chunk) == picture.tobytes()
        assert len(chunk) < 0.1 * picture.nbytes
    with h5py.File(tmp_path / "film.h5", "w") as file:
        packed.put(file, "head")
    with h5py.File(tmp_path / "film.h5") as file:
        assert file["head"].chunks == (1, *SHAPE)
        assert file["head"].compression == "gzip"
        np.testing.assert_array_equal(file["head"][()], FILM)


def test_jpeg_frames_come_back_nearly_as_they_were(tmp_path):
    packed = Frames.pack(iter(FILM), SHAPE, 95)
    assert packed.is_jpeg
    with h5py.File(tmp_path / "film.h5", "w") as file:
        packed.put(file, "head")
    with h5py.File(tmp_path / "film.h5") as file:
        stored = file["head"]
        assert stored.attrs["encoding"] == "jpeg"
        assert stored.attrs["quality"] == 95
        assert tuple(stored.attrs["shape"]) == FILM.shape
        back = Frames.decoded(stored[()])
    assert back.shape == FILM.shape
    assert back.dtype == np.uint8
    assert min(psnr_db(a, b) for a, b in zip(back, FILM, strict=True)) > 35


def test_jpeg_is_progressive_with_halved_colour_and_the_tables_of_its_quality():
    for chunk, picture in zip(Frames.pack(iter(FILM), SHAPE, 95).chunks, FILM, strict=True):
        image, plain = Image.open(io.BytesIO(chunk)), io.BytesIO()
        Image.fromarray(picture).save(plain, "JPEG", quality=95)
        assert image.info["progressive"]
        assert [layer[1:3] for layer in image.layer] == [(2, 2), (1, 1), (1, 1)]
        assert image.quantization == Image.open(plain).quantization
        np.testing.assert_array_equal(np.asarray(image), np.asarray(Image.open(plain)))
        assert len(chunk) < 0.95 * len(plain.getvalue())


def test_less_quality_is_less_data():
    sizes = [sum(map(len, Frames.pack(iter(FILM), SHAPE, quality).chunks)) for quality in (60, 80, 90, 95, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.7 * sizes[3]
