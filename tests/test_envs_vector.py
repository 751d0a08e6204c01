"""Many environments at once: one process, several, started by fork or by spawn, all give the same bits."""

import multiprocessing

import gymnasium as gym
import numpy as np
import pytest
from fresh import in_a_fresh_process
from scripted import digest, grasp

from envs.episode import EpisodeSpec
from envs.instruction import InstructionSpace, SharedTexts
from envs.registration import ENV_ID
from envs.sim import SimEnv

PICTURES = {"obs_mode": "rgb", "image_size": (64, 64)}
WAYS = [("sync", None), ("async", "fork"), ("async", "spawn")]
Mode = gym.vector.AutoresetMode


def vector(way: str, context: str | None, copies: int = 2, autoreset: Mode = Mode.NEXT_STEP, **mode):
    extra = {"autoreset_mode": autoreset} | ({} if context is None else {"context": context})
    return gym.make_vec(ENV_ID, num_envs=copies, vectorization_mode=way, vector_kwargs=extra, **mode)


def wild_actions(steps: int, copies: int) -> np.ndarray:
    """Smooth waves wide enough to run into the table: some attempts end early."""
    rng = np.random.default_rng(3)
    phase, rate = rng.uniform(0, 6, (2, copies, 13)) * [[[1.0]], [[0.2]]]
    time = np.arange(steps)[:, None, None]
    waves = np.sin(phase + rate * time)
    waves[..., 7:] = (waves[..., 7:] + 1) / 2
    return waves.astype(np.float32)


def played(way: str, context: str | None, steps: int, autoreset: Mode, **mode) -> tuple[list[str], int]:
    """A fingerprint of the reset and of each step, and how many attempts ended."""
    envs = vector(way, context, autoreset=autoreset, **mode)
    prints, ends = [digest(envs.reset(seed=9))], 0
    for action in wild_actions(steps, envs.num_envs):
        result = envs.step(action)
        prints.append(digest(result))
        ends += int(np.sum(result[2] | result[3]))
    envs.close()
    return prints, ends


@pytest.mark.parametrize("autoreset", [Mode.NEXT_STEP, Mode.SAME_STEP])
@pytest.mark.parametrize(
    "mode",
    [{"obs_mode": "state", "reward_mode": "dense"}, {**PICTURES, "segmentation": True, "hand": "rh56"}],
    ids=["state", "rgb"],
)
@in_a_fresh_process
def test_sync_and_async_agree_to_the_bit_also_beyond_the_end_of_an_attempt(mode, autoreset):
    expected, ends = played("sync", None, 15, autoreset, **mode)
    assert ends >= 1
    assert len(set(expected)) == len(expected)
    assert played("async", "fork", 15, autoreset, **mode) == (expected, ends)
    if autoreset is Mode.NEXT_STEP:  # one start of fresh interpreters is enough
        assert played("async", "spawn", 15, autoreset, **mode) == (expected, ends)


@in_a_fresh_process
def test_forked_workers_draw_the_same_after_the_parent_has_drawn():
    parent = SimEnv(**PICTURES)
    parent.reset(seed=0)
    expected, _ = played("sync", None, 3, Mode.NEXT_STEP, **PICTURES)
    assert played("async", "fork", 3, Mode.NEXT_STEP, **PICTURES)[0] == expected
    parent.step(parent.servo.measured(parent.data))  # and the parent's own renderer still lives
    parent.close()


@pytest.mark.parametrize(("way", "context"), WAYS[:2])
@in_a_fresh_process
def test_every_worker_hears_its_own_instruction_in_every_episode(way, context):
    envs = vector(way, context, copies=3)
    for seed in (1, 2):
        observation, info = envs.reset(seed=seed)
        alone = [SimEnv().reset(seed=seed + k)[0]["instruction"] for k in range(3)]
        assert observation["instruction"] == tuple(alone)
        assert list(info["instruction"]) == alone
        assert observation in envs.observation_space
        stepped, *_ = envs.step(observation["state"])
        assert stepped["instruction"] == tuple(alone)
    envs.close()


def test_texts_in_shared_memory_are_read_when_they_are_asked_for():
    space = InstructionSpace()
    codes = np.full((2, space.max_length), len(space.character_set), dtype=np.int32)
    texts = SharedTexts(codes)
    assert list(texts) == ["", ""]
    words = "take the cup, please!"
    codes[1, : len(words)] = [space.character_index(c) for c in words]
    assert list(texts) == ["", words]
    assert len(texts) == 2


def whole_episode(episode: EpisodeSpec, actions: np.ndarray) -> list[str]:
    """A fingerprint of each moment of one episode, frames included, in a process of its own."""
    env = SimEnv(**PICTURES)
    prints = [digest(env.reset(seed=0, options={"episode": episode})[0])]
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(action)
        prints.append(digest(observation, reward, terminated, truncated))
    assert terminated
    assert reward == 1.0
    env.close()
    return prints


def parted(observation: dict, rewards, terminated, truncated, k: int) -> str:
    alone = {key: value[k] for key, value in observation.items()}
    return digest(alone, float(rewards[k]), bool(terminated[k]), bool(truncated[k]))


@pytest.mark.slow
@in_a_fresh_process
def test_one_whole_episode_is_the_same_in_one_worker_two_workers_sync_and_async():
    episode, actions = grasp()
    expected = whole_episode(episode, actions)
    assert len(set(expected)) == len(expected)
    context = multiprocessing.get_context("spawn")
    for count in (1, 2):
        with context.Pool(count) as pool:
            for prints in pool.starmap(whole_episode, [(episode, actions)] * count, chunksize=1):
                assert prints == expected
    for way, how in WAYS[:2]:
        envs = vector(way, how, **PICTURES)
        observation, _ = envs.reset(seed=0, options={"episode": episode})
        assert [digest({k: v[i] for k, v in observation.items()}) for i in range(2)] == [expected[0]] * 2
        for action, wanted in zip(actions, expected[1:], strict=True):
            *moment, _ = envs.step(np.stack([action, action]))
            assert [parted(*moment, k) for k in range(2)] == [wanted] * 2
        envs.close()
