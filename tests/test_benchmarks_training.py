"""The benchmark of training and the distances of chunks: they measure the real code, on a tiny controller."""

import json

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from benchmarks import chunks
from benchmarks.speed import training
from envs import spec
from policy.controller import checkpoint
from policy.controller.checkpoint import Origin
from policy.controller.controller import Controller
from policy.training import measure
from policy.training.measure import STEPS, Speed, made_up
from tests.tiny_training import CONFIG, DATA, TINY


@pytest.fixture(autouse=True)
def _as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    AcceleratorState._reset_state(True)


def test_made_up_windows_have_the_sizes_of_the_configuration(tmp_path):
    windows = made_up(CONFIG, tmp_path)
    assert len(windows) == 16 * STEPS
    inputs, targets = windows.batch(np.array([0, 700]))
    controller = Controller(CONFIG)
    windows.fit(controller.actions)
    tokens = sum(inputs[key].shape[1] for key in ("head", "wrist", "target")) + 2
    assert tokens == controller.encoder.tokens
    assert inputs["mask"].mean() > 0
    assert torch.isfinite(controller.losses(inputs, targets, torch.Generator()).total)


def test_speed_is_measured_while_it_trains(tmp_path):
    speed = measure.measure(CONFIG, tmp_path, batch=8, updates=4, threads=1, precision="fp32")
    assert speed.windows_per_s > 1
    assert speed.windows_per_cpu_s > 1
    assert 0 < speed.loader < 1
    assert speed.parameters == Controller(CONFIG).trainable_parameters()


@pytest.mark.parametrize(("rate", "loader", "code"), [(81.0, 0.05, 0), (79.0, 0.05, 1), (81.0, 0.2, 1)])
def test_the_exit_code_tells_whether_the_bar_is_reached(tmp_path, monkeypatch, capsys, rate, loader, code):
    monkeypatch.setattr(measure, "measure", lambda *_, **__: Speed(rate, rate, loader, 7))
    out = tmp_path / "speed.json"
    assert training.main(["--set", *TINY, "--out", str(out)]) == code
    assert json.loads(out.read_text())["windows_per_s"] == rate
    assert f"{rate:.1f}" in capsys.readouterr().out


def test_chunks_of_a_checkpoint_are_measured_in_centimetres(tmp_path, capsys):
    torch.manual_seed(0)
    path, out = tmp_path / "controller.safetensors", tmp_path / "chunks.json"
    controller = Controller(CONFIG)
    controller.actions.fit(-0.01 * torch.ones(spec.ACTION_DIM), 0.01 * torch.ones(spec.ACTION_DIM))
    checkpoint.save(path, controller, Origin())
    words = ["--policy", str(path), "--data", str(DATA), "--windows", "12", "--stride", "5", "--out", str(out)]
    assert chunks.main(words) == 0
    found = json.loads(out.read_text())
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["all"]["windows"] == 12
    assert sum(row["windows"] for name, row in rows.items() if name != "all") == 12
    # A chunk of a controller that knows nothing stays within 0.01 of where the arm is, which is near the command.
    assert 0.01 < rows["all"]["executed"][0] < 15
    assert found["grasp_cm"][0] > rows["all"]["executed"][0]
    assert "median" in capsys.readouterr().out


def test_a_file_that_is_no_checkpoint_is_named(tmp_path, capsys):
    assert chunks.main(["--policy", str(tmp_path / "none"), "--data", str(DATA)]) == 2
    assert "does not exist" in capsys.readouterr().err
