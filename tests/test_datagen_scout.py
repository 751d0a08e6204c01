"""The scout answers as the careful copy does, only faster, and what it finds holds in the scene."""

import itertools
import time
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from datagen import grasps, motion, scout
from datagen.branch import Branch
from datagen.scout import Scout
from datagen.script import Script
from datagen.search import SLIDING_M, plan_motion
from datagen.stage import Stage, Take
from envs import spec
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


@pytest.fixture(scope="module")
def plans(env, scouted):
    """The first motion in canonical order that holds in the scout, and those before it that do not."""
    vain = []
    for grasp in grasps.ranked(scouted):
        plan = plan_motion(scouted, env.servo.reference_rad, grasp)
        if plan is not None and scout.creep(scouted, plan) <= scout.CREEP_M:
            return plan, vain
        if plan is not None:
            vain.append(plan)
    raise AssertionError("nothing holds in this scene")


def test_a_snapshot_takes_over_the_state_and_leaves_it_alone(env, scouted, plans):
    plan, _ = plans
    before, after = (np.zeros(mujoco.mj_stateSize(env.model, STATE_KIND)) for _ in range(2))
    mujoco.mj_getState(env.model, env.data, before, STATE_KIND)
    np.testing.assert_array_equal(scouted.snapshot_qpos, env.data.qpos)
    assert scout.creep(scouted, plan) == scout.creep(scouted, plan)
    mujoco.mj_getState(env.model, env.data, after, STATE_KIND)
    np.testing.assert_array_equal(before, after)
    assert not env.model.opt.enableflags & mujoco.mjtEnableBit.mjENBL_SLEEP


def test_what_rests_sleeps_in_a_trial(scouted, plans):
    scout.try_grasp(scouted, plans[0])
    assert scouted.data.ntree_awake < scouted.scene.model.ntree


def test_an_open_hand_holds_and_tolerates_nothing(scouted, plans):
    plan, _ = plans
    open_hand = plan.actions.copy()
    open_hand[:, spec.HAND] = spec.HAND_OPEN
    limp = replace(plan, actions=open_hand)
    assert scout.creep(scouted, limp) == float("inf")
    assert not scout.tolerates(scouted, limp, np.random.default_rng(0))


def test_the_scout_foresees_what_happens_in_the_scene():
    stage = Stage("train", "g0r", hold_s=1.0)
    stage.reset(options={"index": INDEX})
    take = Take(stage)
    script, start = Script(take), take.mark()
    foreseen, seen = [], []
    for plan in itertools.islice(script.motions(), 5):
        foreseen.append(scout.creep(script.scout, plan) <= SLIDING_M)
        seen.append(script.carry_out(plan) <= SLIDING_M)
        take.back_to(start)
    # It does not look at the way there, on which the hand may brush a neighbour.
    assert np.sum(np.array(foreseen) == seen) >= 4
    assert sum(seen) >= 3
