"""The stepping benchmark on the real environment, for a moment: it must compare like with like."""

import json

import numpy as np
import pytest

from benchmarks.speed import stepping
from envs.sim import SimEnv

BRIEF = stepping.Options(suite="seen_objects", first=2, episodes=1, blocks=2, resets=2)


@pytest.mark.parametrize("case", ["state", "two 128x128"])
def test_a_case_is_timed_on_both_sides(case):
    timing = stepping.time_steps(BRIEF, case)
    assert timing.case == case
    assert 1 < timing.steps_hz < 1e5
    assert 1 < timing.bare_hz < 1e5
    assert -0.5 < timing.overhead < 5.0


def test_sides_that_simulate_different_things_are_not_compared(monkeypatch):
    real = stepping.actuator_targets

    def off_by_one(env, actions):
        targets = real(env, actions)
        return targets[1:] + targets[-1:]

    monkeypatch.setattr(stepping, "actuator_targets", off_by_one)
    with pytest.raises(AssertionError, match="must have simulated the same"):
        stepping.time_steps(BRIEF, "state")


def test_the_swaying_stays_clear_of_everything():
    env = SimEnv("unseen_objects")
    observation, _ = env.reset(seed=0, options={"index": 0})
    actions = stepping.swaying_actions(observation["state"], 60)
    assert np.ptp(actions, axis=0).min() > 0.005  # every joint moves
    for action in actions:
        *_, info = env.step(action)
        assert not info["hand_touches"].any()
    assert info["max_contact_force_n"] == 0.0


def test_the_numbers_can_be_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(stepping, "CASES", {k: v for k, v in stepping.CASES.items() if k != "two 128x128"})
    out = tmp_path / "speed.json"
    options = stepping.Options(suite="seen_objects", episodes=1, blocks=1, resets=2, out=out)
    steppings, resettings = stepping.main(options)
    kept = json.loads(out.read_text())
    assert [s["case"] for s in kept["steps"]] == [s.case for s in steppings] == ["state", "two 640x480"]
    assert [len(r["reset_s"]) for r in kept["resets"]] == [2, 2]
    for r in resettings:
        assert all(t > max(a, b) > 0 for t, a, b in zip(r.total_s, r.reset_s, r.make_s, strict=True))
