"""The viewer without a browser package: what each step shows, the film, and the command's words."""

import importlib.util
import subprocess

import fake_demos
import imageio_ffmpeg
import numpy as np
import pytest
from fake_demos import broken

from datagen import film, panels, recording, reel, view
from datagen.search import PHASES
from envs import spec


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return fake_demos.shared(tmp_path_factory)


@pytest.fixture(scope="module")
def shown(good):
    with recording.opened(good) as file:
        yield reel.Reel(file.read("demo_5"), file.hand)


def test_a_moment_shows_the_recorded_pictures_and_the_target_in_colour(shown):
    for step in (0, 30, shown.steps - 1):
        now = shown.moment(step)
        np.testing.assert_array_equal(now.head, shown.demo.picture("head", step))
        np.testing.assert_array_equal(now.wrist, shown.demo.picture("wrist", step))
        changed = (now.overlay != now.head).any(axis=-1)
        mask = shown.demo.picture("mask", step)
        assert changed[mask.astype(bool)].mean() > 0.95
        assert not changed[~(mask.astype(bool) | panels.outline(mask))].any()
        assert now.phase == PHASES[shown.demo.columns["phases"][step]]
        assert now.time_s == pytest.approx(step / spec.CONTROL_HZ)


def test_steps_outside_are_moved_to_the_ends(shown):
    assert shown.moment(-5).step == 0
    assert shown.moment(10_000).step == shown.steps - 1


def test_poses_follow_the_states(shown):
    target = shown.model.body("target").id
    assert shown.poses.shape == (shown.steps, shown.model.nbody, 7)
    np.testing.assert_allclose(shown.poses[0, target, :3], shown.demo.spec["objects"][0]["pos"], atol=2e-3)
    assert shown.poses[-1, target, 2] - shown.poses[0, target, 2] > spec.LIFT_HEIGHT_M * 0.8
    assert shown.moves(target)
    assert shown.moves(shown.model.body("arm/link7").id)
    assert not shown.moves(shown.model.body("left_arm/link7").id)
    assert not shown.moves(0)


def test_the_cursor_moves_over_the_curves(shown):
    first, last = shown.moment(0).curves, shown.moment(shown.steps - 1).curves
    red = [np.flatnonzero((c == panels.CURSOR_COLOUR).all(axis=-1).any(axis=0)) for c in (first, last)]
    assert red[0].min() < 20
    assert red[1].max() > first.shape[1] - 20
    assert not np.array_equal(first, last)


def test_every_visual_geom_of_the_scene_becomes_a_shape(shown):
    model, found = shown.model, list(reel.shapes(shown.model))
    assert len(found) == np.count_nonzero(model.geom_group == spec.VISUAL_GROUP)
    assert len({(shape.body, shape.name) for shape in found}) == len(found)
    for shape in found:
        assert len(shape.vertices) == len(shape.normals) > 0
        assert len(shape.vertices) % 3 == 0
        np.testing.assert_allclose(np.linalg.norm(shape.normals, axis=1), 1.0, atol=1e-3)
        assert (shape.uv is None) == (shape.texture is None)
    target = next(s for s in found if s.body == model.body("target").id)
    assert 0.02 < np.ptp(target.vertices, axis=0).max() < 0.4
    assert any(s.texture is not None and s.texture.dtype == np.uint8 for s in found)


def test_phase_spans_cover_every_step_once():
    phases = np.array([0, 0, 1, 3, 3, 0], np.int8)
    assert panels.phase_spans(phases) == [(0, 1, 0), (2, 2, 1), (3, 4, 3), (5, 5, 0)]


def test_states_alone_are_drawn(good, tmp_path):
    def blind(file):
        for key in ("head", "wrist", "mask", "box"):
            del file[f"data/demo_2/obs/{key}"]

    with recording.opened(broken(good, tmp_path, blind)) as file:
        now = reel.Reel(file.read("demo_2"), file.hand).moment(5)
    assert now.head.shape == now.wrist.shape == (240, 320, 3)
    assert (now.overlay != now.head).any()


def decoded(path, count):
    """All frames of a film, (N, H, 960, 3)."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(count, -1, film.WIDTH, 3)


def test_a_film_holds_every_step(shown, good, tmp_path, capsys):
    out = tmp_path / "demo.mp4"
    assert view.main([str(good), "--demo", "5", "--video", str(out)]) == 0
    assert f"film {out}" in capsys.readouterr().out.replace("\n", "")
    count = (shown.steps, pytest.approx(shown.steps / spec.CONTROL_HZ, abs=0.01))
    assert imageio_ffmpeg.count_frames_and_secs(out) == count
    frames = decoded(out, shown.steps)
    head = panels.resized(shown.moment(10).head, film.WIDTH // 3)
    assert np.abs(frames[10][: head.shape[0], : head.shape[1]].astype(int) - head).mean() < 8
    assert [p.name for p in tmp_path.iterdir()] == ["demo.mp4"]


def test_failures_kept_apart_can_be_looked_at(good, tmp_path, capsys):
    def fail(file):
        file.copy("data/demo_5", file.create_group("data_failed"), name="demo_7")
        file["data_failed/demo_7"].attrs.update(success=False, outcome="slipped")

    path = broken(good, tmp_path, fail)
    with recording.opened(path) as file:
        assert list(recording.entries(file)) == ["demo_2", "demo_5", "demo_7 · failed: slipped"]
        failure, first = view.chosen(file, 7), view.chosen(file, None)
        assert (failure.read().attributes["outcome"], first.label) == ("slipped", "demo_2")
        assert film.title(failure.read()) == "demo_7 (failed: slipped)"
        assert film.title(first.read()) == "demo_2"
    assert view.main([str(path), "--demo", "8", "--video", "x.mp4"]) == 2
    assert "no demonstration 8; there are 2, 5, 7\n" in capsys.readouterr().err


def test_a_file_of_failures_alone_can_be_looked_at(good, tmp_path):
    def fail(file):
        file.move("data/demo_5", "data_failed/demo_7")
        del file["data/demo_2"]

    with recording.opened(broken(good, tmp_path, fail)) as file:
        assert view.chosen(file, None).label == "demo_7 · failed: success"


def without_recovery(file):
    del file["data/demo_2"].attrs["recovery"]


def without_phases(file):
    del file["data/demo_2/phases"]


def unknown_table(file):
    attrs = file["data/demo_2"].attrs
    attrs["spec"] = attrs["spec"].replace('"table": "', '"table": "no_such_')


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without_recovery, "attribute 'recovery' is missing"),
        (without_phases, "phases is missing"),
        (unknown_table, "not an episode: unknown table"),
    ],
)
def test_a_damaged_demonstration_is_named_and_leaves_no_film(good, tmp_path, capsys, damage, words):
    path = broken(good, tmp_path, damage)
    assert view.main([str(path), "--video", str(tmp_path / "x.mp4")]) == 1
    told = capsys.readouterr().err
    assert f"datagen.view: {path}, demo_2: " in told
    assert words in told
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing.h5"], "nothing.h5 is no file"),
        (["--video", "x.gif"], "--video is a name that ends in .mp4"),
        (["--video", "no/such/x.mp4"], "folder no/such does not exist"),
        (["--port", "70000"], "--port is 0 to 65535"),
        (["--demo", "77", "--video", "x.mp4"], "holds no demonstration 77; there are 2, 5\n"),
    ],
)
def test_bad_usage_says_what_to_do(good, capsys, words, told):
    file = [] if words[0].endswith(".h5") else [str(good)]
    assert view.main([*file, *words]) == 2
    assert told in capsys.readouterr().err


def test_without_the_extra_the_command_says_what_to_install(good, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert view.main([str(good)]) == 2
    assert "pip install 'dexclutter[viewer]', or make a film by --video" in capsys.readouterr().err
