"""Saving and going on: every bit of what follows is the same, wherever the state is loaded."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scripted import digest, grasp

from envs import spec
from envs.interface import EpisodeError
from envs.sim import SimEnv

AFTER = 20
MODE = {"obs_mode": "rgb", "image_size": (64, 48), "reward_mode": "dense", "segmentation": True}


def played(env: SimEnv, actions: np.ndarray) -> list[str]:
    """A fingerprint of all that each step returns."""
    return [digest(env.step(action)) for action in actions]


def begin(lighting: str = "white", **options) -> tuple[SimEnv, np.ndarray]:
    episode, actions = grasp()
    env = SimEnv(**{**MODE, **options})
    env.reset(seed=4, options={"episode": replace(episode, look=replace(episode.look, lighting=lighting))})
    return env, actions


@pytest.fixture(scope="module")
def moments():
    """Step -> what is special then: the first touch, and the target off the table in the closed hand."""
    env, actions = begin(obs_mode="state", segmentation=False)
    touch = lift = None
    for step, action in enumerate(actions[:-1], start=1):
        *_, info = env.step(action)
        touch = step if touch is None and info["hand_on_target"] else touch
        lift = step if lift is None and info["target_lowest_m"] > 0.03 else lift
    assert 5 < touch < lift < len(actions) - 5
    return {"before": 5, "touch": touch, "lift": lift}


@pytest.mark.parametrize("moment", ["before", "touch", "lift"])
def test_what_follows_is_the_same_in_this_and_in_a_fresh_environment(moment, moments):
    env, actions = begin()
    at = moments[moment]
    for action in actions[:at]:
        seen = env.step(action)
    saved = env.save_state()
    following = actions[at : at + AFTER]
    first = played(env, following)
    assert len(set(first)) == len(first)  # something happens
    for other in (env, SimEnv(**MODE)):
        observation, info = other.load_state(pickle.loads(pickle.dumps(saved)))
        assert digest(observation, info) == digest(seen[0], seen[-1])
        assert played(other, following) == first


def test_saving_leaves_no_trace(moments):
    env, actions = begin()
    quiet = played(env, actions[: moments["lift"]])
    env, _ = begin()
    saving = []
    for action in actions[: moments["lift"]]:
        saving.append(digest(env.step(action)))
        env.save_state()
    assert saving == quiet


def test_moving_lights_are_part_of_the_moment():
    env, actions = begin("disco")
    for action in actions[:7]:
        seen = env.step(action)
    saved = env.save_state()
    first = played(env, actions[7:12])
    other = SimEnv(**MODE)
    observation, _ = other.load_state(saved)
    np.testing.assert_array_equal(observation[spec.HEAD], seen[0][spec.HEAD])
    assert played(other, actions[7:12]) == first
    still = env.servo.measured(env.data)
    one, two = env.step(still)[0][spec.HEAD], env.step(still)[0][spec.HEAD]
    assert np.abs(one.astype(int) - two).mean() > 0.5  # the lights do move


def test_the_end_of_an_attempt_is_kept_and_so_is_what_the_seed_brings_next():
    env, actions = begin(obs_mode="state", segmentation=False)
    for action in actions:
        last = env.step(action)
    saved = env.save_state()
    expected = digest(env.reset()[1])
    observation, info = env.load_state(saved)
    assert digest(observation, info) == digest(last[0], last[-1])
    assert env.outcome == info["outcome"] == last[-1]["outcome"]
    assert env.slip_m == saved.slip_m is not None
    with pytest.raises(EpisodeError, match="the attempt has ended"):
        env.step(actions[-1])
    assert digest(env.reset()[1]) == expected


def test_a_state_of_the_other_hand_is_refused():
    env, _ = begin()
    other = SimEnv(hand="rh56")
    with pytest.raises(EpisodeError, match=r"saved with hand 'g0r'; this environment has 'rh56'"):
        other.load_state(env.save_state())


def test_the_next_attempt_after_a_lost_hold_is_the_same_in_a_fresh_environment():
    """Neighbours sleep during the hold; which of them did must not show in what comes after."""
    env, actions = begin(obs_mode="state", segmentation=False)
    for action in actions[:-1]:
        env.step(action)
    let_go = actions[-1].copy()
    let_go[spec.HAND] = spec.HAND_OPEN
    env.step(let_go)
    assert env.outcome == "dropped"
    other = SimEnv(**{**MODE, "obs_mode": "state", "segmentation": False})
    other.load_state(env.save_state())
    assert digest(env.retry()) == digest(other.retry())
    assert played(env, actions[:AFTER]) == played(other, actions[:AFTER])
