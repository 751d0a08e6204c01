"""Does `lerobot` itself read our LeRobot export, and does it find in it what the file of demonstrations holds?

    python -m venv lerobot-env && lerobot-env/bin/pip install lerobot==0.4.4 h5py
    python -m datagen.export lerobot demos.h5 out --whole  (in this project's own environment)
    lerobot-env/bin/python tests/external/check_lerobot.py demos.h5 out

Tried with lerobot 0.4.4, torch 2.10.0, PyAV 15.1.0 on Python 3.11. `--backend torchcodec` needs ffmpeg's libraries.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing may be fetched: the folder must be enough

import h5py
import numpy as np
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.datasets.utils import dataset_to_policy_features

HORIZON = 64
LEAST_PSNR_DB = 30.0


def main() -> int:
    """Exit code 0 when everything is as it should be; an AssertionError says what is not."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("demos", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--backend", default="pyav")
    given = options.parse_args()
    with h5py.File(given.demos, "r") as file:
        names = sorted(file["data"], key=lambda name: int(name.removeprefix("demo_")))
        check_all(file["data"], names, given.out, given.backend)
    return 0


def check_all(data: h5py.Group, names: list[str], out: Path, backend: str) -> None:
    """Raises AssertionError at the first difference."""
    dataset = LeRobotDataset("local/check", root=out, video_backend=backend)
    assert dataset.num_episodes == len(names), (dataset.num_episodes, len(names))
    assert dataset.num_frames == sum(len(data[name]["actions"]) for name in names)
    ends = [int(episode["dataset_to_index"]) for episode in dataset.meta.episodes]
    cameras = [key.removeprefix("observation.images.") for key in dataset.meta.video_keys]
    worst = dict.fromkeys(cameras, np.inf)
    for name, first, end in zip(names, [0, *ends], ends, strict=False):
        demo = data[name]
        assert end - first == len(demo["actions"]), name
        for step in sorted({0, (end - first) // 2, end - first - 1}):
            item = dataset[first + step]
            assert item["task"] == demo.attrs["instruction"], (item["task"], demo.attrs["instruction"])
            np.testing.assert_array_equal(item["action"].numpy(), demo["actions"][step])
            np.testing.assert_array_equal(item["observation.state"].numpy(), demo["obs/state"][step])
            assert abs(item["timestamp"].item() - step / 20) < 1e-6
            assert bool(item["next.done"]) == bool(demo["dones"][step])
            for camera in cameras:
                worst[camera] = min(worst[camera], closeness(item[f"observation.images.{camera}"], demo, camera, step))
    check_windows(data, names, out, backend)
    check_loader(dataset)
    check_stats(dataset, data, names)
    said = ", ".join(f"{camera} {quality:.1f} dB" for camera, quality in worst.items())
    print(f"lerobot reads {out}: {dataset.num_episodes} episodes, {dataset.num_frames} frames; worst frame: {said}")


def closeness(picture: torch.Tensor, demo: h5py.Group, camera: str, step: int) -> float:
    """Peak signal to noise ratio of a decoded frame; a mask must be exact."""
    shown, stored = picture.permute(1, 2, 0).numpy(), demo[f"obs/{camera}"][step]
    if camera == "mask":
        np.testing.assert_array_equal((shown > 0.5).all(axis=-1), stored == 1)
        return np.inf
    assert shown.shape == stored.shape, (shown.shape, stored.shape)
    error = np.mean((shown - stored / 255.0) ** 2)
    quality = 10 * np.log10(1 / max(error, 1e-12))
    assert quality > LEAST_PSNR_DB, f"{demo.name} {camera} at step {step}: {quality:.1f} dB"
    return quality


def check_windows(data: h5py.Group, names: list[str], out: Path, backend: str) -> None:
    """Chunks of future actions, padded at the end of an episode as LeRobot pads them."""
    ahead = {"action": [i / 20 for i in range(HORIZON)]}
    dataset = LeRobotDataset("local/check", root=out, delta_timestamps=ahead, video_backend=backend)
    first = 0
    for name in names:
        actions = data[name]["actions"][()]
        step = len(actions) // 2
        item, rows = dataset[first + step], np.arange(step, step + HORIZON)
        np.testing.assert_array_equal(item["action"].numpy(), actions[np.minimum(rows, len(actions) - 1)])
        np.testing.assert_array_equal(item["action_is_pad"].numpy(), rows >= len(actions))
        first += len(actions)


def check_loader(dataset: LeRobotDataset) -> None:
    """A batch through torch's loader, and what a policy is told of the features."""
    features = dataset_to_policy_features(dataset.meta.features)
    kinds = {key: feature.type.name for key, feature in features.items() if key != "observation.images.mask"}
    assert kinds == {
        "observation.state": "STATE", "action": "ACTION",
        "observation.images.head": "VISUAL", "observation.images.wrist": "VISUAL",
    }, kinds  # fmt: skip
    batch = next(iter(torch.utils.data.DataLoader(dataset, batch_size=4, shuffle=True)))
    assert batch["action"].shape == (4, 13), batch["action"].shape
    assert len(batch["task"]) == 4


def check_stats(dataset: LeRobotDataset, data: h5py.Group, names: list[str]) -> None:
    """What policies normalise with is that of the whole file."""
    actions = np.concatenate([data[name]["actions"][()] for name in names])
    stats = dataset.meta.stats["action"]
    np.testing.assert_allclose(stats["mean"], actions.mean(0), atol=1e-5)
    np.testing.assert_allclose(stats["std"], actions.std(0), atol=1e-5)
    np.testing.assert_array_equal(stats["max"], actions.max(0))
    for key in dataset.meta.video_keys:
        assert dataset.meta.stats[key]["mean"].shape == (3, 1, 1), key


if __name__ == "__main__":
    sys.exit(main())
