"""SimEnv as Gymnasium sees it: contract, options, errors, observations and rewards."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.passive_env_checker import env_render_passive_checker
from scripted import digest, grasp

import envs
from assets.robots.hands import HANDS
from envs import spec
from envs.episode import EpisodeSpec, make_episode
from envs.instruction import InstructionSpace
from envs.interface import ActionError, EpisodeError
from envs.registration import ENV_ID
from envs.sensing import Rig
from envs.sim import OBS_MODES, SimEnv

ROOT = Path(__file__).parent.parent
SMALL = (64, 48)
MODES = [
    {"obs_mode": mode, "hand": hand, "reward_mode": reward, "segmentation": segmentation}
    for mode in OBS_MODES
    for hand in HANDS
    for reward, segmentation in (("sparse", True), ("dense", False))
]


def stay(env: SimEnv) -> np.ndarray:
    return env.servo.measured(env.data)


@pytest.fixture(scope="module")
def still_env():
    env = SimEnv(obs_mode="rgb", image_size=SMALL, segmentation=True)
    yield env
    env.close()


@pytest.mark.parametrize("mode", MODES, ids=lambda m: "-".join(map(str, m.values())))
def test_gymnasium_s_checker_finds_nothing_in_any_mode(mode, monkeypatch):
    """Warnings are errors here. Render modes that need a screen are checked in test_envs_window.py."""
    monkeypatch.setattr(SimEnv, "metadata", {**SimEnv.metadata, "render_modes": ["rgb_array"]})
    check_env(SimEnv(image_size=SMALL, **mode), skip_render_check=True)
    made = gym.make(ENV_ID, image_size=SMALL, render_mode="rgb_array", **mode)
    check_env(made.unwrapped)
    made.close()


def test_the_made_environment_passes_the_checks_of_its_wrappers_and_has_no_step_limit_but_its_own():
    env = gym.make("DexClutter/Grasp-v0", obs_mode="rgb", image_size=SMALL, render_mode="rgb_array")
    wrappers, inner = [], env
    while inner is not env.unwrapped:
        wrappers.append(type(inner).__name__)
        inner = inner.env
    assert sorted(wrappers) == ["OrderEnforcing", "PassiveEnvChecker"]
    assert env.spec.max_episode_steps is None
    observation, _ = env.reset(seed=1)
    for _ in range(3):
        observation, *_ = env.step(observation["state"])
    assert env_render_passive_checker(env.unwrapped).shape == (480, 640, 3)
    env.close()


def test_importing_the_package_registers_the_environment_without_loading_a_simulator():
    code = (
        "import sys, gymnasium, envs, envs.spec, envs.interface, policy\n"
        "assert 'DexClutter/Grasp-v0' in gymnasium.registry\n"
        "sys.exit(', '.join({'mujoco', 'dm_control', 'torch', 'OpenGL'} & sys.modules.keys()) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    code = "import gymnasium; print(gymnasium.make('envs:DexClutter/Grasp-v0').reset(seed=3)[0]['instruction'])"
    named = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert named.stdout.strip() == SimEnv().reset(seed=3)[0]["instruction"]


def test_registering_again_changes_nothing():
    before = gym.registry[ENV_ID]
    envs.register()
    assert gym.registry[ENV_ID] is before


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"suite": "x"}, r"unknown suite 'x'.*seen_objects"),
        ({"hand": "x"}, r"hand must be one of .*g0r.*'x'"),
        ({"obs_mode": "x"}, r"obs_mode must be one of state, rgb; got 'x'"),
        ({"reward_mode": "x"}, r"reward_mode must be one of sparse, dense; got 'x'"),
        ({"render_mode": "x"}, r"render_mode must be one of None, rgb_array, human; got 'x'"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_choices(wrong, words):
    with pytest.raises(EpisodeError, match=words):
        SimEnv(**wrong)


def test_before_the_first_reset_everything_asks_for_it():
    env = SimEnv(render_mode="rgb_array")
    for ask in (lambda: env.model, lambda: env.instruction, env.render, env.retry, env.save_state):
        with pytest.raises(EpisodeError, match=r"call reset\(\) first"):
            ask()
    with pytest.raises(EpisodeError, match=r"call reset\(\) first"):
        env.step(np.zeros(13))
    env.close()
    env.close()


def test_a_seed_decides_the_scene_and_later_resets_go_on_from_it():
    env, other = SimEnv(), SimEnv()
    first, second = env.reset(seed=11)[1], env.reset()[1]
    index = env.scene.episode.index
    assert digest(other.reset(seed=11)[1], other.reset()[1]) == digest(first, second)
    assert other.scene.episode.index == index
    assert digest(first) != digest(second)
    assert digest(env.reset(seed=12)[1]) != digest(first)


def test_reset_takes_an_index_an_episode_or_its_json():
    env = SimEnv("unseen_objects")
    episode = make_episode("unseen_objects", 5)
    ways = [{"index": 5}, {"index": np.int64(5)}, {"episode": episode}, {"episode": episode.as_dict()}]
    fingerprints = {digest(env.reset(seed=0, options=way)) for way in ways}
    assert len(fingerprints) == 1
    assert env.scene.episode == episode
    assert env.instruction == env.task_description == episode.instruction


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"colour": 1}, r"reset options are 'episode' or 'index'; got colour"),
        ({"index": 1, "episode": make_episode("seen_objects", 1)}, "not both"),
        ({"index": -1}, "start at 0"),
        ({"episode": 7}, r"EpisodeSpec or its as_dict\(\); got int"),
        ({"episode": {"suite": "seen_objects"}}, "not an episode"),
        ({"episode": replace(make_episode("seen_objects", 1), instruction="")}, "1 to 240"),
        ({"episode": replace(make_episode("seen_objects", 1), instruction="a" * 241)}, "1 to 240"),
        ({"episode": replace(make_episode("seen_objects", 1), instruction="grüner Becher")}, "ASCII"),
        ({"episode": replace(make_episode("seen_objects", 1), objects=())}, "1 to 12 objects"),
    ],
)
def test_a_reset_that_cannot_be_is_refused_and_leaves_the_episode_alone(options, words, still_env):
    still_env.reset(seed=0, options={"index": 2})
    with pytest.raises(EpisodeError, match=words):
        still_env.reset(options=options)
    assert still_env.scene.episode.index == 2
    still_env.step(stay(still_env))


def test_an_action_that_is_none_is_refused_and_nothing_moves(still_env):
    still_env.reset(seed=0, options={"index": 2})
    before = digest(still_env.save_state().physics)
    for wrong in (np.zeros(12), np.full(13, np.nan), np.zeros((1, 13))):
        with pytest.raises(ActionError):
            still_env.step(wrong)
    assert digest(still_env.save_state().physics) == before


def test_observations_hold_what_a_robot_would_know_and_nothing_more(still_env):
    observation, info = still_env.reset(seed=0, options={"index": 2})
    assert list(observation) == ["state", "instruction", "head", "wrist"]
    assert list(SimEnv().reset(seed=0)[0]) == ["state", "instruction"]
    assert observation["instruction"] == info["instruction"] == still_env.instruction
    np.testing.assert_array_equal(observation["state"], stay(still_env))
    start = still_env.scene.episode.arm_start_rad / spec.ARM_SCALE_RAD
    np.testing.assert_allclose(observation["state"][spec.ARM], start, atol=1e-6)


def test_pictures_show_the_present_moment(still_env):
    observation, _ = still_env.reset(seed=0, options={"index": 2})
    for _ in range(3):
        with Rig(still_env.model, SMALL) as rig:
            mujoco.mj_forward(still_env.model, still_env.data)
            for camera in spec.CAMERAS:
                assert observation[camera].shape == (48, 64, 3)
                np.testing.assert_array_equal(observation[camera], rig.render(still_env.data, camera))
        still_env.picture("outside")  # another picture in between must not leak into the next observation
        action = stay(still_env)
        action[spec.ARM] += 0.05
        observation, *_ = still_env.step(action)


def test_privileged_readings_are_in_info(still_env):
    _, info = still_env.reset(seed=0, options={"index": 3})
    count = info["object_count"]
    assert count == len(still_env.scene.episode.objects)
    np.testing.assert_array_equal(info["object_poses"][:count], still_env.scene.object_poses(still_env.data))
    assert not info["object_poses"][count:].any()
    assert not info["hand_touches"].any()
    bodies = still_env.scene.object_bodies
    with Rig(still_env.model, SMALL) as rig:
        seen = rig.segment(still_env.data, "head")
    labels = info["segmentation"]
    for i, body in enumerate(bodies):
        np.testing.assert_array_equal(labels == i + 1, seen == body)
    assert (labels == 1).any()
    assert set(np.unique(labels)) <= set(range(count + 1))


def test_the_hand_s_touches_are_told_object_by_object():
    episode, actions = grasp()
    env = SimEnv()
    env.reset(seed=0, options={"episode": episode})
    bodies = list(env.scene.object_bodies)
    for action in actions[:-1]:
        *_, info = env.step(action)
        expected = np.zeros(12, dtype=bool)
        for contact in env.data.contact:
            one, two = (env.model.geom_bodyid[g] for g in contact.geom)
            for hand, other in ((one, two), (two, one)):
                if env.model.body(hand).name.startswith("hand/") and other in bodies:
                    expected[bodies.index(other)] = True
        np.testing.assert_array_equal(info["hand_touches"], expected)
        assert info["hand_on_target"] == expected[0]
    assert info["hand_on_target"]


def test_an_attempt_without_contact_is_cut_after_15_s_and_says_timeout():
    env = SimEnv()
    env.reset(seed=0, options={"index": 2})
    action = stay(env)
    for step in range(1, 301):
        _, reward, terminated, truncated, info = env.step(action)
        assert (reward, terminated, info["success"]) == (0.0, False, False)
        assert truncated == (step == 300)
        assert info["outcome"] == ("timeout" if step == 300 else "")
        assert info["time_s"] == pytest.approx(step * 0.05)
    with pytest.raises(EpisodeError, match=r"ended \(timeout\); call reset\(\) or retry\(\)"):
        env.step(action)


@pytest.mark.parametrize("hand", HANDS)
def test_a_grasp_that_works_is_a_success_and_pays_one_in_the_last_step_alone(hand):
    episode, actions = grasp(hand)
    for reward_mode in ("sparse", "dense"):
        env = SimEnv(hand=hand, reward_mode=reward_mode)
        env.reset(seed=0, options={"episode": episode})
        rewards = []
        for action in actions:
            _, reward, terminated, truncated, info = env.step(action)
            rewards.append(reward)
        assert (terminated, truncated) == (True, False)
        assert info["success"] is info["is_success"] is True
        assert info["outcome"] in ("success", "disturbed")
        assert info["target_lowest_m"] >= spec.LIFT_HEIGHT_M
        assert env.data.time == pytest.approx(len(actions) * 0.05 + 20.0)
        assert rewards[-1] == 1.0
        if reward_mode == "sparse":
            assert not any(rewards[:-1])
        else:
            assert all(0.0 < r < 1.0 for r in rewards[:-1])
            assert rewards[-2] > 0.6 > 0.3 > rewards[0]  # shaping leads from afar to a lifted object


def test_looking_changes_nothing():
    episode, actions = grasp()
    states = []
    for mode, segmentation in (("state", False), ("rgb", True)):
        env = SimEnv(obs_mode=mode, image_size=SMALL, segmentation=segmentation)
        env.reset(seed=0, options={"episode": episode})
        for action in actions[:40]:
            env.step(action)
            if mode == "rgb":
                env.picture("side")
        states.append(digest(env.save_state().physics))
        env.close()
    assert states[0] == states[1]


def test_every_instruction_of_the_space_is_plain_text():
    space = InstructionSpace()
    assert space == gym.spaces.Text(min_length=1, max_length=240, charset=space.characters)
    assert "take the light-blue (small) mug, left of it!" in space
    assert "" not in space
    assert isinstance(EpisodeSpec.from_dict(make_episode("seen_objects", 1).as_dict()), EpisodeSpec)
