"""The scripted expert: each action has its phase, whatever becomes of the grasp."""

import numpy as np
import pytest

from datagen import expert
from datagen.search import CLOSE, LIFT, PREGRASP, REACH, Plan
from envs import spec
from envs.sim import SimEnv

PHASES = np.array([REACH, PREGRASP, CLOSE, LIFT], np.int8)


class Nameless:
    template, azimuth_deg = "none", 0.0


@pytest.fixture
def scene():
    env = SimEnv("seen_objects", obs_mode="state")
    observation, _ = env.reset(seed=0, options={"index": 0})
    yield env, observation
    env.close()


def acted(policy, observation, steps):
    """The phases of the next actions."""
    phases = []
    for _ in range(steps):
        assert policy.act(observation).shape == (13,)
        phases.append(policy.phase_index)
    return phases


def test_a_grasp_that_failed_is_followed_by_the_way_home_and_a_new_reach(scene, monkeypatch):
    env, observation = scene
    still = np.repeat(observation[spec.STATE][None], 4, axis=0)
    monkeypatch.setattr(expert, "find_plan", lambda *_: Plan(Nameless(), still, PHASES, 2))
    monkeypatch.setattr(expert, "homing_actions", lambda *_: still[:3])
    policy = expert.Expert()
    policy.reset(env, seed=0)
    assert acted(policy, observation, 11) == [*PHASES, REACH, REACH, REACH, *PHASES]
    monkeypatch.setattr(type(env.scene), "lowest_m", lambda *_: spec.LIFT_HEIGHT_M)
    assert acted(policy, observation, 3) == [LIFT] * 3
    policy.reset(env, seed=0)
    assert policy.phase_index == REACH


def test_where_nothing_holds_it_stands_still_before_the_reach(scene, monkeypatch):
    env, observation = scene
    monkeypatch.setattr(expert, "find_plan", lambda *_: None)
    policy = expert.Expert()
    policy.reset(env, seed=0)
    np.testing.assert_array_equal(policy.act(observation), observation[spec.STATE])
    assert acted(policy, observation, 5) == [REACH] * 5
