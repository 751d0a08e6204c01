"""The measurement of a chunk of actions, on tiny networks: what it reports and when it fails."""

# ruff: noqa: E402 (what needs torch is imported once torch is known to be there)

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

from benchmarks.speed import controller as command
from policy.controller import config, measure
from policy.controller.measure import Took
from tests.controller_factory import tiny


@pytest.fixture(autouse=True)
def little(monkeypatch):
    monkeypatch.setitem(config.CONFIGS, "tiny", tiny)


def test_the_command_measures_and_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "REMEMBERING_BAR", 0.0)
    out = tmp_path / "numbers.json"
    words = ["--transformer", "tiny", "--answer", "tiny", "--repeats", "2", "--chunks", "2", "--out", str(out)]
    assert command.main(words) == 0
    numbers = json.loads(out.read_text())
    names = [part["name"] for part in numbers["answering"]]
    assert names == ["chunk, towers included", "pictures and towers", "encoder", "keys, values, denoising"]
    assert all(part["cpu_ms"] > 0 for part in numbers["answering"])
    assert numbers["remembering"]["difference"] < 1e-5
    assert numbers["remembering"]["times_faster"] > 0
    assert "times faster" in capsys.readouterr().out


@pytest.mark.parametrize("bar", ["REMEMBERING_BAR", "ANSWER_BAR_MS"])
def test_a_missed_bar_is_an_exit_code(bar, monkeypatch):
    monkeypatch.setattr(command, "REMEMBERING_BAR", 0.0)
    monkeypatch.setattr(command, bar, 1e9 if bar == "REMEMBERING_BAR" else 0.0)
    assert command.main(["--transformer", "tiny", "--answer", "tiny", "--repeats", "1"]) == 1


def test_parts_can_be_left_out(capsys):
    assert command.main(["--transformer", "", "--answer", "tiny", "--repeats", "1"]) == 0
    assert "times faster" not in capsys.readouterr().out


def test_the_least_of_all_repetitions_counts():
    work, waits = [], iter([3e6, 1e6, 2e6, 9e6])

    def loop():
        work.append(sum(range(int(next(waits)))))

    (took,) = measure.timed({"loop": loop}, repeats=3)
    assert isinstance(took, Took)
    assert len(work) == 4
    (alone,) = measure.timed({"loop": lambda: sum(range(9_000_000))}, repeats=1)
    assert took.cpu_ms < alone.cpu_ms
