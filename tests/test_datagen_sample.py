"""The sample in the repository is what its documented command makes: whole, explained, and true to the physics."""

import json
from pathlib import Path

import h5py
import mujoco
import numpy as np
import pytest

from datagen.jobs import RECOVERIES
from datagen.storage import DemoFile
from envs.episode import EpisodeSpec
from envs.sim import STATE_KIND, SimEnv

SAMPLE = Path(__file__).parent / "data" / "sample_demos.h5"


@pytest.fixture(scope="module")
def file():
    return DemoFile(SAMPLE)


def test_it_is_small_and_shows_every_kind_of_recovery(file):
    assert SAMPLE.stat().st_size < 10e6
    demos = [file.read(name) for name in file.names()]
    assert 5 <= len(demos) <= 10
    assert {demo.recovery for demo in demos} == {"none", *RECOVERIES}
    assert all(demo.success for demo in demos)
    assert json.loads(file.attribute("asked"))["suite"] == "train"


def test_its_actions_lead_from_each_state_to_the_next(file):
    """To the bit, from the stored float32 actions alone: nothing is missing in what is stored."""
    demo = next(d for d in map(file.read, file.names()) if d.recovery == "joints")
    env = SimEnv()
    env.reset(options={"episode": EpisodeSpec.from_dict(demo.spec)})
    state = np.empty(demo.states.shape[1])
    for before, action in zip(demo.states[:-1], demo.actions, strict=False):
        mujoco.mj_getState(env.model, env.data, state, STATE_KIND)
        np.testing.assert_array_equal(state, before)
        env.step(action)
    env.close()


def test_plain_hdf5_reads_it_without_a_plugin():
    with h5py.File(SAMPLE) as raw:
        for demo in raw["data"].values():
            assert demo["obs/head"][-1].std() > 1
            assert demo["obs/head"].compression == "gzip"
