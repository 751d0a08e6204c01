"""The registry of policies, entry by entry."""

import numpy as np
import pytest

from benchmarks.errors import UsageError
from benchmarks.policies import POLICIES, HoldStillPolicy, RandomPolicy, make_policy
from benchmarks.worker import obs_mode
from envs import spec

STATE = np.linspace(-0.5, 1.5, 13, dtype=np.float32)


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_is_made_fresh_and_bears_its_name(name):
    policy = make_policy(name)
    assert policy.name == name
    assert make_policy(name) is not policy
    assert set(policy.cameras) <= set(spec.CAMERAS)


def test_only_the_expert_is_privileged():
    assert {name for name in POLICIES if make_policy(name).privileged} == {"expert"}


def test_unknown_policies_are_refused_with_the_choices():
    with pytest.raises(UsageError, match="unknown policy 'pi0'; choose from: default, expert, hold-still, random"):
        make_policy("pi0")


def test_the_random_policy_is_a_function_of_its_seed_and_fills_the_action_space():
    policy = RandomPolicy()

    def draws(seed: int) -> np.ndarray:
        policy.reset(None, seed)
        return np.stack([policy.act({}) for _ in range(500)])

    first = draws(1)
    np.testing.assert_array_equal(first, draws(1))
    assert not np.array_equal(first, draws(2))
    assert first.dtype == np.float32
    assert (first >= spec.ACTION_LOW).all()
    assert (first <= spec.ACTION_HIGH).all()
    np.testing.assert_allclose(first.min(axis=0), spec.ACTION_LOW, atol=0.05)
    np.testing.assert_allclose(first.max(axis=0), spec.ACTION_HIGH, atol=0.05)


def test_the_still_policy_keeps_the_first_state_of_each_attempt():
    policy = HoldStillPolicy()
    for state in (STATE, STATE / 2):
        policy.reset(None, 0)
        first = policy.act({spec.STATE: state})
        np.testing.assert_array_equal(first, np.clip(state, spec.ACTION_LOW, spec.ACTION_HIGH))
        first[:] = 0  # what a caller does to an action is no business of the policy
        again = policy.act({spec.STATE: state + 1})
        np.testing.assert_array_equal(again, np.clip(state, spec.ACTION_LOW, spec.ACTION_HIGH))


def test_images_are_rendered_only_for_who_reads_them():
    assert obs_mode(()) == "state"
    assert obs_mode(("head",)) == "rgb"
