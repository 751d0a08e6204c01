"""Does the published DexGraspVLA training code read our zarr export, and find in it what the demonstrations hold?

    python3.9 -m venv dex-env && dex-env/bin/pip install numpy==1.23.3 numba==0.53.1 zarr==2.12.0 torch==2.5.1 h5py
    git clone https://github.com/Psi-Robot/DexGraspVLA checkout
    python -m datagen.export zarr demos.h5 out.zarr --whole       (in this project's own environment)
    dex-env/bin/python tests/external/check_dexgraspvla.py demos.h5 out.zarr checkout

The versions are those that the repository pins. Tried with its commit 0144c79.
"""

import argparse
import sys
from pathlib import Path

import h5py
import numpy as np
import torch
import zarr

HORIZON = 64  # n_action_steps of the published configuration; pad_before 0, pad_after 63 follow from it
SIZE = 518  # to which the published dataset scales its images


def main() -> int:
    """Exit code 0 when everything is as it should be; an AssertionError says what is not."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("demos", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("checkout", type=Path)
    given = options.parse_args()
    sys.path.insert(0, str(given.checkout))
    with h5py.File(given.demos, "r") as file:
        names = sorted(file["data"], key=lambda name: int(name[len("demo_") :]))
        demos = [file["data"][name] for name in names]
        check_buffers(given.out, demos)
        check_dataset(given.out, demos)
        rows = sum(len(demo["actions"]) for demo in demos)
    print(f"DexGraspVLA's loader (zarr {zarr.__version__}) reads {given.out}: {len(demos)} episodes, {rows} windows")
    return 0


def check_buffers(out, demos):
    """Both replay buffers of the repository: the one in memory and the one that streams images."""
    from controller.common.replay_buffer import ReplayBuffer
    from controller.common.streaming_replay_buffer import StreamingReplayBuffer

    for buffer in (ReplayBuffer.create_from_path(str(out)), StreamingReplayBuffer.copy_from_path(str(out))):
        assert buffer.n_episodes == len(demos)
        np.testing.assert_array_equal(
            np.diff(np.append(0, buffer.episode_ends[:])), [len(demo["actions"]) for demo in demos]
        )
        for k, demo in enumerate(demos):
            episode = buffer.get_episode(k)
            np.testing.assert_array_equal(episode["action"], demo["actions"][()])
            np.testing.assert_array_equal(episode["right_state"], demo["obs/state"][()])
            np.testing.assert_array_equal(episode["rgbm"][..., 2::-1], demo["obs/head"][()])
            np.testing.assert_array_equal(episode["rgbm"][..., 3], demo["obs/mask"][()])
            np.testing.assert_array_equal(episode["right_cam_img"][..., ::-1], demo["obs/wrist"][()])


def check_dataset(out, demos):
    """The dataset class that its training loop feeds from, with the published settings."""
    from controller.dataset.mask_image_dataset import MaskImageDataset

    dataset = MaskImageDataset(
        [str(out)], horizon=HORIZON, n_obs_steps=1, pad_before=0, pad_after=HORIZON - 1, image_size=(SIZE, SIZE)
    )
    assert len(dataset) == sum(len(demo["actions"]) for demo in demos)
    first = 0
    for demo in demos:
        actions = demo["actions"][()]
        for step in sorted({0, len(actions) // 2, len(actions) - 1}):
            sample = dataset[first + step]
            rows = np.minimum(np.arange(step, step + HORIZON), len(actions) - 1)
            np.testing.assert_array_equal(sample["action"].numpy(), actions[rows])
            np.testing.assert_array_equal(sample["obs"]["right_state"].numpy(), demo["obs/state"][step : step + 1])
            assert sample["obs"]["rgbm"].shape == (1, 4, SIZE, SIZE)
            assert sample["obs"]["right_cam_img"].shape == (1, 3, SIZE, SIZE)
            shown = sample["obs"]["rgbm"][0, 3].numpy()
            assert set(np.unique(shown)) <= {0.0, 1.0}
            assert abs(shown.mean() - demo["obs/mask"][step].mean()) < 0.01, "the mask is lost on the way"
            blue = demo["obs/head"][step][..., 2].mean() / 255
            assert abs(sample["obs"]["rgbm"][0, 0].numpy().mean() - blue) < 0.01, "channel 0 must be blue"
        first += len(actions)
    batch = next(iter(torch.utils.data.DataLoader(dataset, batch_size=2, shuffle=True)))
    assert batch["action"].shape == (2, HORIZON, 13)
    normalizer = dataset.get_normalizer()
    scaled = normalizer["action"].normalize(batch["action"])
    assert scaled.min() >= -1.001 and scaled.max() <= 1.001  # noqa: PT018


if __name__ == "__main__":
    sys.exit(main())
