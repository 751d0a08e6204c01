"""Training from end to end on a tiny controller: killed and resumed, in two processes, and with what cannot work."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from policy import train
from policy.controller.checkpoint import load
from policy.training import schedule
from policy.training.loop import BEST, LATEST, STATE
from tests.tiny_training import DATA, TINY

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


def words(out, cache, *more, data=DATA, updates=40):
    return [
        "--data", str(data), "--out", str(out), "--cache", str(cache), "--set", *TINY, "--updates", str(updates),
        "--batch", "8", "--warmup", "4", "--stride", "12", "--threads", "1", "--workers", "1", "--devices", "cpu",
        "--validate-every", "0", "--save-every", "1000", *more,
    ]  # fmt: skip


def started(arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "policy.train", *arguments]
    return subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache):
    """A run that nothing interrupts."""
    out = tmp_path_factory.mktemp("whole")
    assert train.main(words(out, cache, "--validate-every", "20")) == 0
    return out


def test_killed_and_resumed_is_uninterrupted_to_the_bit(whole, tmp_path, cache):
    arguments = words(tmp_path, cache, "--validate-every", "20", "--save-every", "3")
    process = started(arguments)
    deadline = time.monotonic() + 60
    while not (tmp_path / STATE).exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    killed_at = torch.load(tmp_path / STATE, weights_only=True)["update"]
    assert 0 < killed_at < 40
    assert train.main([*arguments, "--resume"]) == 0
    once, twice = (torch.load(out / STATE, weights_only=True) for out in (whole, tmp_path))
    assert once["update"] == twice["update"] == 40
    assert same(once, twice)
    assert not same(once["model"], once["averaged"])
    for name in (LATEST, BEST):
        (a, _), (b, _) = load(whole / name), load(tmp_path / name)
        assert same(dict(a.state_dict()), dict(b.state_dict()))


def test_training_learns_and_leaves_a_controller_with_its_origin(whole):
    controller, origin = load(whole / LATEST)
    assert origin.updates == 40
    assert len(origin.data) == 1
    assert len(origin.data[0]) == 64
    assert origin.versions["torch"] == torch.__version__.split("+")[0]
    assert controller.config.width == 32
    assert controller.actions.scale.std() > 0
    state = torch.load(whole / STATE, weights_only=True)
    assert same(dict(controller.state_dict()), dict(state["averaged"]))
    assert list((whole / "curves").glob("events*"))


def test_other_options_do_not_resume_a_run(whole, cache, capsys):
    assert train.main(words(whole, cache, "--validate-every", "20", "--resume", updates=41)) == train.BAD
    assert "updates = 40" in capsys.readouterr().err
    assert train.main(words(whole, cache)) == train.BAD
    assert "--resume" in capsys.readouterr().err
    assert train.main(words(whole / "none", cache, "--resume")) == train.BAD
    assert "nothing to resume" in capsys.readouterr().err


def test_a_stop_is_orderly_and_the_schedule_stays(tmp_path, cache, whole):
    arguments = words(tmp_path, cache, "--validate-every", "20")
    assert train.main([*arguments, "--stop-after-minutes", "0"]) == train.STOPPED
    assert torch.load(tmp_path / STATE, weights_only=True)["update"] == 1
    assert train.main([*arguments, "--resume"]) == 0
    assert same(*(torch.load(out / STATE, weights_only=True)["model"] for out in (whole, tmp_path)))


def test_towers_may_work_online(tmp_path, cache):
    arguments = words(tmp_path, cache, "--online", "--validate-every", "2", updates=3)
    assert train.main(arguments) == 0
    assert load(tmp_path / LATEST)[1].updates == 3
    assert train.main([*arguments, "--resume"]) == 0
    assert train.main(words(tmp_path, cache, "--validate-every", "2", "--resume", updates=3)) == train.BAD


@pytest.mark.slow
def test_two_processes_train_one_controller(tmp_path, cache):
    arguments = words(tmp_path, cache, updates=6)
    arguments[arguments.index("--devices") + 1] = "cpu:2"
    process = started(arguments)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    state = torch.load(tmp_path / STATE, weights_only=True)
    assert (state["update"], state["identity"]["processes"]) == (6, 2)
    assert all(value.isfinite().all() for value in state["model"].values())


def broken(tmp_path, change):
    path = tmp_path / "demos.h5"
    shutil.copy(DATA, path)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def no_demonstrations(file):
    for name in list(file["data"]):
        del file[f"data/{name}"]
    del file["mask"]


def twelve_actions(file):
    group = file["data"][sorted(file["data"])[0]]
    actions = group["actions"][:, :12]
    del group["actions"]
    group["actions"] = actions


def infinite_state(file):
    file["data"][sorted(file["data"])[1]]["obs/state"][5, 3] = np.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (no_demonstrations, "no demonstration"),
        (twelve_actions, "'actions' has shape"),
        (infinite_state, "'state' holds values that are no numbers"),
        (lambda file: file["data"].attrs.update(format="other/1"), "format 'other/1'"),
    ],
)
def test_data_that_cannot_be_learned_from_stop_with_a_message(tmp_path, cache, capsys, change, message):
    out = tmp_path / "run"
    assert train.main(words(out, cache, data=broken(tmp_path, change))) == train.BAD
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("save_every", ["1", "3"])
def test_a_loss_that_is_no_number_leaves_the_last_checkpoint_alone(tmp_path, cache, capsys, monkeypatch, save_every):
    usual = schedule.learning_rate
    monkeypatch.setattr(schedule, "learning_rate", lambda base, u, *rest: 1e30 if u == 3 else usual(base, u, *rest))
    assert train.main(words(tmp_path, cache, "--save-every", save_every)) == train.BAD
    assert "--learning-rate" in capsys.readouterr().err
    state = torch.load(tmp_path / STATE, weights_only=True)
    assert state["update"] in (3, 4)
    assert all(value.isfinite().all() for value in state["model"].values())
    controller, _ = load(tmp_path / LATEST)
    assert all(value.isfinite().all() for value in controller.state_dict().values())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--set", "widht=3"), "unknown setting 'widht'"),
        (("--set", "width=wide"), "should be int"),
        (("--devices", "tpu"), "--devices is"),
        (("--config", "tiny"), "unknown configuration"),
        (("--batch", "0"), "batch is 0"),
    ],
)
def test_options_that_cannot_work_are_refused(tmp_path, capsys, more, message):
    assert train.main(["--data", str(DATA), "--out", str(tmp_path / "run"), *more]) == train.BAD
    assert message in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _fresh_accelerator():
    yield
    AcceleratorState._reset_state(True)
