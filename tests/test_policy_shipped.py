"""The controller that comes with the package: small, by our own commands, and what a bare run scores."""

import json

import pytest

from benchmarks import run
from policy.build import SHIPPED
from policy.controller.checkpoint import load
from policy.controller.config import get_config

MOST_BYTES = 25_000_000


def test_it_is_small_and_says_where_it_comes_from():
    assert SHIPPED.stat().st_size < MOST_BYTES
    controller, origin = load(SHIPPED)
    assert controller.config == get_config("small")
    assert origin.updates > 1000
    assert all(len(digest) == 64 for digest in origin.data)
    assert {"torch", "dexclutter"} <= origin.versions.keys()


@pytest.mark.slow
def test_a_bare_run_scores_it_and_it_grasps(tmp_path, capsys):
    """Four scenes of the headline suite. The rate is far above a half, so that all four fail once in thousands."""
    assert run.main(["--suite", "unseen_objects", "--episodes", "4", "--out", str(tmp_path / "run")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "policy small" in printed
    assert "privileged: " in printed
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["title"] == "small"
    assert summary["planner"].startswith("privileged")
    assert summary["masks"] == "privileged"
    assert summary["successes"] > 0
