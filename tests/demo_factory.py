"""Small demonstrations for tests, made the real way: the expert's grasp, played again with pictures."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from datagen.sight import bounds
from datagen.storage import ROBOMIMIC_GYM_TYPE, Demo, DemoFile
from envs import spec
from envs.sim import SimEnv
from tests.scripted import SUITE, grasp

SIZE = (64, 48)
ENV_ARGS = {
    "env_name": "DexClutter/Grasp-v0",
    "env_version": "0.1.0",
    "type": ROBOMIMIC_GYM_TYPE,
    "env_kwargs": {"suite": SUITE, "obs_mode": "rgb"},
}


@functools.cache
def real_demo(size: tuple[int, int] = SIZE) -> Demo:
    """One success of the expert with head, wrist, mask and box in it. size: (width, height) of its pictures."""
    episode, actions = grasp()
    env = SimEnv(SUITE, obs_mode="rgb", image_size=size, segmentation=True)
    observation, info = env.reset(seed=0, options={"episode": episode})
    rows, states, rewards, dones = [], [], [], []
    for action in actions:
        mask = (info["segmentation"] == 1).astype(np.uint8)
        rows.append(
            {key: observation[key] for key in (spec.STATE, spec.HEAD, spec.WRIST)} | {"mask": mask, "box": bounds(mask)}
        )
        states.append(env.save_state().physics)
        observation, reward, ended, cut, info = env.step(action)
        rewards.append(reward)
        dones.append(ended or cut)
    env.close()
    return Demo(
        suite=SUITE,
        index=episode.index,
        instruction=episode.instruction,
        success=True,
        actions=actions,
        states=np.stack(states),
        rewards=np.array(rewards, np.float32),
        dones=np.array(dones),
        obs={key: np.stack([row[key] for row in rows]) for key in rows[0]},
        spec=episode.as_dict(),
        versions={"mujoco": "of the test"},
        phases=(np.arange(len(actions)) * 4 // len(actions)).astype(np.int8),
        phrasings=episode.phrasings,
        expression=episode.phrasings[0],
        target=episode.objects[0].object_id,
        family="of the test",
    )


def shortened(demo: Demo, index: int, length: int, instruction: str | None = None) -> Demo:
    """The last `length` rows of a demonstration under another index, so that no two of a file are the same."""
    return replace(
        demo,
        index=index,
        instruction=instruction or demo.instruction,
        **{key: getattr(demo, key)[-length:] for key in ("actions", "states", "rewards", "dones", "phases", "imitate")},
        obs={key: values[-length:] for key, values in demo.obs.items()},
    )


def write_demos(path: Path, lengths: tuple[int, ...] = (70, 30, 5), size: tuple[int, int] = SIZE) -> list[Demo]:
    """Write one demonstration per length, in suite indices 0, 10, 20, ...; every second in mask/valid, else train."""
    demo, file = real_demo(size), DemoFile(path)
    demos = [shortened(demo, 10 * i, n, f"{demo.instruction} ({i % 2})") for i, n in enumerate(lengths)]
    for each in demos:
        file.write(each)
    file.finish(ENV_ARGS, {"train": [d.name for d in demos[::2]], "valid": [d.name for d in demos[1::2]]})
    return demos
