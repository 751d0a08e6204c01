"""The rendering benchmark on the real scene, for a moment."""

import io

import pytest
from rich.console import Console

from benchmarks.speed import rendering
from envs.spec import CAMERAS


@pytest.fixture(scope="module")
def timing():
    return rendering.measure(rendering.Options(seconds=1e-3), "white")


def test_every_size_and_camera_is_timed(timing):
    assert set(timing.picture_s) == set(timing.mask_s) == set(rendering.SIZES)
    for by_camera in timing.picture_s.values():
        assert tuple(by_camera) == CAMERAS
        assert all(0 < seconds < 5 for seconds in by_camera.values())
    assert 0 < timing.compile_s < 5
    assert 0 < timing.upload_s < 5


def test_the_whole_scene_stays_light(timing):
    assert 2000 < timing.triangles < 12_000


def test_table_has_a_row_for_each_look_and_size(timing):
    table = rendering.report([timing], 0.002)
    assert table.row_count == len(rendering.SIZES)
    console = Console(width=200, file=io.StringIO())
    console.print(table)
    text = console.file.getvalue()
    steps = 1 / (sum(timing.picture_s[128, 128].values()) + 0.002)
    assert f"{steps:.0f}" in text
    assert "640 x 480" in text


def test_median_ignores_a_slow_call(monkeypatch):
    durations = iter([0.0, 9.0, 1.0, 1.0, 1.0])
    now = [0.0]
    monkeypatch.setattr(rendering.time, "perf_counter", lambda: now[0])

    def action():
        now[0] += next(durations)

    assert rendering.median_s(action, 12.0) == 1.0
