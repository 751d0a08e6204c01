"""Holds end early only where the result is plain, and what is taken back leaves no trace."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from datagen.script import Script
from datagen.search import CLOSE_STEPS
from datagen.stage import SAFETY, Stage, Take, expected_lowest_m
from envs import spec
from envs.episode import make_episode
from envs.outcome import HOLD_STEPS, is_success
from envs.sim import SimEnv

INDEX = 2


@pytest.fixture(scope="module")
def stage():
    made = Stage("train", "g0r", hold_s=1.0)
    made.reset(options={"index": INDEX})
    yield made
    made.close()


def test_what_is_taken_back_leaves_no_trace():
    """To the bit: what follows is what an environment shows in which it never happened, even after a whole hold."""
    stage, env = Stage("train", "g0r", hold_s=1.0), SimEnv("train")
    stage.reset(options={"index": INDEX})
    env.reset(options={"index": INDEX})
    take = Take(stage)
    plan = next(Script(take).motions())
    for action, phase in zip(plan.actions[:5], plan.phases, strict=False):
        take.do(action, int(phase))
    take.wrong_rows = 5
    mark = take.mark()
    for action, phase in zip(plan.actions[5:], plan.phases[5:], strict=True):
        if take.goes_on:
            take.do(action, int(phase))
    assert stage.outcome == "success"  # its 20 s have been held, with bodies asleep
    assert stage.crept_m < 0.01
    rows = len(take.rows)
    take.do(plan.actions[-1], 3)
    assert len(take.rows) == rows  # there is nothing more to play
    stage.data.warning[0].number = 1
    ended = take.mark()
    take.wrong_rows = len(take.rows)
    take.back_to(mark)
    assert (len(take.rows), take.wrong_rows, take.goes_on) == (5, 5, True)
    assert stage.is_sound()
    for action in plan.actions[5:12]:
        take.do(action, 0)
    for row in take.rows:
        state = np.empty_like(row.state)
        mujoco.mj_getState(env.model, env.data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        np.testing.assert_array_equal(state, row.state)
        np.testing.assert_array_equal(env.servo.measured(env.data), row.measured)
        env.step(row.action)
    take.back_to(ended)
    assert stage.outcome == "success"
    assert len(take.rows) > plan.reach_steps + CLOSE_STEPS
    assert is_success(stage.outcome)


def test_another_start_needs_no_other_model():
    stage, env = Stage("train", "g0r"), SimEnv("train")
    stage.reset(options={"index": INDEX})
    model, usual = stage.model, np.asarray(stage.scene.episode.arm_start_rad)
    stage.start_elsewhere(tuple(usual + 0.1))
    assert stage.model is model
    env.reset(options={"episode": replace(make_episode("train", INDEX), arm_start_rad=tuple(usual + 0.1))})
    assert stage.scene.episode == env.scene.episode
    for _ in range(3):
        np.testing.assert_array_equal(stage.save_state().physics, env.save_state().physics)
        for each in (stage, env):
            each.step(np.zeros(spec.ACTION_DIM))


def test_a_short_hold_judges_by_how_fast_the_target_sinks():
    steady = [0.13] * 61
    assert expected_lowest_m(steady) == 0.13
    sinking = list(0.13 - 0.0001 * np.arange(61))
    left = HOLD_STEPS - 60
    assert expected_lowest_m(sinking) == pytest.approx(sinking[-1] - SAFETY * 0.0001 * left)
    fallen = [0.13, 0.11, 0.05]
    assert expected_lowest_m(fallen) < spec.LIFT_HEIGHT_M
    whole = list(0.13 - 0.00005 * np.arange(HOLD_STEPS + 1))
    assert expected_lowest_m(whole) == pytest.approx(whole[-1])


@pytest.mark.parametrize(("sinks_m", "steps"), [(0.0, 20), (0.0002, HOLD_STEPS), (0.005, 7)])
def test_a_hold_ends_early_only_where_the_result_is_plain(stage, monkeypatch, sinks_m, steps):
    held = [0]

    def drive(*_):
        held[0] += 1

    monkeypatch.setattr(stage, "_drive", drive)
    heights = {
        0.0: lambda: 0.13,
        0.0002: lambda: max(0.11, 0.13 - 0.0002 * held[0]),
        0.005: lambda: 0.13 - 0.005 * held[0],
    }
    monkeypatch.setattr(type(stage.scene), "lowest_m", lambda *_: heights[sinks_m]())
    stage._readings = replace(stage._readings, target_lowest_m=0.13)
    word = stage._hold(np.zeros(spec.ACTION_DIM))
    assert held[0] == steps
    assert is_success(word) == (sinks_m < 0.001)
