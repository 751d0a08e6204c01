"""A file of demonstrations has what robomimic's loader and playback ask of one.

The loader itself is run by tests/external/check_robomimic.py; here stands what it reads, so that every test run holds
the file to it: names whose number begins at the sixth letter, num_samples, one row per sample, masks of byte strings.
"""

import json

import h5py
import numpy as np
import pytest

from tests.demo_factory import write_demos

# key -> (shape behind the rows, dtype)
COLUMNS = {
    "actions": ((13,), np.float32),
    "states": (None, np.float64),
    "rewards": ((), np.float32),
    "dones": ((), np.bool_),
    "obs/state": ((13,), np.float32),
    "obs/head": ((48, 64, 3), np.uint8),
    "obs/wrist": ((48, 64, 3), np.uint8),
    "obs/mask": ((48, 64), np.uint8),
    "obs/box": ((4,), np.float32),
}
ENV_ARGS = {"env_name": str, "env_version": str, "type": int, "env_kwargs": dict}
GYM = 2  # robomimic.envs.env_base.EnvType.GYM_TYPE


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("robomimic") / "demos.h5"
    write_demos(path, (9, 4, 6))
    with h5py.File(path, "r", swmr=True, libver="latest") as opened:  # as robomimic opens it
        yield opened


def test_demonstrations_are_named_and_counted_as_robomimic_counts(file):
    names = list(file["data"])
    assert sorted(int(name[5:]) for name in names) == [0, 10, 20]
    assert all(name.startswith("demo_") for name in names)
    lengths = [int(file["data"][name].attrs["num_samples"]) for name in names]
    assert int(file["data"].attrs["total"]) == sum(lengths) == 19


def test_the_environment_is_described(file):
    args = json.loads(file["data"].attrs["env_args"])
    assert {key: type(args[key]) for key in ENV_ARGS} == ENV_ARGS
    assert args["type"] == GYM
    json.dumps(args["env_kwargs"])


@pytest.mark.parametrize("key", COLUMNS)
def test_every_column_has_a_row_for_every_sample(file, key):
    shape, dtype = COLUMNS[key]
    for demo in file["data"].values():
        values = demo[key]
        assert len(values) == demo.attrs["num_samples"]
        assert values.dtype == dtype
        assert shape is None or values.shape[1:] == shape
        if dtype == np.uint8:
            assert values.chunks == (1, *values.shape[1:])  # a window reads its own frames
            assert values.compression == "gzip"  # which every HDF5 can read


def test_observations_hold_nothing_that_has_another_length(file):
    for demo in file["data"].values():
        assert {len(values) for values in demo["obs"].values()} == {demo.attrs["num_samples"]}


def test_subsets_are_lists_of_names_as_bytes(file):
    subsets = {name: [element.decode("utf-8") for element in np.array(file[f"mask/{name}"])] for name in file["mask"]}
    assert subsets == {"train": ["demo_0", "demo_20"], "valid": ["demo_10"]}
