"""The benchmark of the window reader: it measures what it says, on a file like the real one."""

import json

import h5py
import numpy as np
import pytest

from benchmarks.speed import windows
from benchmarks.speed.windows import Loader, Options, Rate, fabricate, main, measure, report
from datagen.storage import DemoFile
from datagen.windows import WindowReader


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    made = tmp_path_factory.mktemp("speed") / "demos.h5"
    fabricate(made, demos=5, steps=20, scenes=1, size=(32, 24))
    return made


def test_the_file_that_is_made_is_one_of_demonstrations(path):
    file, reader = DemoFile(path), WindowReader(path)
    assert len(file.names()) == 5
    assert len(reader) == 100
    demo = file.read("demo_4")
    assert demo.obs["head"].shape == (20, 24, 32, 3)
    assert len(np.unique(demo.obs["head"], axis=0)) > 1  # it moves
    assert demo.actions.std(axis=0).max() > 0.01
    with h5py.File(path) as opened:
        places = {g["obs/head"].id.get_chunk_info(0).byte_offset for g in opened["data"].values()}
        assert len(places) == 5  # repeated content, but stored as often
        assert opened["data"].attrs["total"] == 100


def test_rates_follow_from_the_time_that_reading_takes(path, monkeypatch):
    clock = [0.0]

    def reading(seconds):
        return lambda index: clock.__setitem__(0, clock[0] + seconds)

    monkeypatch.setattr(windows.time, "process_time", lambda: clock[0])
    monkeypatch.setattr(windows.time, "perf_counter", lambda: 2 * clock[0])
    monkeypatch.setattr(windows, "_ours", lambda path, images: Loader("ours", reading(0.01), 100, 0.5))
    monkeypatch.setattr(windows, "_robomimic", lambda path: [Loader("theirs", reading(0.04), 100, 0.1, 0.1)])
    ours, theirs = measure(path, blocks=3, windows=20)
    assert (ours.name, theirs.name) == ("ours", "theirs")
    np.testing.assert_allclose([ours.per_cpu_s, ours.per_wall_s, ours.open_s], [100, 50, 0.5])
    np.testing.assert_allclose([theirs.per_cpu_s, theirs.per_wall_s], [25, 12.5])
    table = report([ours, theirs], "title")
    assert list(table.columns[-1].cells) == ["1.00", "4.00"]


@pytest.mark.parametrize(("theirs", "code"), [(30.0, None), (40.0, 1)])
def test_the_exit_code_tells_whether_the_bar_is_reached(path, tmp_path, monkeypatch, capsys, theirs, code):
    rates = [Rate("ours", 100.0, 100.0, 0.1), Rate("theirs", theirs, theirs, 0.1)]
    monkeypatch.setattr(windows, "measure", lambda *_: rates)
    options = Options(file=path, out=tmp_path / "rates.json")
    if code is None:
        assert main(options) == rates
    else:
        with pytest.raises(SystemExit, match=str(code)):
            main(options)
    assert "theirs" in capsys.readouterr().out
    assert json.loads((tmp_path / "rates.json").read_text())[1]["per_cpu_s"] == theirs


def test_our_own_rate_is_measured_without_robomimic(path, monkeypatch):
    monkeypatch.setattr(windows, "_robomimic", lambda path: [])
    (rate,) = measure(path, blocks=1, windows=3)
    assert rate.per_cpu_s > 0
