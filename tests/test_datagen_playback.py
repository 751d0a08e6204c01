"""Playback: stored states show the very pictures that the environment showed."""

import json

import fake_demos
import numpy as np
import pytest

from datagen import playback, recording
from datagen.playback import Playback, PlaybackError, frames, image_size
from envs import spec
from envs.interface import EpisodeError


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    with recording.opened(fake_demos.shared(tmp_path_factory)) as opened:
        yield opened


def test_frames_are_those_recorded_to_the_bit(file):
    for name in file.names:
        demo = file.read(name)
        steps = [0, 1, demo.steps // 2, demo.steps - 1]
        for camera in spec.CAMERAS:
            drawn = frames(demo, camera, steps, file.hand)
            assert drawn.shape == (4, 120, 160, 3)
            np.testing.assert_array_equal(drawn, np.stack([demo.picture(camera, step) for step in steps]))
            assert not np.array_equal(drawn[0], drawn[-1])


def test_order_of_steps_does_not_matter(file):
    demo = file.read(file.names[0])
    forth, back = frames(demo, "head", [3, 40]), frames(demo, "head", [40, 3])
    np.testing.assert_array_equal(forth, back[::-1])


def test_masks_and_states_are_those_recorded(file):
    demo = file.read(file.names[1])
    with Playback(demo.spec, size=image_size(demo)) as scene:
        for step in (0, 25, demo.steps - 1):
            scene.place(demo.states[step])
            np.testing.assert_array_equal(scene.mask(), demo.picture("mask", step))
            np.testing.assert_array_equal(scene.measured(), demo.columns["obs/state"][step])
        assert scene.lowest_m() > spec.LIFT_HEIGHT_M
        assert scene.body_poses().shape == (scene.scene.model.nbody, 7)


def test_the_size_is_that_of_the_recorded_pictures(file):
    demo = file.read(file.names[0])
    assert image_size(demo) == (160, 120)
    assert image_size(demo, "outside") == spec.IMAGE_SIZE
    assert frames(demo, "outside", [0]).shape == (1, 480, 640, 3)


def test_a_state_of_another_scene_is_refused(file):
    one, other = (file.read(name) for name in file.names)
    with Playback(one.spec) as scene, pytest.raises(PlaybackError, match="has 399 numbers; got shape \\(523,\\)"):
        scene.place(other.states[0])


def test_a_spec_that_is_none_is_refused(file):
    values = json.loads(json.dumps(dict(file.read(file.names[0]).spec)))
    del values["look"]
    with pytest.raises(EpisodeError, match="not an episode"):
        playback.Playback(values)
