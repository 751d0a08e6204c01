"""Validation: errors in the right units for the right joints and phases, a picture, and rollouts that may fail."""

import json
import sys

import numpy as np
import pytest
import torch

from benchmarks.chunks import astray, flange_in_base, grasp_error
from envs import spec
from policy.controller.controller import Controller
from policy.training import rollouts, validation
from policy.training.picture import PANEL, chunks_picture
from policy.training.rollouts import Score, command, rollout
from policy.training.validation import Foretold, chosen, errors, foretell, losses
from policy.training.windows import WindowSet
from tests.tiny_training import CONFIG, made, plan


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    return WindowSet(CONFIG, [made(tmp_path_factory.mktemp("cache"), plan())])


@pytest.fixture(scope="module")
def controller(windows):
    torch.manual_seed(0)
    controller = Controller(CONFIG)
    windows.fit(controller.actions)
    windows.fit_goals(controller.hints)
    return controller.eval()


def made_up(error, padded_from=6):
    true = np.zeros((4, 8, spec.ACTION_DIM), np.float32)
    sampled = true + np.asarray(error, np.float32)
    sampled[:, padded_from:] += 50.0  # is not looked at
    padded = np.tile(np.arange(8) >= padded_from, (4, 1))
    return Foretold(true, sampled, padded, np.array([0, 0, 2, 3]), true[:, 0], true[:, 0], true[:, 0, :7] + 0.5)


def test_errors_are_per_joint_in_rad_and_leave_padding_out():
    error = np.zeros(spec.ACTION_DIM)
    error[1], error[8] = 0.5, -0.25
    found = errors(made_up(error))
    np.testing.assert_allclose(found["joint/arm/joint2"], 0.5 * 2.268)
    np.testing.assert_allclose(found["joint/hand/ring"], 0.25)
    np.testing.assert_allclose(found["arm_rad"], 0.5 * 2.268 / 7)
    np.testing.assert_allclose(found["hand"], 0.25 / 6)
    assert found["joint/arm/joint1"] == 0.0
    np.testing.assert_allclose(found["goal_rad"], 0.5 * spec.ARM_SCALE_RAD.mean())
    assert {key for key in found if key.startswith("phase/")} == {"phase/reach", "phase/close", "phase/lift"}


def test_errors_are_per_phase():
    error = np.zeros((4, 8, spec.ACTION_DIM))
    error[2, :, 0] = 1.0
    found = errors(made_up(error))
    np.testing.assert_allclose(found["phase/close"], 3.1 / 7)
    assert found["phase/reach"] == found["phase/lift"] == 0.0


def test_validation_is_the_same_each_time(controller, windows):
    device = torch.device("cpu")
    one, two = (foretell(controller, windows, device, 9) for _ in range(2))
    np.testing.assert_array_equal(one.sampled, two.sampled)
    assert one.sampled.shape == (9, CONFIG.horizon, spec.ACTION_DIM)
    np.testing.assert_array_equal(one.true, windows.actions[chosen(windows, 9)])
    assert one.goal_sampled.shape == (9, spec.ARM_DOF)
    found = losses(controller, windows, device)
    assert found == losses(controller, windows, device)
    parts = found["chunk"] + CONFIG.goal_weight * found["goal"] + CONFIG.phase_weight * found["phase"]
    np.testing.assert_allclose(found["total"], parts, rtol=1e-5)


def test_the_guess_of_the_goal_is_in_action_numbers(controller, windows):
    """A hint that says zero means the middle of all goals, wherever the arm is."""
    with torch.no_grad():
        controller.hints.goal[-1].weight.zero_()
        controller.hints.goal[-1].bias.zero_()
    found = foretell(controller, windows, torch.device("cpu"), 5)
    middle = windows.goal[:, spec.ARM].mean(axis=0)
    np.testing.assert_allclose(found.goal_sampled, np.tile(middle, (5, 1)), atol=1e-5)


def test_the_picture_shows_true_and_foretold():
    picture = chunks_picture(made_up(np.full(spec.ACTION_DIM, 0.3)), rows=3)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == PANEL[0] * spec.ACTION_DIM
    colours = set(map(tuple, picture[:300, :600:3].reshape(-1, 3).tolist()))
    assert {(30, 30, 30), (214, 70, 30)} <= colours


def test_distances_of_the_flange_are_in_centimetres():
    home = np.zeros((1, 1, spec.ACTION_DIM))
    turned = home.copy()
    home[..., 1], turned[..., 1] = 0.3, 0.3
    turned[..., 0] = 0.1  # the first joint turns about the upright axis of the base
    radius = np.linalg.norm(flange_in_base(home)[0, 0, :2])
    chord = 100 * 2 * radius * np.sin(0.05 * 3.1)
    none = np.zeros((1, 1), bool)
    rows = {row.name: row for row in astray(home, turned, none, np.array([2]), 1)}
    assert rows.keys() == {"close", "all"}
    np.testing.assert_allclose(rows["close"].executed[0], chord, rtol=1e-6)
    np.testing.assert_allclose(grasp_error(home[:, 0], turned[:, 0, :7])[0], chord, rtol=1e-6)


SUMMARY = {"success_rate": 0.5, "ci_low": 0.2, "ci_high": 0.8, "n": 10}


def script(path, content, code=0):
    path.write_text(f"import sys, pathlib\n{content}\nsys.exit({code})\n")
    return lambda checkpoint, suite, episodes, out: [sys.executable, str(path), str(out)]


def test_a_rollout_reads_the_summary(tmp_path, monkeypatch):
    write = f"out = pathlib.Path(sys.argv[1]); out.mkdir(); (out / 'summary.json').write_text({json.dumps(SUMMARY)!r})"
    monkeypatch.setattr(rollouts, "command", script(tmp_path / "run.py", write))
    assert rollout(tmp_path / "c", "train", 10, tmp_path / "out") == Score(0.5, 0.2, 0.8, 10)


def test_a_failing_rollout_is_a_word_not_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(rollouts, "command", script(tmp_path / "run.py", "print('no GPU', file=sys.stderr)", 2))
    assert "no GPU" in rollout(tmp_path / "c", "train", 10, tmp_path / "out")
    monkeypatch.setattr(rollouts, "command", lambda *_: [str(tmp_path / "nothing")])
    assert "no result" in rollout(tmp_path / "c", "train", 10, tmp_path / "out")


def test_the_command_is_that_of_the_benchmark(tmp_path):
    words = command(tmp_path / "c.safetensors", "seen_objects", 20, tmp_path / "out")
    assert words[1:3] == ["-m", "benchmarks.run"]
    assert words[words.index("--episodes") + 1] == "20"
    assert words[words.index("--policy") + 1] == str(tmp_path / "c.safetensors")


def test_windows_are_chosen_evenly(windows):
    picked = chosen(windows, 5)
    assert len(picked) == 5
    assert (picked[0], picked[-1]) == (0, len(windows) - 1)
    assert len(chosen(windows, 10**6)) == len(windows)
    assert validation.SAMPLED_WINDOWS > 64
