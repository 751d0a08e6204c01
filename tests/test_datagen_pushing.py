"""Flat targets in real physics: pulled until enough of them stands out over the tray, taken by the rim, held."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from assets.objects import library
from datagen import pushing, search
from datagen.branch import Branch
from datagen.expert import Expert
from datagen.jobs import Request, make_job
from datagen.play import play
from datagen.stage import Stage
from envs import spec
from envs.episode import make_episode
from envs.outcome import ATTEMPT_STEPS
from envs.rollout import run_episode
from envs.sim import STATE_KIND, SimEnv


@pytest.fixture(scope="module")
def env():
    made = SimEnv("nonprehensile", obs_mode="state")
    yield made
    made.close()


def branch_of(env, episode) -> Branch:
    env.reset(seed=0, options={"episode": episode})
    branch = Branch(env.scene)
    branch.snapshot(env.data, env.servo)
    return branch


def alone_at(index: int, x: float):
    """The target of an episode without neighbours, so far from the robot (m)."""
    episode = make_episode("nonprehensile", index)
    target = episode.objects[0]
    return replace(episode, objects=(replace(target, pos=(x, *target.pos[1:])),))


def test_flat_is_what_no_hand_takes_from_the_table():
    assert all(pushing.is_flat(library.get_object(i)) for i in library.FLAT_SEEN + library.FLAT_UNSEEN)
    assert not any(pushing.is_flat(library.get_object(i)) for i in library.ALL[::7] + library.SHAPES[:14])


def test_a_pull_leaves_the_target_on_the_table_with_its_rim_over_the_tray(env):
    branch = branch_of(env, make_episode("nonprehensile", 29))
    before = pushing.overhang_m(branch)
    pull = next(pushing._pulls(branch, env.servo.reference_rad))
    rotation, position = pull.after.target_pose()
    assert before < 0 < 0.03 <= pushing.overhang_m(pull.after)
    assert position[0] > pushing.EDGE_X + 0.01
    assert position[2] == pytest.approx(branch.target_pose()[1][2], abs=0.001)
    assert rotation[2, 2] > 0.999
    np.testing.assert_allclose(branch.target_pose()[1], env.data.xpos[env.scene.object_bodies[0]])


def test_what_already_stands_out_is_taken_without_a_pull(env):
    far = branch_of(env, make_episode("nonprehensile", 29))
    x = far.target_pose()[1][0] + pushing.overhang_m(far) - 0.055
    branch = branch_of(env, alone_at(29, float(x)))
    pull = next(pushing._pulls(branch, env.servo.reference_rad))
    assert len(pull.actions) == 0
    assert pull.after is branch
    plan = pushing.find_plan(branch, env.servo.reference_rad)
    assert plan.reach_steps < 130


def test_the_same_scene_leads_to_the_same_plan_and_what_failed_is_avoided(env):
    branch = branch_of(env, make_episode("nonprehensile", 36))
    first, again = (pushing.find_plan(branch, env.servo.reference_rad) for _ in range(2))
    np.testing.assert_array_equal(first.actions, again.actions)
    assert len(first.actions) == len(first.phases) < ATTEMPT_STEPS
    assert np.all(np.diff(first.phases) >= 0)
    assert set(first.phases) == set(range(len(search.PHASES)))
    assert first.phases[first.reach_steps] == search.CLOSE
    assert np.all((first.actions >= spec.ACTION_LOW) & (first.actions <= spec.ACTION_HIGH))
    failed = (first.grasp.template, first.grasp.azimuth_deg)
    other = pushing.find_plan(branch, env.servo.reference_rad, frozenset([failed]))
    assert other is None or (other.grasp.template, other.grasp.azimuth_deg) != failed


def test_out_of_reach_there_is_no_plan(env):
    branch = branch_of(env, alone_at(29, 0.75))
    assert pushing.find_plan(branch, env.servo.reference_rad) is None


@pytest.mark.parametrize(("index", "hand"), [(0, "g0r"), (77, "g0r"), (60, "rh56")])
def test_the_expert_pulls_grasps_and_holds(index, hand):
    env = SimEnv("nonprehensile", obs_mode="state", hand=hand)
    result = run_episode(env, Expert(), make_episode("nonprehensile", index))
    env.close()
    assert result.outcome == "success"
    assert result.max_contact_force_n <= search.GENTLE_N
    assert result.slip_m < 0.03


@pytest.mark.parametrize(("asked", "happened"), [("none", "none"), ("slip", "shove")])
def test_demonstrations_of_flat_targets_pull_them_too(asked, happened):
    request = Request(suite="nonprehensile_train", hold_s=1.0, tolerant=True)
    stage = Stage(request.suite, request.hand, request.hold_s)
    demonstrated = play(stage, request, replace(make_job(request, 0), recovery=asked))
    data, closing = mujoco.MjData(stage.model), int(np.argmax(demonstrated.phases == search.CLOSE))
    place_x = []
    for row in (0, closing):
        mujoco.mj_setState(stage.model, data, demonstrated.states[row], STATE_KIND)
        place_x.append(stage.scene.object_poses(data)[0, 0])
    stage.close()
    assert demonstrated.success
    assert demonstrated.recovery == happened
    assert place_x[1] < place_x[0] - 0.05
