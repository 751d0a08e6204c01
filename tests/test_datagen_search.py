"""Plans are tested in a copy of the physics, and the copy tells the truth about the real episode."""

import numpy as np
import pytest

from datagen import motion, search
from datagen.branch import Branch
from datagen.expert import Expert
from envs import spec
from envs.episode import make_episode
from envs.rollout import run_episode
from envs.sim import SimEnv

EASY = 1  # an episode whose first candidates hold


@pytest.fixture(scope="module")
def env():
    made = SimEnv("unseen_objects")
    yield made
    made.close()


@pytest.fixture(scope="module")
def planned(env):
    env.reset(options={"index": EASY})
    branch = Branch(env.scene)
    branch.snapshot(env.data, env.servo)
    plan = search.find_plan(branch, env.servo.reference_rad, np.random.default_rng(0))
    return branch, plan


def test_a_plan_has_all_phases_in_order_and_stays_in_the_action_space(planned):
    _, plan = planned
    assert plan is not None
    assert plan.tolerant
    assert plan.actions.shape == (len(plan.phases), spec.ACTION_DIM)
    assert (np.diff(plan.phases) >= 0).all()
    assert set(plan.phases) == set(range(len(search.PHASES)))
    assert (plan.actions >= spec.ACTION_LOW - 1e-6).all()
    assert (plan.actions <= spec.ACTION_HIGH + 1e-6).all()
    jumps = np.abs(np.diff(plan.actions[:, spec.ARM], axis=0)) * spec.ARM_SCALE_RAD
    assert jumps.max() < 0.2


def test_a_trial_leaves_the_real_episode_alone_and_repeats_to_the_bit(env, planned):
    branch, plan = planned
    before = env.data.qpos.copy()
    one = branch.try_out(plan.actions, 10**6)
    two = branch.try_out(plan.actions, 10**6)
    assert one == two
    np.testing.assert_array_equal(env.data.qpos, before)


def test_the_copy_predicts_the_real_motion_to_the_bit(env, planned):
    branch, plan = planned
    env.reset(options={"index": EASY})
    branch.try_out(plan.actions[:40], 10**6)
    for action in plan.actions[:40]:
        env.step(action)
    np.testing.assert_array_equal(env.data.qpos, branch.data.qpos)
    np.testing.assert_array_equal(env.data.qvel, branch.data.qvel)


def test_a_trial_can_fail(planned):
    branch, plan = planned
    open_hand = plan.actions.copy()
    open_hand[:, spec.HAND] = spec.HAND_OPEN
    assert not branch.try_out(open_hand, 10**6).holds(search.HOLD_HEIGHT_M, search.SLIDING_M)
    far = branch.try_out(plan.actions, 10**6, plan.reach_steps - 5, (0.0, 0.12, 0.0))
    assert not far.holds(search.HOLD_HEIGHT_M, search.SLIDING_M)


def test_a_shifted_target_stands_where_it_was_put(planned):
    branch, plan = planned
    _, at = branch.target_pose()
    branch.try_out(plan.actions[:21], 10**6, 20, (0.01, -0.02, 0.3))
    np.testing.assert_allclose(branch.data.xpos[branch.scene.object_bodies[0]][:2], at[:2] + (0.01, -0.02), atol=2e-3)


def test_blocked_sees_table_and_neighbours_and_brushing_forgives_neighbours_only(env, planned):
    branch, plan = planned
    branch.snapshot(env.data, env.servo)
    resting = np.asarray(env.scene.hand.rest_action)
    assert not branch.blocked(np.asarray(env.scene.episode.arm_start_rad), resting)
    pose = plan.grasp.hand_in_world.copy()
    pose[2, 3] -= 0.06
    into_table = motion.ranked_postures(pose, env.servo.reference_rad)[0]
    assert branch.blocked(into_table, plan.grasp.preshape)
    assert branch.blocked(into_table, plan.grasp.preshape, brush=True)
    pose = plan.grasp.hand_in_world.copy()
    pose[:3, 3] = env.scene.episode.objects[1].pos - pose[:3, 2] * 0.1 + (0, 0, 0.03)
    into_neighbour = motion.ranked_postures(pose, env.servo.reference_rad)[0]
    assert branch.blocked(into_neighbour, plan.grasp.preshape)
    assert branch.path_blocked(np.stack([env.servo.reference_rad, into_neighbour]), plan.grasp.preshape)


def test_the_expert_succeeds_and_is_the_same_twice(env):
    results = [run_episode(env, Expert(), make_episode("unseen_objects", EASY)).as_dict() for _ in range(2)]
    for result in results:
        result.pop("wall_s")
    assert results[0] == results[1]
    assert results[0]["success"]
    assert 55 <= results[0]["steps"] <= 120


def test_the_expert_grasps_again_after_a_real_failure(env):
    class Clumsy(Expert):
        """Loses its first grasp: the hand opens while it lifts."""

        def act(self, observation):
            action = super().act(observation).copy()
            self.count = getattr(self, "count", 0) + 1
            if 40 < self.count < 75:
                action[spec.HAND] = spec.HAND_OPEN
            return action

    result = run_episode(env, Clumsy(), make_episode("unseen_objects", EASY))
    assert result.success
    assert result.attempts == 1
    assert result.steps > 120


def test_the_expert_refuses_what_it_cannot_branch():
    import gymnasium

    class Other(gymnasium.Env):
        """Not a simulation of ours."""

    with pytest.raises(TypeError, match="needs a SimEnv"):
        Expert().reset(Other(), 0)
