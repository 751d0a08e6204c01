"""The measure of masks: scores, intervals, the JSON, the picture, and wrong commands."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import masks as command
from benchmarks.masks import Frame, Options, iou, main, score, summarise
from envs.interface import Policy

SQUARE = np.zeros((20, 30), np.uint8)
SQUARE[5:15, 10:20] = 1


def frame(value, visible=1.0, lost=False, found=100, milliseconds=2.0):
    return Frame(value, visible, lost, found, milliseconds)


def test_iou_of_known_masks():
    half = SQUARE.copy()
    half[:, 15:] = 0
    assert iou(SQUARE, SQUARE) == 1.0
    assert iou(half, SQUARE) == 0.5
    assert iou(1 - SQUARE, SQUARE) == 0.0
    assert iou(SQUARE * 0, SQUARE * 0) == 1.0


def test_frames_are_pooled_and_whole_episodes_are_drawn_again():
    found = score([[1.0] * 3, [0.5], []])
    assert (found.n, found.mean, found.median) == (4, 0.875, 1.0)
    assert found.low == 0.5
    assert found.high == 1.0
    assert score([[0.8, 0.9]] * 5).low == pytest.approx(0.85)  # episodes that are all alike leave nothing to chance
    assert str(score([])) == "no such frames"


def test_clear_occluded_hidden_and_lost_frames_are_told_apart():
    episodes = [
        [frame(1.0), frame(0.9), frame(0.4, 0.3), frame(0.0, 0.2, lost=True, found=0), frame(None, 0.0, found=50)],
        [frame(0.8), frame(0.05), frame(None, 0.0, lost=True, found=0)],
    ]
    found = summarise(episodes)
    assert found["iou"]["all"]["n"] == 6
    assert found["iou"]["clear"]["mean"] == pytest.approx((1.0 + 0.9 + 0.8 + 0.05) / 4)
    assert found["iou"]["occluded"]["mean"] == pytest.approx(0.2)
    assert found["iou"]["first"]["mean"] == pytest.approx(0.9)
    assert found["lost_share"] == pytest.approx(1 / 4)  # first frames are not tracked
    assert found["missed_share"] == pytest.approx(2 / 4)
    assert (found["hidden_frames"], found["false_sightings"]) == (2, 1)


def test_one_episode_from_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "Expert", Still)
    monkeypatch.setattr("envs.outcome.ATTEMPT_STEPS", 4)
    out, picture = tmp_path / "deep" / "scores.json", tmp_path / "sheet.png"
    options = Options(masks="privileged", suite="seen_objects", episodes=1, out=out, picture=picture)
    assert main(options) == 0
    said = capsys.readouterr().out
    assert "privileged: masks" in said
    assert "95 % interval 1.000 to 1.000" in said
    report = json.loads(out.read_text())
    assert report["privileged"] == ["masks"]
    assert report["rows"][0]["iou"] == 1.0
    assert report["iou"]["all"]["n"] == len(report["rows"][0]["frames"]) > 1
    with Image.open(picture) as sheet:
        assert sheet.size == (command.TILES * command.TILE_PX, command.TILE_PX)


class Still(Policy):
    """A policy that leaves the arm where it is."""

    name = "still"

    def reset(self, env, seed):
        pass

    def act(self, observation):
        return observation["state"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"masks": "sam9"}, "choose from: classic, privileged, sam2"),
        ({"suite": "nonsense"}, "unknown suite 'nonsense'"),
        ({"episodes": 0}, "--episodes must be at least 1"),
    ],
)
def test_a_wrong_command_is_told_and_ends_with_2(capsys, changes, words):
    assert main(Options(**changes)) == 2
    assert words in capsys.readouterr().err
