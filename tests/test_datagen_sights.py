"""Sights: a file of states alone shows the very pictures that the same scenes were stored with."""

import h5py
import numpy as np
import pytest

from datagen import generate
from datagen.sights import PICTURES, Sights, has_pictures
from datagen.storage import StorageError
from datagen.windows import WindowReader


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same two scenes with pictures and as states alone."""
    folder = tmp_path_factory.mktemp("sights")
    made = {}
    for cameras in ("head,wrist", "none"):
        made[cameras] = folder / f"{cameras}.h5"
        words = ["--episodes", "2", "--first", "1003", "--cameras", cameras, "--workers", "1", "--recovery", "0"]
        assert generate.main([*words, "--out", str(made[cameras])]) == 0
    return made["head,wrist"], made["none"]


def test_drawn_pictures_are_the_stored_ones_to_the_bit(files):
    stored, drawn = Sights(files[0]), Sights(files[1])
    assert has_pictures(files[0])
    assert not has_pictures(files[1])
    reader = WindowReader(files[0], images=())
    assert len(reader.demos) == 2
    second = next(k for k in range(len(reader)) if reader[k].demo == reader.demos[1])
    for index in (0, second + 50, 40, len(reader) - 1):
        one, two = stored[index], drawn[index]
        assert one.keys() == two.keys() == set(PICTURES)
        for key in PICTURES:
            np.testing.assert_array_equal(one[key], two[key])
        assert one["head"].shape == (480, 640, 3)
    drawn.close()
    np.testing.assert_array_equal(drawn[0]["wrist"], stored[0]["wrist"])
    drawn.close()
    stored.close()


def test_states_of_another_scene_are_refused(files, tmp_path):
    path = tmp_path / "damaged.h5"
    path.write_bytes(files[1].read_bytes())
    with h5py.File(path, "r+") as file:
        name = WindowReader(path, images=()).demos[0]
        del file[f"data/{name}"].attrs["spec"]
    with pytest.raises(StorageError, match=rf"damaged.h5, {name}: attribute 'spec' is missing"):
        Sights(path)[0]
