"""Demonstration files: the layout robomimic reads, whole episodes or none, errors that name the place."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

from datagen.storage import Demo, DemoFile, StorageError

ENV_ARGS = {"env_name": "DexClutter/Grasp-v0", "env_version": "1", "type": 2, "env_kwargs": {"obs_mode": "state"}}


def make_demo(index: int, steps: int = 5) -> Demo:
    rng = np.random.default_rng(index)
    return Demo(
        suite="unseen_objects",
        index=index,
        instruction="pick up the small green mug – links",
        success=True,
        actions=rng.random((steps, 13), dtype=np.float32),
        states=rng.random((steps, 31)),
        rewards=np.zeros(steps, np.float32),
        dones=np.arange(steps) == steps - 1,
        obs={
            "state": rng.random((steps, 13), dtype=np.float32),
            "head": rng.integers(0, 255, (steps, 6, 8, 3), np.uint8),
        },
        spec={"index": index, "objects": ["mug"]},
        versions={"mujoco": "4.0.0"},
    )


def assert_same(a: Demo, b: Demo) -> None:
    for key in ("suite", "index", "instruction", "success", "spec", "versions"):
        assert getattr(a, key) == getattr(b, key), key
    for key in ("actions", "states", "rewards", "dones"):
        np.testing.assert_array_equal(getattr(a, key), getattr(b, key), strict=True)
    assert a.obs.keys() == b.obs.keys()
    for key in a.obs:
        np.testing.assert_array_equal(a.obs[key], b.obs[key], strict=True)


def test_what_is_written_is_read_before_and_after_joining(tmp_path):
    file = DemoFile(tmp_path / "demos.h5")
    demos = [make_demo(10, steps=4), make_demo(2, steps=7)]
    for demo in demos:
        file.write(demo)
        assert_same(file.read(demo.name), demo)
    assert file.finish(ENV_ARGS) == 2
    assert file.names() == ["demo_2", "demo_10"]
    assert file.env_args() == ENV_ARGS
    for demo in demos:
        assert_same(file.read(demo.name), demo)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["demos.h5"]


def test_the_layout_is_that_of_robomimic(tmp_path):
    path = tmp_path / "demos.h5"
    file = DemoFile(path)
    file.write(make_demo(0, steps=3))
    file.write(make_demo(1, steps=4))
    file.finish(ENV_ARGS, masks={"train": ["demo_0"], "valid": ["demo_1"]})
    with h5py.File(path) as raw:
        assert raw["data"].attrs["total"] == 7
        assert json.loads(raw["data"].attrs["env_args"])["type"] == 2
        demo = raw["data/demo_1"]
        assert demo.attrs["num_samples"] == 4
        assert demo["actions"].shape == (4, 13)
        assert demo["states"].shape == (4, 31)
        assert demo["obs/head"].chunks == (1, 6, 8, 3)
        assert [name.decode() for name in raw["mask/train"][:]] == ["demo_0"]


def test_finishing_again_keeps_replaces_and_adds(tmp_path):
    file = DemoFile(tmp_path / "demos.h5")
    file.write(make_demo(0))
    file.write(make_demo(1))
    file.finish(ENV_ARGS)
    again = replace(make_demo(1), instruction="another")
    file.write(again)
    file.write(make_demo(2))
    assert file.finish(ENV_ARGS) == 3
    assert_same(file.read("demo_0"), make_demo(0))
    assert_same(file.read("demo_1"), again)


def test_a_writer_killed_in_mid_episode_leaves_no_episode_and_no_damage(tmp_path):
    file = DemoFile(tmp_path / "demos.h5")
    file.write(make_demo(0))
    file.finish(ENV_ARGS)
    file.write(make_demo(1))
    code = (
        "import os, signal, sys, h5py; from datagen import storage; from test_datagen_storage import make_demo\n"
        "storage.h5py.Group.create_dataset = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        "storage.DemoFile(sys.argv[1]).write(make_demo(2))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", code, str(file.path)], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert file.names() == ["demo_0", "demo_1"]
    assert file.finish(ENV_ARGS) == 2
    assert_same(file.read("demo_1"), make_demo(1))


def test_columns_of_different_length_are_refused(tmp_path):
    broken = replace(make_demo(3), rewards=np.zeros(2, np.float32))
    with pytest.raises(StorageError, match="demo_3: 'rewards' has 2 rows, actions has 5"):
        DemoFile(tmp_path / "demos.h5").write(broken)
    assert not list(tmp_path.rglob("*.h5"))


def test_unknown_names_are_refused(tmp_path):
    file = DemoFile(tmp_path / "demos.h5")
    file.write(make_demo(0))
    with pytest.raises(StorageError, match="mask 'train': there is no episode 'demo_9'"):
        file.finish(ENV_ARGS, masks={"train": ["demo_9"]})
    file.finish(ENV_ARGS)
    with pytest.raises(StorageError, match="holds no episode demo_7; there are demo_0"):
        file.read("demo_7")


def spoil_text(path):
    path.write_text("not HDF5 at all")


def spoil_tail(path):
    path.write_bytes(path.read_bytes()[:-200])


def spoil_missing_column(path):
    with h5py.File(path, "a") as raw:
        del raw["data/demo_0/rewards"]


def spoil_attribute(path):
    with h5py.File(path, "a") as raw:
        del raw["data/demo_0"].attrs["spec"]


def spoil_length(path):
    with h5py.File(path, "a") as raw:
        raw["data/demo_0"].attrs["num_samples"] = 99


def spoil_pixels(path):
    with h5py.File(path, "r") as raw:
        chunk = raw["data/demo_0/obs/head"].id.get_chunk_info(1)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)


def spoil_foreign(path):
    with h5py.File(path, "w") as raw:
        raw["something"] = 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_text, "no HDF5 file"),
        (spoil_tail, "no HDF5 file, or a damaged one"),
        (spoil_missing_column, "demo_0: 'rewards' is missing"),
        (spoil_attribute, "demo_0: attribute 'spec' is missing"),
        (spoil_length, "demo_0: num_samples is 99, actions has 5"),
        (spoil_pixels, "demo_0: 'obs/head' cannot be read"),
        (spoil_foreign, "holds no episode demo_0|no group 'data'"),
    ],
)
def test_a_foreign_or_damaged_file_is_named_with_episode_and_key(tmp_path, spoil, message):
    path = tmp_path / "demos.h5"
    file = DemoFile(path)
    file.write(make_demo(0))
    file.finish(ENV_ARGS)
    spoil(path)
    with pytest.raises(StorageError, match=message) as caught:
        file.read("demo_0")
    assert str(path) in str(caught.value)


def test_a_foreign_file_is_never_overwritten(tmp_path):
    path = tmp_path / "demos.h5"
    spoil_foreign(path)
    file = DemoFile(path)
    file.write(make_demo(0))
    with pytest.raises(StorageError, match="no group 'data'"):
        file.finish(ENV_ARGS)
    with h5py.File(path) as raw:
        assert raw["something"][()] == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("index", "abc"), ("spec", "{"), ("phrasings", 3), ("num_samples", [1, 2]), ("success", [1, 2])],
)
def test_a_damaged_attribute_is_named_with_its_file(tmp_path, key, value):
    path = tmp_path / "demos.h5"
    file = DemoFile(path)
    file.write(make_demo(0))
    file.finish({})
    with h5py.File(path, "r+") as raw:
        raw["data/demo_0"].attrs[key] = value
    file.discard_parts()
    with pytest.raises(StorageError, match=rf"demos\.h5, demo_0: '{key}' cannot be read"):
        file.read("demo_0")


def test_random_bytes_never_raise_anything_but_a_storage_error(tmp_path):
    path = tmp_path / "demos.h5"
    file = DemoFile(path)
    file.write(make_demo(0))
    file.finish({})
    file.discard_parts()
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(120):
        damaged = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 40_000), size=4):
            damaged[at : at + 8] = rng.bytes(8)
        path.write_bytes(damaged[: len(whole)])
        try:
            file.read("demo_0")
            file.env_args()
        except StorageError:
            refused += 1
    assert refused > 10
