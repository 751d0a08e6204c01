"""What is played is what SimEnv would have played, and it goes wrong where and how that was asked for."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from assets.robots.rm75 import MAX_SPEED_RAD_S
from datagen import script, search
from datagen.frames import Frames
from datagen.jobs import RECOVERIES, Request, make_job
from datagen.pictures import draw
from datagen.play import play
from datagen.recovery import EMPTY_M, MOVED_START_RAD, SHOVE_M, SHOVE_RAD, SLID_M
from datagen.stage import Stage
from envs import spec
from envs.outcome import is_success
from envs.sim import STATE_KIND, SimEnv

SIZE = (64, 48)
INDEX = 2
ROOMY = {"none": INDEX, "joints": INDEX, "shove": INDEX, "miss": 11, "slip": INDEX}  # scenes with room for each kind
QUICK = Request(hold_s=1.0, tolerant=False)


@pytest.fixture(scope="module")
def stage():
    made = Stage("train", "g0r", QUICK.hold_s)
    yield made
    made.close()


def played(stage, kind, index=INDEX, request=QUICK):
    return play(stage, request, replace(make_job(request, index), recovery=kind))


@pytest.fixture(scope="module")
def shows(stage):
    """Kind -> (what was played, target poses (T, 7) before each action)."""
    found = {}
    for kind, index in ROOMY.items():
        result = played(stage, kind, index)
        found[kind] = result, poses(stage, result)
    return found


@pytest.fixture(scope="module")
def plain(shows):
    return shows["none"][0]


def poses(stage, result):
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
    if not mask.any():  # the hand hides a small target
        assert box.tolist() == [-1, -1, -1, -1]
        return
    rows, columns = np.nonzero(mask)
    assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_phases_run_once_in_order_and_commands_lead_the_joints(plain):
    assert (np.diff(plain.phases) >= 0).all()
    assert set(plain.phases) == set(range(len(search.PHASES)))
    commanded, measured = (v[:, spec.ARM].astype(float) * spec.ARM_SCALE_RAD for v in (plain.actions, plain.measured))
    behind = np.abs(commanded[:-1] - measured[1:]).mean()
    assert behind < np.abs(commanded - measured).mean()  # the state before an action is that of the action before
    assert 0 < behind < 0.02


@pytest.mark.parametrize("kind", ["none", "slip"])
def test_the_same_job_is_the_same_whatever_was_played_before(shows, kind):
    other = Stage("train", "g0r", QUICK.hold_s)
    played(other, "none", INDEX + 1)
    again = played(other, kind, ROOMY[kind])
    for key in ("states", "measured", "actions", "phases", "imitate"):
        np.testing.assert_array_equal(getattr(again, key), getattr(shows[kind][0], key))


def test_a_moved_start_is_part_of_the_scene(shows, plain):
    moved, _ = shows["joints"]
    off = np.abs(np.subtract(moved.episode.arm_start_rad, plain.episode.arm_start_rad))
    assert moved.success
    assert moved.recovery == "joints"
    assert 0.05 < off.max() <= MOVED_START_RAD
    assert moved.episode.objects == plain.episode.objects
    start = moved.measured[0, spec.ARM] * spec.ARM_SCALE_RAD
    np.testing.assert_allclose(start, moved.episode.arm_start_rad, atol=1e-5)
    assert moved.imitate.all()


@pytest.mark.parametrize("kind", ROOMY)
def test_every_kind_happens_and_ends_well_and_repeats_to_the_bit_in_the_environment(shows, kind):
    result, _ = shows[kind]
    assert (result.recovery, result.outcome) == (kind, "success")
    assert result.attempts == (2 if kind in ("miss", "slip") else 1)
    env = SimEnv()
    env.reset(options={"episode": result.episode})
    jumped = 0
    for row, action in enumerate(result.actions):
        state = np.empty_like(result.states[row])
        mujoco.mj_getState(env.model, env.data, state, STATE_KIND)
        if kind == "shove" and not np.array_equal(state, result.states[row]):
            jumped += 1  # by the hand of nobody: the one thing that no action explains
            assert row == np.argmax(result.imitate)
            mujoco.mj_setState(env.model, env.data, result.states[row], STATE_KIND)
            mujoco.mj_kinematics(env.model, env.data)
            state = result.states[row]
        np.testing.assert_array_equal(state, result.states[row])
        env.step(action)
    assert jumped == (kind == "shove")
    assert env.outcome == "success"  # held for the whole 20 s
    env.close()


@pytest.mark.parametrize("kind", ROOMY)
def test_commands_are_smooth_whatever_happens(shows, kind):
    path = shows[kind][0].actions[:, spec.ARM].astype(float) * spec.ARM_SCALE_RAD
    speed = np.diff(path, axis=0) * spec.CONTROL_HZ
    assert (np.abs(speed).max(axis=0) <= MAX_SPEED_RAD_S).all()
    assert np.abs(np.diff(speed, axis=0) * spec.CONTROL_HZ).max() < 20.0


def test_a_shoved_target_is_noticed_and_grasped_where_it_is(shows, plain):
    shoved, at = shows["shove"]
    jumps = np.linalg.norm(np.diff(at[:, :2], axis=0), axis=1)
    when = int(jumps.argmax())
    assert SHOVE_M[0] - 1e-9 < jumps[when] < SHOVE_M[1] + 1e-3
    turn = 2 * np.arccos(min(1.0, abs(float(at[when, 3:] @ at[when + 1, 3:]))))
    assert turn < SHOVE_RAD + 0.01
    assert shoved.phases[when + 1] == search.REACH
    assert len(shoved.actions) > len(plain.actions)
    np.testing.assert_array_equal(shoved.actions[: when + 1], plain.actions[: when + 1])
    assert shoved.imitate.tolist() == [False] * (when + 1) + [True] * (len(at) - when - 1)


def test_a_missed_grasp_comes_up_empty_and_is_followed_by_another(stage, shows):
    missed, at = shows["miss"]
    back = _goes_back(missed)
    heights = at[:, 2]
    assert heights[: back + 1].max() - heights[0] < 0.02
    assert np.linalg.norm(at[back, :2] - at[0, :2]) < 0.05
    assert heights[-1] - heights[0] > spec.LIFT_HEIGHT_M


def test_a_slipping_target_is_up_and_down_again_before_the_grasp_that_holds(stage, shows):
    slipped, at = shows["slip"]
    back = _goes_back(slipped)
    rise = at[:, 2] - at[0, 2]
    assert rise[: back + 1].max() > EMPTY_M
    lies = np.flatnonzero(slipped.phases[back + 1 :] > search.REACH)[0] + back
    assert np.linalg.norm(at[lies, :2] - at[0, :2]) < SLID_M
    assert np.abs(at[lies] - at[lies - 3]).max() < 0.005  # it lies still when the hand comes again
    assert rise[-1] - rise[lies] > spec.LIFT_HEIGHT_M
    # It is the fingers that give way, before anything is noticed.
    closed = np.flatnonzero(slipped.phases[: back + 1] == search.CLOSE)[-1]
    opening = slipped.actions[closed + 1 : back + 1, spec.HAND][:, :5]
    assert (np.diff(opening, axis=0) >= -1e-6).all()
    assert opening[-1].max() > opening[0].max()


def _goes_back(result):
    """The last row of the first grasp, which is also the last one not to be imitated."""
    (back,) = np.flatnonzero(np.diff(result.phases) < 0)
    assert result.phases[back] == search.LIFT
    assert result.phases[back + 1] == search.REACH
    assert result.imitate.tolist() == [False] * (back + 1) + [True] * (len(result.phases) - back - 1)
    return int(back)


@pytest.mark.parametrize("kind", RECOVERIES)
def test_a_scene_without_room_for_it_is_shoved_or_left_alone(stage, plain, monkeypatch, kind):
    def no_room(*_):
        return False

    monkeypatch.setattr("datagen.play.moved_start", no_room)
    mishaps = {"shove": no_room, "miss": no_room, "slip": no_room}
    monkeypatch.setattr("datagen.play.MISHAPS", mishaps)
    alone = played(stage, kind)
    assert (alone.recovery, alone.attempts) == ("none", 1)
    np.testing.assert_array_equal(alone.states, plain.states)
    assert alone.imitate.all()


def test_what_cannot_be_grasped_after_a_mishap_is_demonstrated_without_it(stage, plain, monkeypatch):
    real = script.Script.grasp
    monkeypatch.setattr(script.Script, "grasp", lambda self, *most: not most and real(self))
    monkeypatch.setattr("datagen.play.FEW_TRIALS", 1)
    alone = played(stage, "slip")
    assert (alone.recovery, alone.outcome, alone.attempts) == ("none", "success", 1)
    np.testing.assert_array_equal(alone.states, plain.states)


def test_an_attempt_that_ends_in_a_mishap_is_taken_back(stage, plain, monkeypatch):
    def crash(self, *_):
        self.stage.outcome = "collision"

    monkeypatch.setattr(script.Script, "brake", crash)
    monkeypatch.setattr("datagen.play.FEW_TRIALS", 1)
    alone = played(stage, "slip")  # and the shove in its place ends in the same way
    assert (alone.recovery, alone.outcome) == ("none", "success")
    np.testing.assert_array_equal(alone.states, plain.states)


def test_a_scene_where_nothing_holds_ends_with_the_word_for_what_was_tried(stage, monkeypatch):
    monkeypatch.setattr(script.Script, "grasp", lambda *_: False)
    real = script.plan_motion

    def clumsy(*arguments):
        plan = real(*arguments)
        plan.actions[:, spec.HAND] = spec.HAND_OPEN
        return plan

    monkeypatch.setattr(script, "plan_motion", clumsy)
    result = played(stage, "none")
    assert result.outcome in ("missed", "timeout")
    assert len(result.actions) == spec.ATTEMPT_S * spec.CONTROL_HZ
    monkeypatch.setattr(script, "plan_motion", lambda *_: None)
    nothing = played(stage, "none")
    assert nothing.outcome == "planner"
    assert not is_success(nothing.outcome)
    assert nothing.actions.shape == (0, spec.ACTION_DIM)
    assert nothing.states.shape[0] == 0
