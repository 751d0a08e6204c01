"""Does robomimic's own loader read our file, and do the stored states show the stored pictures again?

    python -m venv robomimic-env
    robomimic-env/bin/pip install -r requirements.lock torch termcolor
    robomimic-env/bin/pip install --no-deps robomimic==0.3.0      (its egl_probe needs a compiler, its loader does not)
    PYTHONPATH=. robomimic-env/bin/python tests/external/check_robomimic.py demos.h5

Tried with robomimic 0.3.0, torch 2.13.0, NumPy 2.4.6, h5py 3.16.0 on Python 3.11.
"""

import argparse
import contextlib
import io
import sys
from pathlib import Path

import h5py
import numpy as np
import robomimic
import robomimic.utils.obs_utils as ObsUtils
import torch
from robomimic.utils.dataset import SequenceDataset

from datagen.playback import Playback
from datagen.storage import DemoFile

HORIZON = 64
CAMERAS = ("head", "wrist")
# With "all" robomimic keeps every window decompressed in memory, 64 frames of each camera: not for pictures.
KEYS_OF_CACHE_MODES = {None: ("state", "box", *CAMERAS), "low_dim": ("state", "box", *CAMERAS), "all": ("state", "box")}


def main() -> int:
    """Exit code 0 when everything is as it should be; an AssertionError says what is not."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("demos", type=Path)
    options.add_argument("--rows", type=int, default=3, help="frames of each demonstration to draw again")
    given = options.parse_args()
    initialize()
    with h5py.File(given.demos, "r", swmr=True, libver="latest") as file:  # as robomimic opens it
        subsets = {name: [n.decode() for n in file[f"mask/{name}"][()]] for name in file.get("mask", {})}
        everything = list(file["data"])
        for subset, names in {None: everything, **subsets}.items():
            if names:
                check_sequences(file["data"], given.demos, subset, sorted(names, key=lambda n: int(n[5:])))
    drawn = check_playback(given.demos, given.rows)
    print(
        f"robomimic {robomimic.__version__} reads {given.demos}: {len(everything)} demonstrations, subsets "
        f"{', '.join(subsets) or 'none'}; {drawn} frames drawn again from their states, all equal"
    )
    return 0


def initialize() -> None:
    """Tell robomimic which observations are images."""
    with contextlib.redirect_stdout(io.StringIO()):
        specs = {"obs": {"low_dim": ["state", "box"], "rgb": list(CAMERAS)}}
        ObsUtils.initialize_obs_utils_with_obs_specs(specs)


def sequences(path: Path, **more: object) -> SequenceDataset:
    """robomimic's loader with the keys of this project."""
    settings = {
        "obs_keys": ("state", "box", *CAMERAS), "dataset_keys": ("actions", "rewards", "dones"),
        "seq_length": HORIZON, "load_next_obs": False, "get_pad_mask": True, "hdf5_cache_mode": None,
    } | more  # fmt: skip
    return SequenceDataset(str(path), **settings)


def check_sequences(data: h5py.Group, path: Path, subset: str | None, names: list[str]) -> None:
    """Windows of every demonstration of a subset, in every cache mode, equal to what lies in the file."""
    for mode, keys in KEYS_OF_CACHE_MODES.items():
        with contextlib.redirect_stdout(io.StringIO()):
            dataset = sequences(path, filter_by_attribute=subset, hdf5_cache_mode=mode, obs_keys=keys)
        assert dataset.demos == names, (dataset.demos, names)
        assert len(dataset) == sum(len(data[name]["actions"]) for name in names)
        first = 0
        for name in names:
            rows = len(data[name]["actions"])
            for step in {0, rows // 2, rows - 1}:
                check_window(dataset[first + step], data[name], step)
            first += rows
        if mode is None:
            batch = next(iter(torch.utils.data.DataLoader(dataset, batch_size=2, shuffle=True)))
            assert batch["actions"].shape == (2, HORIZON, 13)
            assert batch["obs"]["head"].dtype == torch.uint8


def check_window(window: dict, demo: h5py.Group, step: int) -> None:
    """One window: observations, actions, rewards and padding."""
    rows = np.arange(step, step + HORIZON)
    kept = np.minimum(rows, len(demo["actions"]) - 1)
    for key, values in window["obs"].items():
        if key != "pad_mask":
            np.testing.assert_array_equal(values, demo[f"obs/{key}"][()][kept], err_msg=f"{demo.name} {key} {step}")
    for key in ("actions", "rewards", "dones"):
        np.testing.assert_array_equal(window[key], demo[key][()][kept], err_msg=f"{demo.name} {key} {step}")
    np.testing.assert_array_equal(window["pad_mask"][:, 0], rows < len(demo["actions"]))


def check_playback(path: Path, rows: int) -> int:
    """States put back into the simulation show the stored frames and masks, to the bit. Returns how many were drawn."""
    file, drawn = DemoFile(path), 0
    hand = file.env_args()["env_kwargs"].get("hand", "g0r")
    for name in file.names():
        demo = file.read(name)
        height, width = demo.obs["head"].shape[1:3]
        with Playback(demo.spec, hand, (width, height)) as playback:
            for step in np.unique(np.linspace(0, len(demo.actions) - 1, rows).round().astype(int)):
                playback.place(demo.states[step])
                for camera in CAMERAS:
                    np.testing.assert_array_equal(playback.frame(camera), demo.obs[camera][step])
                np.testing.assert_array_equal(playback.mask(), demo.obs["mask"][step])
                drawn += 1
    return drawn


if __name__ == "__main__":
    sys.exit(main())
