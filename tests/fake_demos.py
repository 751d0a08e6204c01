"""A small file of true demonstrations: the expert on easy scenes, drawn small."""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import mujoco
import numpy as np

from datagen import audit
from datagen.checks import NO_RECOVERY
from datagen.expert import Expert
from datagen.playback import RENDERER, renderer
from datagen.sight import bounds
from envs import spec
from envs.episode import make_episode
from envs.rollout import Observer, run_episode
from envs.sim import SimEnv

SIZE = (160, 120)
EASY = (2, 5)  # episodes of suite "train" that the expert solves at once


@dataclass
class Tape(Observer):
    """What a demonstration needs: rows of what was there before each action."""

    columns: dict[str, list] = field(default_factory=dict)

    def on_reset(self, env, observation, info):
        keys = ("actions", "states", "rewards", "dones", "obs/state", "obs/head", "obs/wrist", "obs/mask")
        self.columns = {key: [] for key in keys}
        self._keep(env, observation, info)

    def on_step(self, env, action, observation, reward, info):
        self.columns["actions"].append(np.asarray(action, np.float32))
        self.columns["rewards"].append(np.float32(reward))
        self.columns["dones"].append(bool(info["outcome"]))
        self._keep(env, observation, info)

    def _keep(self, env, observation, info):
        self.columns["states"].append(env.save_state().physics)
        self.columns["obs/mask"].append((info["segmentation"] == 1).astype(np.uint8))
        for key in ("state", "head", "wrist"):
            self.columns[f"obs/{key}"].append(observation[key])


def record(index: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(attributes, columns) of one episode of suite "train" played by the expert."""
    episode, tape, expert = make_episode("train", index), Tape(), Expert()
    env = SimEnv("train", obs_mode="rgb", image_size=SIZE, segmentation=True)
    result = run_episode(env, expert, episode, observers=[tape])
    env.close()
    steps = len(tape.columns["actions"])
    columns = {key: np.array(values[:steps]) for key, values in tape.columns.items()}
    phases = expert.plan.phases[:steps]
    columns["phases"] = np.concatenate([phases, np.full(steps - len(phases), phases[-1])]).astype(np.int8)
    columns["obs/box"] = np.stack([bounds(mask) for mask in columns["obs/mask"]])
    attributes = {
        "num_samples": steps,
        "success": result.success,
        "outcome": result.outcome,
        "instruction": episode.instruction,
        "phrasings": json.dumps(episode.phrasings),
        "expression": episode.phrasings[0],
        "target": result.target,
        "family": result.family,
        "suite": "train",
        "index": index,
        "spec": json.dumps(episode.as_dict()),
        "versions": json.dumps({"mujoco": mujoco.__version__, RENDERER: renderer()}),
        "recovery": NO_RECOVERY,
        "attempts": 1,
        "image_compression": "lossless",
    }
    return attributes, columns


def write(path: Path, demos: dict[str, tuple[dict[str, Any], dict[str, np.ndarray]]]) -> Path:
    """A file in the layout of demonstrations."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        for name, (attributes, columns) in demos.items():
            group = data.create_group(name)
            group.attrs.update(attributes)
            for key, values in columns.items():
                picture = key in ("obs/head", "obs/wrist", "obs/mask")
                how = {"chunks": (1, *values.shape[1:]), "compression": "gzip", "compression_opts": 1}
                group.create_dataset(key, data=values, **(how if picture else {}))
        data.attrs["format"] = "dexclutter-demos/1"
        data.attrs["total"] = sum(a["num_samples"] for a, _ in demos.values())
        data.attrs["env_args"] = json.dumps(
            {"env_name": "DexClutter/Grasp-v0", "env_version": "0.1.0", "type": 2, "env_kwargs": {"hand": "g0r"}}
        )
        data.attrs["names"] = json.dumps({"action": list(spec.ACTION_NAMES)})
        names = list(demos)
        text = h5py.string_dtype("utf-8")
        file.create_dataset("mask/train", data=np.array(names[1:], object), dtype=text)
        file.create_dataset("mask/valid", data=np.array(names[:1], object), dtype=text)
    return path


def demo_file(path: Path) -> Path:
    """The easy episodes, recorded and written."""
    return write(path, {f"demo_{index}": record(index) for index in EASY})


def shared(factory) -> Path:
    """The file of the easy episodes, recorded once for all processes of a test run. factory: tmp_path_factory."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    whole = folder / "easy_demos.h5"
    if not whole.exists():
        unfinished = whole.with_name(f"{os.getpid()}-{whole.name}")
        os.replace(demo_file(unfinished), whole)
    return whole


def broken(source: Path, folder: Path, change) -> Path:
    """A copy of a file after change(h5py file)."""
    copy = folder / source.name
    shutil.copy(source, copy)
    with h5py.File(copy, "r+") as file:
        change(file)
    return copy


def rewrite(group, key: str, values) -> None:
    """Replace a dataset of a group, whatever its shape."""
    del group[key]
    group[key] = values


def wooden(name: str):
    """A change that puts a demonstration on a table of the tests."""

    def change(file):
        attrs = file[f"data/{name}"].attrs
        values = json.loads(attrs["spec"])
        values["look"]["table"] = "wood"
        attrs["spec"] = json.dumps(values)

    return change


def audited(path: Path, capsys, *more: str) -> tuple[int, str]:
    """(exit code, what it printed on both streams) of the command datagen.audit."""
    code = audit.main([str(path), *more])
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    return code, (told.out + told.err).replace("\n", " ")
