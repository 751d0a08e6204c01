"""Training windows: what comes out is what lies in the file, in any process, and only its own frames are read."""

import multiprocessing
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import h5py
import numpy as np
import pytest

from datagen.frames import Frames
from datagen.storage import DemoFile, StorageError
from datagen.windows import HORIZON, IMAGES, WindowReader, subset_names
from tests.demo_factory import ENV_ARGS, write_demos
from tests.scripted import digest

LENGTHS = (40, 12, 5)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("windows") / "demos.h5"
    write_demos(path, LENGTHS)
    return path


@pytest.fixture
def demos(original, tmp_path):
    """A copy that a test may damage."""
    return shutil.copy(original, tmp_path / "demos.h5")


def fingerprint(reader, indices):
    windows = [reader[int(i)] for i in indices]
    return digest(*([w.demo, w.step, w.instruction, w.images, w.box, w.state, w.actions, w.padded] for w in windows))


def test_every_step_of_every_demonstration_starts_a_window(original):
    reader = WindowReader(original)
    assert len(reader) == sum(LENGTHS)
    assert [(reader[i].demo, reader[i].step) for i in range(len(reader))] == [
        (f"demo_{10 * k}", step) for k, length in enumerate(LENGTHS) for step in range(length)
    ]
    assert (reader[-1].demo, reader[-1].step) == ("demo_20", LENGTHS[-1] - 1)
    for beyond in (len(reader), -len(reader) - 1):
        with pytest.raises(IndexError, match=str(len(reader))):
            reader[beyond]


def test_a_window_is_what_lies_in_the_file(original):
    reader, file = WindowReader(original), DemoFile(original)
    stored = {name: file.read(name) for name in file.names()}
    assert HORIZON == 64
    for window in reader.shuffled(seed=1):
        demo, step = stored[window.demo], window.step
        assert set(window.images) == set(IMAGES) == {"head", "wrist", "mask"}
        for key, picture in window.images.items():
            np.testing.assert_array_equal(picture, demo.obs[key][step], strict=True)
            assert picture.flags.writeable  # torch would object
        np.testing.assert_array_equal(window.box, demo.obs["box"][step], strict=True)
        np.testing.assert_array_equal(window.state, demo.obs["state"][step], strict=True)
        rows = np.arange(step, step + HORIZON)
        kept = demo.actions[np.minimum(rows, len(demo.actions) - 1)]
        np.testing.assert_array_equal(window.actions, kept, strict=True)
        np.testing.assert_array_equal(window.padded, rows >= len(demo.actions), strict=True)
        assert window.instruction == demo.instruction


def test_changing_a_window_leaves_the_next_one_alone(original):
    reader = WindowReader(original)
    before = fingerprint(reader, [7])
    window = reader[7]
    for values in (window.box, window.state, window.actions, window.padded, *window.images.values()):
        values[...] = 1
    assert fingerprint(reader, [7]) == before


def test_the_order_follows_from_the_seed(original):
    reader = WindowReader(original)
    order = reader.order(seed=3)
    assert sorted(order) == list(range(len(reader)))
    np.testing.assert_array_equal(order, WindowReader(original).order(seed=3))
    assert not np.array_equal(order, reader.order(seed=4))
    assert not np.array_equal(order, reader.order(seed=3, epoch=1))
    assert [w.step for w in reader.shuffled(3)] == [reader[int(i)].step for i in order]


def test_what_went_wrong_on_purpose_is_not_among_the_shuffled(demos):
    with h5py.File(demos, "r+") as file:
        wrong = file["data/demo_10/imitate"]
        wrong[:5] = False
        del file["data/demo_20/imitate"]  # as in files from before there was such a column
    reader = WindowReader(demos)
    first = LENGTHS[0]
    assert np.flatnonzero(~reader.imitate).tolist() == list(range(first, first + 5))
    assert len(reader) == sum(LENGTHS)
    assert (reader[first].demo, reader[first].step) == ("demo_10", 0)
    assert sorted(reader.order(seed=3)) == np.flatnonzero(reader.imitate).tolist()
    assert min(w.step for w in reader.shuffled(3) if w.demo == "demo_10") == 5
    rewritten = DemoFile(demos)
    assert rewritten.read("demo_20").imitate.all()
    assert rewritten.read("demo_10").imitate.tolist() == [False] * 5 + [True] * (LENGTHS[1] - 5)


def test_subsets_horizon_and_images_are_chosen(original):
    reader = WindowReader(original, horizon=2, images=("wrist",), subset="valid")
    assert reader.demos == ["demo_10"] == subset_names(original, "valid")
    assert len(reader) == LENGTHS[1]
    assert reader[0].actions.shape == (2, 13)
    assert set(reader[0].images) == {"wrist"}
    with pytest.raises(StorageError, match="no subset 'test'; there are train, valid"):
        WindowReader(original, subset="test")
    with pytest.raises(ValueError, match="horizon 0"):
        WindowReader(original, horizon=0)


def test_a_window_reads_its_own_frames_and_nothing_else(demos, monkeypatch):
    rechunked(demos, "mask", chunks=True)
    reader, read, real = WindowReader(demos), [], os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: read.append((offset, size)) or real(fd, size, offset))
    reader[3]
    with h5py.File(demos) as file:
        datasets = [file[f"data/demo_0/obs/{key}"] for key in IMAGES]
        chunks = [data.id.get_chunk_info_by_coord((3,) + (0,) * (data.ndim - 1)) for data in datasets]
    assert read == [(chunk.byte_offset, chunk.size) for chunk in chunks]


def rechunked(path, key, **how):
    """Store a picture of every demonstration in another way. chunks=True: one frame to a chunk."""
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            values = demo[f"obs/{key}"][()]
            del demo[f"obs/{key}"]
            settings = how | ({"chunks": (1, *values.shape[1:])} if how.get("chunks") is True else {})
            demo.create_dataset(f"obs/{key}", data=values, **settings)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"chunks": True},
        {"chunks": True, "compression": "gzip", "shuffle": True},
        {"chunks": True, "compression": "lzf"},
        {"chunks": True, "compression": "gzip", "fletcher32": True},
        {"chunks": (3, 48, 64, 3), "compression": "gzip"},
    ],
    ids=["contiguous", "raw chunks", "shuffled", "lzf", "checksum", "three frames"],
)
def test_frames_stored_in_another_way_are_the_same(original, demos, how):
    rechunked(demos, "head", **how)
    everything = range(sum(LENGTHS))
    assert fingerprint(WindowReader(demos), everything) == fingerprint(WindowReader(original), everything)


def test_frames_stored_as_jpeg_are_decoded_as_storage_decodes_them(original, tmp_path):
    demo, path = DemoFile(original).read("demo_0"), tmp_path / "jpeg.h5"
    packed = {key: Frames.pack(demo.obs[key], demo.obs[key].shape[1:], jpeg_quality=95) for key in ("head", "wrist")}
    file = DemoFile(path)
    file.write(replace(demo, obs={**demo.obs, **packed}))
    file.finish(ENV_ARGS)
    again, window = file.read("demo_0"), WindowReader(path)[9]
    for key in IMAGES:
        np.testing.assert_array_equal(window.images[key], again.obs[key][9], strict=True)
    assert window.images["head"].flags.writeable
    assert not np.array_equal(window.images["head"], demo.obs["head"][9])


def _in_child(reader, indices, out):
    out.put(fingerprint(reader, indices))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("read_before", [False, True])
def test_a_reader_works_in_other_processes(original, method, read_before):
    reader, indices = WindowReader(original), list(range(0, 57, 5))
    if read_before:
        fingerprint(reader, indices)
    context = multiprocessing.get_context(method)
    out = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(reader, indices, out))
    child.start()
    there = out.get()
    child.join()
    assert child.exitcode == 0
    assert there == fingerprint(reader, indices)  # and the child's end has closed nothing here


def test_a_reader_works_in_threads_after_pickling_and_after_closing(original):
    reader, indices = WindowReader(original), list(range(57))
    wanted = fingerprint(reader, indices)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: fingerprint(reader, indices), range(8))) == {wanted}
    assert fingerprint(pickle.loads(pickle.dumps(reader)), indices) == wanted
    reader.close()
    reader.close()
    assert fingerprint(reader, indices) == wanted


def edited(path, edit):
    with h5py.File(path, "r+") as file:
        edit(file)


def shorten(key):
    def edit(file):
        values = file[f"data/demo_10/{key}"][:-1]
        del file[f"data/demo_10/{key}"]
        file[f"data/demo_10/{key}"] = values

    return edit


def forget(key):
    def edit(file):
        del file[f"data/demo_10/{key}"]

    return edit


DAMAGE = {
    "no actions": (forget("actions"), "demo_10: 'actions' is missing"),
    "no state": (forget("obs/state"), "demo_10: 'obs/state' is missing"),
    "no head": (forget("obs/head"), "demo_10: 'obs/head' is missing"),
    "short state": (shorten("obs/state"), "demo_10: 'obs/state' has shape"),
    "short head": (shorten("obs/head"), "demo_10: 'obs/head' has 11 rows, actions has 12"),
    "short box": (shorten("obs/box"), "demo_10: 'obs/box' has shape"),
    "no instruction": (lambda f: f["data/demo_10"].attrs.pop("instruction"), "demo_10: attribute 'instruction'"),
    "another format": (
        lambda f: f["data"].attrs.modify("format", "other/2"),
        "has format 'other/2'; this version reads",
    ),
    "no format": (lambda f: f["data"].attrs.pop("format"), "has format 'none at all'"),
    "no data": (lambda f: f.move("data", "other"), "has no group 'data'"),
    "subset of strangers": (lambda f: f.move("data/demo_0", "data/demo_7"), "demo_0: a subset names it"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_file_says_what_is_wrong_and_where(demos, what):
    edit, says = DAMAGE[what]
    edited(demos, edit)
    with pytest.raises(StorageError, match=says) as raised:
        WindowReader(demos, subset="train" if "subset" in what else None)
    assert str(demos) in str(raised.value)


def test_a_frame_that_is_damaged_says_so_when_it_is_read(demos):
    with h5py.File(demos) as file:
        chunk = file["data/demo_10/obs/wrist"].id.get_chunk_info_by_coord((4, 0, 0, 0))
    with open(demos, "r+b") as file:
        file.seek(chunk.byte_offset + chunk.size // 2)
        file.write(b"\xff" * (chunk.size // 4))
    reader = WindowReader(demos)
    reader[LENGTHS[0] + 3]
    with pytest.raises(StorageError, match=r"demos\.h5, demo_10: 'obs/wrist' cannot be read at step 4"):
        reader[LENGTHS[0] + 4]


def test_a_file_that_was_cut_or_is_none_says_so(demos):
    reader = WindowReader(demos)
    os.truncate(demos, 2000)
    with pytest.raises(StorageError, match="cannot be read at step 0"):
        reader[0]
    for path, says in ((demos, "damaged"), (demos.parent / "none.h5", "does not exist")):
        with pytest.raises(StorageError, match=says):
            WindowReader(path)
