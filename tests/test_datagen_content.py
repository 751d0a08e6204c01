"""The content hash sees every number and name, and nothing of how they are stored."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from test_datagen_storage import ENV_ARGS, make_demo

from datagen import frames
from datagen.content import content_hash
from datagen.frames import Frames
from datagen.storage import Demo, DemoFile


def written(path, *demos: Demo):
    file = DemoFile(path)
    for demo in demos:
        file.write(demo)
    file.finish(ENV_ARGS, masks={"train": ["demo_0"]}, attributes={"asked": json.dumps({"seed": 0})})
    return path


def test_order_compression_and_versions_do_not_count(tmp_path):
    one = written(tmp_path / "a.h5", make_demo(0), make_demo(1))
    head = make_demo(0).obs["head"]
    packed = replace(make_demo(0), obs={**make_demo(0).obs, "head": Frames.pack(head, head.shape[1:])})
    two = written(tmp_path / "b.h5", make_demo(1), replace(packed, versions={"mujoco": "5"}))
    assert content_hash(one) == content_hash(two)


def spoil_pixel(raw):
    raw["data/demo_1/obs/head"][2, 3, 4, 1] ^= 1


def spoil_state(raw):
    raw["data/demo_0/states"][0, 0] += 1e-12


def spoil_word(raw):
    raw["data/demo_0"].attrs["instruction"] = "pick up another"


def spoil_setting(raw):
    raw["data"].attrs["asked"] = json.dumps({"seed": 1})


def spoil_name(raw):
    raw.move("data/demo_1", "data/demo_2")


def spoil_mask(raw):
    raw["mask/train"][0] = "demo_1"


def spoil_kind(raw):
    values = raw["data/demo_0/rewards"][()]
    del raw["data/demo_0/rewards"]
    raw["data/demo_0/rewards"] = values.astype(np.float64)


@pytest.mark.parametrize(
    "spoil", [spoil_pixel, spoil_state, spoil_word, spoil_setting, spoil_name, spoil_mask, spoil_kind]
)
def test_any_change_of_content_counts(tmp_path, spoil):
    path = written(tmp_path / "a.h5", make_demo(0), make_demo(1))
    before = content_hash(path)
    with h5py.File(path, "a") as raw:
        spoil(raw)
    assert content_hash(path) != before


@pytest.mark.parametrize("libdeflate", [True, False])
def test_lossless_frames_come_back_to_the_bit_through_plain_hdf5(tmp_path, monkeypatch, libdeflate):
    if libdeflate:
        pytest.importorskip("deflate", reason="the package `deflate` is an extra")
    else:
        monkeypatch.setattr(frames, "deflate", None)
    film = np.random.default_rng(0).integers(0, 255, (4, 12, 16, 3), np.uint8)
    film[:, 4:] = 7
    with h5py.File(tmp_path / "film.h5", "w") as raw:
        Frames.pack(film, film.shape[1:]).put(raw, "obs/head")
    with h5py.File(tmp_path / "film.h5") as raw:
        array = raw["obs/head"]
        np.testing.assert_array_equal(array[()], film, strict=True)
        assert array.chunks == (1, 12, 16, 3)
        assert array.compression == "gzip"


def test_jpeg_frames_are_smaller_and_nearly_the_same(tmp_path):
    slope = np.linspace(0, 255, 64)[None, :, None] * np.ones((48, 1, 3))
    film = np.stack([np.roll(slope, k, axis=1) for k in range(3)]).astype(np.uint8)
    demo = replace(make_demo(0, steps=3), obs={"head": Frames.pack(film, film.shape[1:], 95)})
    file = DemoFile(written(tmp_path / "a.h5", demo))
    with h5py.File(file.path) as raw:
        array = raw["data/demo_0/obs/head"]
        assert (array.attrs["encoding"], array.attrs["quality"]) == ("jpeg", 95)
        assert array.attrs["shape"].tolist() == [3, 48, 64, 3]
        assert raw["data/demo_0"].attrs["image_compression"] == "jpeg"
        assert bytes(array[0])[:2] == b"\xff\xd8"
    seen = file.read("demo_0").obs["head"]
    assert seen.shape == film.shape
    assert np.abs(seen.astype(int) - film).mean() < 4
