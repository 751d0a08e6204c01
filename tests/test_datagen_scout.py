"""The scout answers as the careful copy does, only faster, and what it finds holds in the scene."""

import time

import mujoco
import numpy as np
import pytest

from datagen import grasps, motion, scout
from datagen.branch import Branch
from datagen.scout import Scout, find_grasp
from envs.sim import STATE_KIND, SimEnv

INDEX = 8  # eight objects


@pytest.fixture(scope="module")
def env():
    made = SimEnv("train")
    made.reset(options={"index": INDEX})
    yield made
    made.close()


@pytest.fixture(scope="module")
def scouted(env):
    made = Scout(env.scene)
    made.snapshot(env.data, env.servo)
    return made


def test_collision_queries_agree_and_are_quicker(env, scouted):
    branch = Branch(env.scene)
    branch.snapshot(env.data, env.servo)
    answers, seconds = {}, {}
    questions = [
        (posture, grasp.preshape, brush)
        for grasp in grasps.candidates(branch)[:60:3]
        for posture in motion.ranked_postures(grasp.hand_in_world, env.servo.reference_rad)[:6]
        for brush in (False, True)
    ]
    for who in (branch, scouted):
        began = time.process_time()
        answers[who] = [who.blocked(*question) for question in questions]
        seconds[who] = time.process_time() - began
    assert answers[branch] == answers[scouted]
    assert {True, False} == set(answers[scouted])
    assert seconds[scouted] < seconds[branch]


def test_a_snapshot_takes_over_the_state_and_leaves_it_alone(env, scouted):
    before, after = (np.zeros(mujoco.mj_stateSize(env.model, STATE_KIND)) for _ in range(2))
    mujoco.mj_getState(env.model, env.data, before, STATE_KIND)
    np.testing.assert_array_equal(scouted.snapshot_qpos, env.data.qpos)
    one = find_grasp(scouted, env.servo.reference_rad, None)
    two = find_grasp(scouted, env.servo.reference_rad, None)
    np.testing.assert_array_equal(one.actions, two.actions)
    mujoco.mj_getState(env.model, env.data, after, STATE_KIND)
    np.testing.assert_array_equal(before, after)
    assert not env.model.opt.enableflags & mujoco.mjtEnableBit.mjENBL_SLEEP


def test_what_rests_sleeps_in_a_trial(scouted, env):
    plan = find_grasp(scouted, env.servo.reference_rad, None)
    scout.try_grasp(scouted, plan)
    assert scouted.data.ntree_awake < scouted.scene.model.ntree


def test_grasps_that_are_to_be_avoided_are(scouted, env):
    first = find_grasp(scouted, env.servo.reference_rad, None)
    avoided = frozenset({(first.grasp.template, first.grasp.azimuth_deg)})
    second = find_grasp(scouted, env.servo.reference_rad, None, avoided)
    assert (second.grasp.template, second.grasp.azimuth_deg) not in avoided
    again = find_grasp(scouted, env.servo.reference_rad, None, first=second.grasp)
    np.testing.assert_array_equal(again.grasp.hand_in_world, second.grasp.hand_in_world)


def test_a_tolerant_grasp_says_so_and_nothing_is_found_where_nothing_holds(scouted, env, monkeypatch):
    plan = find_grasp(scouted, env.servo.reference_rad, np.random.default_rng(0))
    assert plan.tolerant
    monkeypatch.setattr(scout, "MAX_TRIALS", 1)
    monkeypatch.setattr(scout, "_creep", lambda *_: float("inf"))
    assert find_grasp(scouted, env.servo.reference_rad, None) is None
