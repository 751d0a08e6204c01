"""Physics first: what is played is what SimEnv would have played, disturbed where that was asked for."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from assets.robots.rm75 import MAX_SPEED_RAD_S
from datagen import search
from datagen.frames import Frames
from datagen.jobs import Request, make_job
from datagen.pictures import draw
from datagen.recovery import MOVED_START_RAD, SHOVE_M, SHOVE_RAD
from datagen.stage import SAFETY, Stage, expected_lowest_m, play
from envs import spec
from envs.outcome import HOLD_STEPS, is_success
from envs.sim import STATE_KIND, SimEnv

SIZE = (64, 48)
INDEX = 2
QUICK = Request(hold_s=1.0, tolerant=False)


@pytest.fixture(scope="module")
def stage():
    made = Stage("train", "g0r", QUICK.hold_s)
    yield made
    made.close()


def played(stage, kind, index=INDEX):
    return play(stage, QUICK, replace(make_job(QUICK, index), recovery=kind))


@pytest.fixture(scope="module")
def plain(stage):
    return played(stage, "none")


def poses(stage, result):
    """Target poses (T, 7) in the stored states."""
    data = mujoco.MjData(stage.model)
    rows = []
    for state in result.states:
        mujoco.mj_setState(stage.model, data, state, STATE_KIND)
        rows.append(stage.scene.object_poses(data)[0])
    return np.array(rows)


def test_states_and_pictures_are_to_the_bit_what_the_environment_shows(stage, plain):
    assert plain.success
    assert plain.recovery == "none"
    assert plain.attempts == 1
    moving = replace(plain.episode, look=replace(plain.episode.look, lighting="disco"))
    env = SimEnv(obs_mode="rgb", image_size=SIZE)
    observation, _ = env.reset(options={"episode": moving})
    rows = list(range(0, len(plain.actions), 6))
    seen = draw(env.scene, plain.states[rows], spec.CAMERAS, SIZE)
    pixels = {key: [_inflated(seen[key], row) for row in range(len(rows))] for key in (*spec.CAMERAS, "mask")}
    shown, ended = 0, False
    for row, action in enumerate(plain.actions):
        state = np.empty_like(plain.states[row])
        mujoco.mj_getState(env.model, env.data, state, STATE_KIND)
        np.testing.assert_array_equal(state, plain.states[row])
        np.testing.assert_array_equal(observation[spec.STATE], plain.measured[row])
        if row in rows:
            for camera in spec.CAMERAS:
                np.testing.assert_array_equal(observation[camera], pixels[camera][shown])
            mask = env._observing_rig().body_mask(env.data, spec.HEAD, int(env.scene.object_bodies[0]))
            np.testing.assert_array_equal(mask, pixels["mask"][shown])
            _check_box(seen["box"][shown], mask)
            shown += 1
        assert not ended
        observation, _, ended, _, info = env.step(action)
    assert ended
    assert info["outcome"] == plain.outcome
    env.close()


def _inflated(frames: Frames, row: int) -> np.ndarray:
    import zlib

    return np.frombuffer(zlib.decompress(frames.chunks[row]), np.uint8).reshape(frames.shape[1:])


def _check_box(box, mask):
    rows, columns = np.nonzero(mask)
    assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_phases_run_once_in_order_and_commands_lead_the_joints(plain):
    assert (np.diff(plain.phases) >= 0).all()
    assert set(plain.phases) == set(range(len(search.PHASES)))
    commanded, measured = (v[:, spec.ARM].astype(float) * spec.ARM_SCALE_RAD for v in (plain.actions, plain.measured))
    behind = np.abs(commanded[:-1] - measured[1:]).mean()
    assert behind < np.abs(commanded - measured).mean()  # the state before an action is that of the action before
    assert 0 < behind < 0.02


def test_the_same_job_is_the_same_whatever_was_played_before(stage, plain):
    other = Stage("train", "g0r", QUICK.hold_s)
    played(other, "none", INDEX + 1)
    again = played(other, "none")
    for key in ("states", "measured", "actions", "phases"):
        np.testing.assert_array_equal(getattr(again, key), getattr(plain, key))


def test_a_moved_start_is_part_of_the_scene(stage, plain):
    moved = played(stage, "joints")
    off = np.abs(np.subtract(moved.episode.arm_start_rad, plain.episode.arm_start_rad))
    assert moved.success
    assert moved.recovery == "joints"
    assert 0.05 < off.max() <= MOVED_START_RAD
    assert moved.episode.objects == plain.episode.objects
    start = moved.measured[0, spec.ARM] * spec.ARM_SCALE_RAD
    np.testing.assert_allclose(start, moved.episode.arm_start_rad, atol=1e-5)


def test_a_shoved_target_is_noticed_and_grasped_where_it_is(stage, plain):
    shoved = played(stage, "shove")
    assert shoved.success
    assert shoved.recovery == "shove"
    assert shoved.attempts == 1
    at = poses(stage, shoved)
    jumps = np.linalg.norm(np.diff(at[:, :2], axis=0), axis=1)
    when = int(jumps.argmax())
    assert SHOVE_M[0] - 1e-9 < jumps[when] < SHOVE_M[1] + 1e-3
    turn = 2 * np.arccos(min(1.0, abs(float(at[when, 3:] @ at[when + 1, 3:]))))
    assert turn < SHOVE_RAD + 0.01
    assert shoved.phases[when + 1] == search.REACH
    assert len(shoved.actions) > len(plain.actions)
    np.testing.assert_array_equal(shoved.actions[: when + 1], plain.actions[: when + 1])
    _check_smooth(shoved)


def test_a_missed_grasp_comes_up_empty_and_is_followed_by_another(stage):
    missed = next(p for p in (played(stage, "miss", index) for index in range(INDEX, 20)) if p.recovery == "miss")
    assert missed.success
    assert missed.attempts == 2
    back = np.flatnonzero(np.diff(missed.phases) < 0)
    assert len(back) == 1
    assert missed.phases[back[0]] == search.LIFT
    assert missed.phases[back[0] + 1] == search.REACH
    heights = poses(stage, missed)[:, 2]
    assert heights[: back[0]].max() - heights[0] < 0.02
    assert heights[-1] - heights[0] > spec.LIFT_HEIGHT_M
    _check_smooth(missed)


def _check_smooth(result):
    path = result.actions[:, spec.ARM].astype(float) * spec.ARM_SCALE_RAD
    speed = np.diff(path, axis=0) * spec.CONTROL_HZ
    assert (np.abs(speed).max(axis=0) <= MAX_SPEED_RAD_S).all()
    assert np.abs(np.diff(speed, axis=0) * spec.CONTROL_HZ).max() < 20.0


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


def test_a_scene_without_a_grasp_ends_with_the_planners_word(stage, monkeypatch):
    monkeypatch.setattr("datagen.stage.find_grasp", lambda *_: None)
    result = played(stage, "none")
    assert result.outcome == "planner"
    assert not is_success(result.outcome)
    assert result.actions.shape == (0, spec.ACTION_DIM)
    assert result.states.shape[0] == 0
