"""Consistency: the plain look against itself changes nothing, another does, and the numbers mean what they say."""

import json

import numpy as np
import pytest

from benchmarks import consistency
from benchmarks.consistency import LOOKS, compared
from policy.controller.insight import Insight
from tests.tiny_controller import write_tiny


def made_up(seed=0, **changes):
    rng = np.random.default_rng(seed)
    attention = np.zeros((2, 3))
    attention[0, 0], attention[1, 2] = 0.25, 0.75
    mask = np.zeros((2, 3))
    mask[1, 2] = 0.4
    values = {
        "head": rng.standard_normal((2, 3, 5)), "wrist": rng.standard_normal((4, 5)), "attention": attention,
        "head_share": 0.5, "mask": mask, "chunk": np.zeros((16, 13), np.float32),
    }  # fmt: skip
    return Insight(**values | changes)


def test_the_same_look_changes_nothing():
    row = compared(3, "plain", made_up(), made_up(), 1.0)
    assert row.features == pytest.approx(1.0)
    assert row.target == pytest.approx(1.0)
    assert row.chunk_cm == 0.0
    assert row.attention == 0.75
    assert row.area == pytest.approx(1 / 6)


def test_other_features_and_chunks_are_told_apart():
    plain = made_up()
    turned = made_up(head=-plain.head, chunk=np.full((16, 13), 0.1, np.float32))
    row = compared(3, "dark", plain, turned, 0.5)
    assert row.features == pytest.approx(-1.0)
    assert row.chunk_cm > 5.0


@pytest.mark.slow
def test_the_command_measures_every_look(tmp_path, capsys):
    policy = write_tiny(tmp_path / "tiny.safetensors")
    words = ["--policy", str(policy), "--scenes", "1", "--out", str(tmp_path / "out")]
    assert consistency.main(words) == 0
    rows = json.loads((tmp_path / "out" / "consistency.json").read_text())["rows"]
    assert [row["look"] for row in rows] == list(LOOKS)
    plain, others = rows[0], rows[1:]
    assert plain["features"] == pytest.approx(1.0)
    assert plain["chunk_cm"] == 0.0
    assert all(row["features"] < 0.99 for row in others)
    assert (tmp_path / "out" / "consistency.png").stat().st_size > 10_000
    printed = capsys.readouterr().out
    assert all(name in printed for name in LOOKS)


def test_a_policy_that_is_not_there_is_named(tmp_path, capsys):
    assert consistency.main(["--policy", str(tmp_path / "none.safetensors"), "--out", str(tmp_path)]) == 2
    assert "none.safetensors" in capsys.readouterr().err
