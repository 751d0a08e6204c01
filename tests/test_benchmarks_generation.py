"""Rates and memory of the generator are counted over what it really made."""

import json
import sys
import time

import pytest
from fresh import in_a_fresh_process
from rich.console import Console

from benchmarks.speed import generation, memory
from benchmarks.speed.generation import MODES, Options
from datagen.generator import JobResult, Product
from envs.episode import make_episode

STATES = "states only"
RESULTS = {
    0: JobResult(0, "success", True, "none", 1, 70),
    1: JobResult(1, "success", True, "slip", 2, 140, vain=1),
    2: JobResult(2, "success", True, "shove", 1, 80),
    3: JobResult(3, "dropped", False, "none", 1, 90, vain=8),
}


class Pretended:
    """Makes what RESULTS says, and looks at the scene as the generator does."""

    composed = 0

    def __init__(self, request):
        self.request = request

    def make(self, index):
        misses = make_episode.cache_info().misses
        make_episode("train", index)
        Pretended.composed += make_episode.cache_info().misses - misses
        result = RESULTS.get(index, RESULTS[0])
        return Product(result, b"x" * 1000 if result.success else None)


def test_a_mode_is_timed_over_whole_jobs_and_first_attempts_are_those_not_made_to_fail(monkeypatch, capsys):
    monkeypatch.setattr(generation, "Generator", Pretended)
    Pretended.composed = 0
    options = Options(episodes=4, first=0, repeats=2)
    timing = generation.measure(STATES, options)
    assert Pretended.composed == 1 + 4 * 2  # no repeat finds its scene composed already
    assert (timing.demos, timing.attempted) == (3, 4)
    assert (timing.first_successes, timing.first_attempts, timing.in_vain) == (2, 3, 9)
    assert timing.best_per_cpu_hour >= timing.per_cpu_hour > 0
    assert timing.steps == pytest.approx((70 + 140 + 80) / 3)
    generation.print_timings(Console(width=200), [timing])
    shown = capsys.readouterr().out
    assert "2/3" in shown
    assert "2.25" in shown


def test_the_modes_are_requests():
    for mode in MODES:
        assert generation.request_of(mode, Options(), 7).episodes == 7
    assert generation.request_of(STATES, Options(recovery=1.0), 1).recovery == 1.0


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_memory_is_that_of_all_processes_along_the_run(monkeypatch, tmp_path, capsys):
    held = iter([100.0, 300.0, 200.0, 250.0, 240.0])
    now, looked = [0.0], []

    def held_mb():
        looked.append(now[0])
        return now[0]

    def pretended(request, path, indices, workers):
        assert workers == 2
        parts = path.with_name(path.name + ".parts")
        parts.mkdir()
        for index in indices:
            (parts / f"demo_{index}.h5").write_bytes(b"x")
            now[0] = next(held)
            seen = len(looked)
            while len(looked) < seen + 2:
                time.sleep(0.001)
            yield JobResult(index, "success", True, "none", 1, 70)
            assert not list(parts.iterdir())

    monkeypatch.setattr(memory, "run_local", pretended)
    monkeypatch.setattr(memory, "PERIOD_S", 0.01)
    monkeypatch.setattr(memory, "held_mb", held_mb)
    monkeypatch.setattr(sys, "argv", ["x", "--memory", "5", "--only", STATES, "--out", str(tmp_path / "out.json")])
    generation.main()
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["peak_mb"], found["demos"], found["scenes"], found["workers"]) == (300.0, 5, 5, 2)
    assert found["span_peaks_mb"] == [100.0, 300.0, 200.0, 250.0, 240.0]
    assert "300" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@in_a_fresh_process  # elsewhere the new bytes may come out of what an earlier test has freed
def test_memory_of_this_process_is_counted():
    before = memory.held_mb()
    kept = bytearray(50_000_000)
    kept[::4096] = b"x" * len(kept[::4096])
    assert 40 < memory.held_mb() - before < 90
