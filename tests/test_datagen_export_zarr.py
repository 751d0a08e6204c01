"""The zarr export: the layout that the published loader wants, to the bit, and whole whatever interrupts it."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datagen.export.__main__ import main
from datagen.export.source import ExportError, Source
from datagen.export.zarr_store import JOURNAL, export_zarr
from datagen.storage import DemoFile
from envs import spec
from tests.demo_factory import ENV_ARGS, write_demos
from tests.scripted import digest

zarr = pytest.importorskip("zarr", reason="the zarr export is an extra: pip install 'dexclutter[export]'")

LENGTHS = (9, 4, 6)


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    path = tmp_path_factory.mktemp("zarr") / "demos.h5"
    write_demos(path, LENGTHS)
    return path


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_layout_is_the_published_one(demos, tmp_path):
    out = tmp_path / "out.zarr"
    summary = export_zarr(Source.open(demos), out)
    assert (summary.episodes, summary.rows, summary.resumed) == (3, 19, 0)
    assert not list(out.rglob("zarr.json"))  # that would be format 3
    assert not list(out.rglob("*.jsonl"))
    layout = {}
    for path in out.rglob(".zarray"):
        array = json.loads(path.read_text())
        name = path.parent.relative_to(out).as_posix()
        layout[name] = (tuple(array["shape"]), array["dtype"], array["zarr_format"], array["chunks"][0], array["order"])
        compressor = array["compressor"] or {"id": None}
        assert compressor["id"] in ("blosc", None), name  # codecs that zarr 2.12 brings with it
        assert array["filters"] is None
    assert layout == {
        "data/action": ((19, 13), "<f4", 2, 4096, "C"),
        "data/right_state": ((19, 13), "<f4", 2, 4096, "C"),
        "data/rgbm": ((19, 48, 64, 4), "|u1", 2, 1, "C"),
        "data/right_cam_img": ((19, 48, 64, 3), "|u1", 2, 1, "C"),
        "meta/episode_ends": ((3,), "<i8", 2, 3, "C"),
    }


def test_the_content_is_that_of_the_demonstrations(demos, tmp_path):
    out = tmp_path / "out.zarr"
    export_zarr(Source.open(demos), out)
    group, file = zarr.open_group(str(out), mode="r"), DemoFile(demos)
    stored = [file.read(name) for name in file.names()]
    assert group["meta/episode_ends"][:].tolist() == np.cumsum(LENGTHS).tolist()
    wanted = {
        "action": np.concatenate([demo.actions for demo in stored]),
        "right_state": np.concatenate([demo.obs["state"] for demo in stored]),
        "right_cam_img": np.concatenate([demo.obs["wrist"] for demo in stored])[..., ::-1],
    }
    for name, values in wanted.items():
        np.testing.assert_array_equal(group[f"data/{name}"][:], values, strict=True)
    head = np.concatenate([demo.obs["head"] for demo in stored])
    np.testing.assert_array_equal(group["data/rgbm"][..., 0], head[..., 2])  # blue first
    np.testing.assert_array_equal(group["data/rgbm"][..., 2], head[..., 0])
    mask = group["data/rgbm"][..., 3]
    np.testing.assert_array_equal(mask, np.concatenate([demo.obs["mask"] for demo in stored]))
    assert set(np.unique(mask)) == {0, 1}


def test_units_names_and_instructions_stand_in_the_attributes(demos, tmp_path):
    out = tmp_path / "out.zarr"
    export_zarr(Source.open(demos, "valid"), out)
    attributes = json.loads((out / ".zattrs").read_text())
    for key, says in (("data/action", "commanded"), ("data/right_state", "measured")):
        numbers = attributes[key]
        assert numbers["names"] == list(spec.ACTION_NAMES)
        assert len(numbers["unit"]) == len(numbers["scale"]) == 13
        assert (numbers["unit"][1], numbers["scale"][1]) == ("rad / scale", 2.268)
        assert says in numbers["meaning"]
    assert attributes["control_hz"] == 20
    assert attributes["data/rgbm"]["channels"] == ["blue", "green", "red", "mask"]
    (episode,) = attributes["episodes"]
    demo = DemoFile(demos).read("demo_10")
    assert (episode["demo"], episode["suite_index"], episode["instruction"]) == ("demo_10", 10, demo.instruction)
    for word in ("target", "expression", "family", "outcome", "recovery", "suite"):
        assert episode[word] == getattr(demo, word)
    assert episode["phrasings"] == list(demo.phrasings)


def content(folder):
    """Names of all files, attributes, and the values of all arrays."""
    group = zarr.open_group(str(folder), mode="r")
    arrays = {f"{name}/{key}": a[:] for name in ("data", "meta") for key, a in group[name].arrays()}
    return sorted(files(folder)), dict(group.attrs), digest(arrays)


class Stop(Exception):
    pass


def stopper(at):
    def progress(done, total):
        assert total == 3
        if done == at:
            raise Stop

    return progress


@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_interrupted_export_goes_on_to_the_same_result(demos, tmp_path, at):
    out, whole = tmp_path / "out.zarr", tmp_path / "whole.zarr"
    export_zarr(Source.open(demos), whole)
    with pytest.raises(Stop):
        export_zarr(Source.open(demos), out, progress=stopper(at))
    assert not out.exists()
    partial = tmp_path / "out.zarr.partial"
    # Killed in the middle of the next episode: rows that no line of the journal covers, and half a line.
    group = zarr.open_group(str(partial), mode="r+", zarr_format=2)
    group["data/action"].append(np.ones((2, 13), np.float32))
    group["data/rgbm"].append(np.ones((1, 48, 64, 4), np.uint8))
    (partial / "data/rgbm/9.0.0.0.5f3a.partial").write_bytes(b"half a frame")
    with (partial / JOURNAL).open("a") as journal:
        journal.write('{"end": 99')
    summary = export_zarr(Source.open(demos), out)
    assert (summary.episodes, summary.resumed) == (3, at)
    assert content(out) == content(whole)
    assert not partial.exists()


def test_what_another_file_left_behind_is_not_gone_on_with(demos, tmp_path):
    other = tmp_path / "demos.h5"
    write_demos(other, (7, 7, 7))
    out = tmp_path / "out.zarr"
    with pytest.raises(Stop):
        export_zarr(Source.open(other), out, progress=stopper(2))
    assert export_zarr(Source.open(demos), out).resumed == 0
    assert zarr.open_group(str(out), mode="r")["meta/episode_ends"][:].tolist() == [9, 13, 19]


def test_an_export_is_replaced_only_on_request(demos, tmp_path):
    out = tmp_path / "out.zarr"
    export_zarr(Source.open(demos, "valid"), out)
    before = files(out)
    with pytest.raises(ExportError, match="is there already"):
        export_zarr(Source.open(demos), out)
    assert files(out) == before
    export_zarr(Source.open(demos), out, overwrite=True)
    assert len(json.loads((out / ".zattrs").read_text())["episodes"]) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out.zarr"]


def test_demonstrations_that_do_not_fit_are_refused_by_name(demos, tmp_path):
    file, path = DemoFile(demos), tmp_path / "bad.h5"
    demo = file.read("demo_10")
    blind = replace(demo, obs={"state": demo.obs["state"]})
    small = replace(demo, index=11, obs=demo.obs | {"head": demo.obs["head"][:, ::2]})
    for bad, says in ((blind, "demo_10: 'obs/head' is missing"), (small, r"demo_11: pictures are .*those before")):
        target = DemoFile(path)
        target.write(bad)
        target.finish(ENV_ARGS)
        if bad is small:
            target.write(demo)
            target.finish(ENV_ARGS)
        with pytest.raises(ExportError, match=says):
            export_zarr(Source.open(path), tmp_path / "bad.zarr")
        path.unlink()
    DemoFile(path).finish(ENV_ARGS)
    with pytest.raises(ExportError, match="no demonstrations"):
        Source.open(path)


def test_the_command_writes_and_says_what_is_wrong(demos, tmp_path, capsys):
    out = tmp_path / "out.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["zarr", str(demos), str(out), "--subset", "train"]) == 0
    assert "2 episodes, 15 rows" in capsys.readouterr().out
    assert main(["zarr", str(demos), str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["zarr", str(tmp_path / "none.h5"), str(tmp_path / "x.zarr")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "none.h5" in said


def test_rows_that_are_wrong_on_purpose_are_left_out_unless_asked_for():
    sample = Path(__file__).parent / "data" / "sample_demos.h5"
    cut, whole = (list(Source.open(sample, whole=whole).demos()) for whole in (False, True))
    shorter = [(a, b) for a, b in zip(cut, whole, strict=True) if len(a.actions) < len(b.actions)]
    assert {b.recovery for _, b in shorter} == {"shove", "miss", "slip"}
    for a, b in shorter:
        first = len(b.actions) - len(a.actions)
        assert a.imitate.all()
        assert not b.imitate[:first].any()
        np.testing.assert_array_equal(a.states, b.states[first:])
        np.testing.assert_array_equal(a.obs["head"], b.obs["head"][first:])
