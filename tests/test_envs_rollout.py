"""The one loop: observers hear every moment in order, and the row says what happened."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scripted import SUITE, grasp

from datagen.expert import Expert
from envs import spec
from envs.changes import Changes, Shove
from envs.episode import make_episode
from envs.interface import GAVE_UP, HELD, OUTCOMES, EpisodeResult, Policy
from envs.interventions import SHOVE_AFTER_STEPS
from envs.placing import SHOVE_STEPS
from envs.rollout import Observer, attempt_seed, attempt_word, run_episode
from envs.sim import SimEnv


class Replay(Policy):
    """One list of actions for each attempt, the last one held; an empty list stands still."""

    name = "replay"

    def __init__(self, *attempts):
        self.attempts, self.seeds = attempts, []

    def reset(self, env, seed):
        self.actions, self.seeds, self.last = list(self.attempts[len(self.seeds)]), [*self.seeds, seed], None

    def act(self, observation):
        if self.actions:
            self.last = self.actions.pop(0)
        return observation[spec.STATE] if self.last is None else self.last


class Diary(Observer):
    def __init__(self):
        self.lines, self.last = [], None

    def on_reset(self, env, observation, info):
        assert env.progress.steps == 0
        self.lines.append("reset")
        self.last = observation

    def on_step(self, env, action, observation, reward, info):
        assert action.shape == (13,)
        assert observation is not self.last
        self.lines.append(info["outcome"] or "step")
        self.last = observation

    def on_end(self, env, result):
        self.lines.append(result)


@pytest.fixture(scope="module")
def env():
    return SimEnv(SUITE)


def test_observers_hear_every_moment_of_every_attempt_in_order(env):
    episode, actions = grasp()
    diaries = [Diary(), Diary()]
    policy = Replay([], actions)
    result = run_episode(env, policy, episode, attempts=3, observers=diaries)
    timeout = ["reset"] + ["step"] * 299 + ["timeout"]
    success = ["reset"] + ["step"] * (len(actions) - 1) + ["success"]
    assert diaries[0].lines == [*timeout, *success, result]
    assert diaries[1].lines == diaries[0].lines
    assert policy.seeds == [attempt_seed(episode, 0), attempt_seed(episode, 1)]  # the third attempt is not needed


def test_the_row_tells_the_whole_story(env):
    episode, actions = grasp()
    result = run_episode(env, Replay([], actions), episode, attempts=2)
    assert (result.suite, result.version, result.index) == (episode.suite, episode.version, episode.index)
    assert (result.spec_hash, result.instruction) == (episode.hash, episode.instruction)
    assert result.target == episode.objects[0].object_id
    assert result.family == env.scene.objects[0].family
    assert result.objects == len(episode.objects)
    assert (result.outcome, result.success, result.attempts) == ("success", True, 2)
    assert result.attempt_outcomes == ("timeout", "success")
    assert result.steps == 300 + len(actions)
    assert result.policy_s == pytest.approx(result.steps * spec.CONTROL_PERIOD_S)
    assert 0 < result.lift_s <= (len(actions) - 9) * spec.CONTROL_PERIOD_S + 1e-9
    assert 0 <= result.max_contact_force_n < spec.COLLISION_FORCE_N
    assert 0 <= result.max_neighbour_motion_m < spec.DISTURBED_M
    assert 0 <= result.slip_m < 0.05
    assert result.error == ""
    row = json.loads(json.dumps(result.as_dict()))
    assert EpisodeResult(**{**row, "attempt_outcomes": tuple(row["attempt_outcomes"])}) == result


def test_a_row_is_a_function_of_episode_and_policy_whatever_was_played_before(env):
    episode = grasp()[0]
    one = run_episode(env, Expert(), episode)
    run_episode(env, Replay([]), make_episode(SUITE, 2))
    two = run_episode(env, Expert(), episode)
    other = run_episode(SimEnv(SUITE, obs_mode="rgb", image_size=(64, 48)), Expert(), episode)
    assert replace(one, wall_s=0.0) == replace(two, wall_s=0.0) == replace(other, wall_s=0.0)
    assert one.success
    assert one.wall_s > 0


class Bridging(Replay):
    bridges_latency = True


class Acted(Observer):
    def __init__(self):
        self.actions = []

    def on_step(self, env, action, observation, reward, info):
        self.actions.append(action)


@pytest.mark.parametrize(("kind", "late"), [(Replay, 3), (Bridging, 0)])
def test_where_the_world_does_not_wait_actions_come_late_unless_the_policy_sees_to_it(env, kind, late):
    episode, actions = grasp()
    slow, acted = replace(episode, changes=replace(episode.changes, latency_ms=120.0)), Acted()
    result = run_episode(env, kind(actions), slow, observers=[acted])
    usual = run_episode(env, Replay(actions), episode)
    assert len(acted.actions) == len(actions) + late
    np.testing.assert_array_equal(acted.actions[late:], actions)
    for waiting in acted.actions[:late]:
        np.testing.assert_array_equal(waiting, acted.actions[0])
    assert result.success
    assert result.lift_s == pytest.approx(usual.lift_s + 0.05 * late)


def test_a_policy_that_stands_still_fails_as_often_as_it_may_try(env):
    result = run_episode(env, Replay([], [], []), make_episode(SUITE, 2), attempts=3)
    assert result.attempt_outcomes == ("timeout",) * 3
    assert (result.success, result.steps, result.lift_s, result.slip_m) == (False, 900, None, None)
    assert result.max_neighbour_motion_m < 0.003


def test_a_row_says_whether_the_target_was_shoved_and_how_long_it_took_from_then_on(env):
    episode, actions = grasp()
    nudged = replace(episode, changes=Changes(shove=Shove(9.0, (0.0004, 0.0), 0.0)))  # wherever the hand is
    result = run_episode(env, Replay([], actions), nudged, attempts=2)
    over_s = (SHOVE_AFTER_STEPS + SHOVE_STEPS) * spec.CONTROL_PERIOD_S
    assert (result.attempt_outcomes, result.shoved) == (("timeout", "success"), True)
    assert result.recovery_s == pytest.approx(spec.ATTEMPT_S + result.lift_s - over_s)
    row = json.loads(json.dumps(result.as_dict()))
    assert EpisodeResult(**{**row, "attempt_outcomes": tuple(row["attempt_outcomes"])}) == result
    far = replace(episode, changes=Changes(shove=Shove(0.01, (0.03, 0.0), 0.0)))
    never = run_episode(env, Replay([]), far)
    assert (never.shoved, never.recovery_s) == (False, None)
    assert never.as_dict()["shoved"] is False
    assert not {"shoved", "recovery_s"} & replace(never, shoved=None).as_dict().keys()


class Resigned(Replay):
    """Gives the first attempt up, and says nothing in the second."""

    def reset(self, env, seed):
        super().reset(env, seed)
        self.verdict = GAVE_UP if len(self.seeds) == 1 else ""


def test_an_attempt_that_the_policy_s_planner_gave_up_says_planner(env):
    result = run_episode(env, Resigned([], []), make_episode(SUITE, 2), attempts=2)
    assert result.attempt_outcomes == ("planner", "timeout")


def test_a_planner_answers_for_what_it_gave_up_and_for_what_it_took_for_held():
    blamed = {
        verdict: {word for word in OUTCOMES if attempt_word(word, verdict) != word} for verdict in ("", HELD, GAVE_UP)
    }
    assert blamed == {"": set(), HELD: {"timeout", "missed"}, GAVE_UP: {"timeout", "missed", "slipped"}}
    assert attempt_word("timeout", HELD) == "planner"


def test_the_seeds_of_attempts_are_a_function_of_the_episode_and_differ():
    episodes = [make_episode(SUITE, 2), make_episode(SUITE, 3), make_episode("unseen_objects", 2)]
    seeds = [attempt_seed(episode, attempt) for episode in episodes for attempt in range(3)]
    assert len(set(seeds)) == 9
    assert seeds == [attempt_seed(episode, attempt) for episode in episodes for attempt in range(3)]
    assert all(0 <= seed < 2**32 for seed in seeds)


class Thief(Observer):
    """Puts the first neighbour into a free corner of the table after the very first step."""

    def __init__(self):
        self.stolen_m = None

    def on_step(self, env, action, observation, reward, info):
        if self.stolen_m is None:
            place = env.scene.object_qpos[1][:2]
            self.stolen_m = float(np.linalg.norm(env.data.qpos[place] - [0.75, 0.4]))
            env.data.qpos[place] = [0.75, 0.4]


def test_the_motion_of_neighbours_is_that_of_the_whole_episode(env):
    """The second attempt begins in the scene that the first one left; the row still knows where things stood."""
    thief = Thief()
    result = run_episode(env, Replay([], []), grasp()[0], attempts=2, observers=[thief])
    assert thief.stolen_m > 0.1
    assert result.max_neighbour_motion_m == pytest.approx(thief.stolen_m, abs=0.01)
