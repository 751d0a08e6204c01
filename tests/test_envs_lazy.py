"""Pictures that are drawn when they are read: the same bits, no work for nobody, and no picture of the wrong moment."""

import numpy as np
import pytest
from scripted import digest

from envs import spec
from envs.lazy import LazyObservation, PastMomentError
from envs.sim import SimEnv

SMALL = (64, 48)


def pair(**settings) -> tuple[SimEnv, SimEnv]:
    return tuple(SimEnv(obs_mode="rgb", image_size=SMALL, lazy=lazy, **settings) for lazy in (False, True))


def test_every_moment_is_the_same_to_the_bit_whichever_way_it_is_drawn():
    """Also around masks, extra pictures and skipped moments, which share the renderer."""
    eager, lazy = pair()
    (seen, _), (later, _) = (env.reset(options={"index": 3}) for env in (eager, lazy))
    start = seen[spec.STATE]
    for step in range(16):
        action = np.clip(start - 0.01 * step, spec.ACTION_LOW, spec.ACTION_HIGH)
        if step % 5 == 0:
            lazy.truth.target_mask()
            assert digest({key: later[key] for key in later}) == digest(seen)
        if step % 7 == 0:
            lazy.picture("outside")
        (seen, *_), (later, *_) = eager.step(action), lazy.step(action)
    assert digest(dict(later)) == digest(seen)
    assert digest(dict(lazy.retry()[0])) == digest(eager.retry()[0])
    assert lazy.observation_space == eager.observation_space


def test_nothing_is_drawn_for_nobody(monkeypatch):
    drawn = []
    real = SimEnv._draw
    monkeypatch.setattr(SimEnv, "_draw", lambda env, camera: drawn.append(camera) or real(env, camera))
    env = pair()[1]
    observation, _ = env.reset(options={"index": 2})
    state = observation[spec.STATE]
    assert list(observation) == [spec.STATE, spec.INSTRUCTION, *spec.CAMERAS]
    assert (len(observation), spec.HEAD in observation, "depth" in observation) == (4, True, False)
    for _ in range(3):
        observation, *_ = env.step(state)
    assert drawn == []
    assert observation[spec.HEAD] is observation[spec.HEAD]
    assert drawn == [spec.HEAD]


def test_a_past_moment_keeps_what_was_read_and_refuses_the_rest():
    env = pair()[1]
    first, _ = env.reset(options={"index": 2})
    head = first[spec.HEAD].copy()
    second, *_ = env.step(first[spec.STATE])
    np.testing.assert_array_equal(first[spec.HEAD], head)
    with pytest.raises(PastMomentError, match=r"'wrist' of a past moment.*lazy=True"):
        first[spec.WRIST]
    assert second[spec.WRIST].shape == (48, 64, 3)
    env.reset(options={"index": 3})
    with pytest.raises(PastMomentError):
        second[spec.HEAD]


def test_unknown_keys_are_unknown():
    lazy = LazyObservation({"state": 1}, ("head",), lambda camera: np.zeros(1))
    assert lazy.get("depth") is None
    with pytest.raises(KeyError):
        lazy["depth"]
    assert "head" in repr(lazy)


def test_without_cameras_a_lazy_environment_shows_none():
    observation, _ = SimEnv(lazy=True).reset(options={"index": 2})
    assert set(observation) == {spec.STATE, spec.INSTRUCTION}
