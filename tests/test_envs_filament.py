"""Filament's pictures: repeatable to the bit, near the classic ones, and refused in words where it cannot draw."""

import hashlib
import os
import subprocess
import sys
import textwrap
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from assets import gl, vulkan
from envs import filament, spec
from envs.changes import FILAMENT, Changes
from envs.episode import make_episode
from envs.filament import FilamentRig
from envs.scene import build_scene
from envs.sensing import Rig
from envs.sim import SimEnv

SIZE = (160, 120)


def missing() -> str:
    try:
        vulkan.load()
    except gl.RenderingError as fault:
        return str(fault)
    return ""


drawing = pytest.mark.skipif(bool(missing()), reason=missing())


def built(index: int = 0, **look) -> tuple[mujoco.MjModel, mujoco.MjData]:
    episode = make_episode("renderer_shift", index)
    scene = build_scene(replace(episode, look=replace(episode.look, **look)))
    data = scene.initial_data()
    mujoco.mj_forward(scene.model, data)
    return scene.model, data


def digest(picture: np.ndarray) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    """The same scene by both renderers, and the bodies that the pixels show."""
    model, data = built()
    before = model.mat_emission.copy(), model.tex_colorspace.copy()
    with FilamentRig(model, SIZE) as rig, Rig(model, SIZE) as classic:
        drawn = {
            "filament": rig.render(data, spec.HEAD),
            "bodies": rig.segment(data, spec.HEAD),
            "wrist": rig.render(data, "wrist"),
            "again": rig.render(data, spec.HEAD),
            "classic": classic.render(data, spec.HEAD),
            "classic wrist": classic.render(data, "wrist"),
            "classic bodies": classic.segment(data, spec.HEAD),
        }
    np.testing.assert_array_equal(model.mat_emission, before[0])
    np.testing.assert_array_equal(model.tex_colorspace, before[1])
    return drawn


@drawing
def test_a_picture_is_the_same_to_the_bit_whatever_was_drawn_before(pictures):
    assert pictures["filament"].shape == (SIZE[1], SIZE[0], 3)
    assert pictures["filament"].dtype == np.uint8
    np.testing.assert_array_equal(pictures["again"], pictures["filament"])
    model, data = built()
    other, its_data = built(1)
    with FilamentRig(other, SIZE) as second, FilamentRig(model, SIZE) as first:
        second.render(its_data, spec.HEAD)
        np.testing.assert_array_equal(first.render(data, spec.HEAD), pictures["filament"])
        assert second.render(its_data, spec.HEAD, (80, 60)).shape == (60, 80, 3)  # it is set up anew
        np.testing.assert_array_equal(first.render(data, spec.HEAD), pictures["filament"])


@drawing
@pytest.mark.slow
def test_another_process_draws_the_same_bits(pictures):
    code = """
        import sys
        sys.path.insert(0, "tests")
        from test_envs_filament import SIZE, FilamentRig, built, digest
        model, data = built()
        rig = FilamentRig(model, SIZE)
        print(digest(rig.render(data, "head")))  # and ends without being closed
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest(pictures["filament"])


@drawing
def test_things_have_their_places_and_colours_but_another_light(pictures):
    one, two = pictures["classic"].astype(int), pictures["filament"].astype(int)
    np.testing.assert_array_equal(pictures["bodies"], pictures["classic bodies"])
    for body in np.unique(pictures["bodies"]):
        mask = pictures["bodies"] == body
        if mask.sum() > 50:
            apart = np.abs(np.median(one[mask], axis=0) - np.median(two[mask], axis=0)).max()
            assert apart < 70, f"body {body} is {apart} levels off"
    assert np.abs(np.median(one, axis=(0, 1)) - np.median(two, axis=(0, 1))).max() < 15  # the table
    assert np.abs(pictures["classic wrist"].mean() - pictures["wrist"].mean()) < 30  # half of it are walls
    assert np.abs(one - two).mean() > 3
    assert (two == 255).all(axis=2).mean() < 0.05


@drawing
def test_spots_and_shadows_of_other_looks_are_there():
    pictures = {}
    for lighting in ("lamp", "disco"):
        model, data = built(lighting=lighting)
        with FilamentRig(model, SIZE) as rig:
            pictures[lighting] = rig.render(data, spec.HEAD).astype(int)
    assert pictures["lamp"].std() > 25
    assert np.ptp(pictures["disco"].mean(axis=(0, 1))) > 15  # coloured light on a white table


@drawing
def test_memory_stays_where_it_is():
    def resident_mb() -> float:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    model, data = built()
    sizes = []
    for _ in range(10):
        with FilamentRig(model, (64, 48)) as rig:
            rig.render(data, spec.HEAD)
        sizes.append(resident_mb())
    assert sizes[-1] - sizes[3] < 8


@drawing
def test_a_fork_of_a_process_that_has_drawn_is_told_so(pictures):
    code = """
        import os, signal, sys
        sys.path.insert(0, "tests")
        from test_envs_filament import FilamentRig, built, gl
        model, data = built()
        rig = FilamentRig(model, (64, 48))
        rig.render(data, "head")
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            try:
                rig.render(data, "head")
            except gl.RenderingError as fault:
                os._exit(0 if "start workers by spawn" in str(fault) else 1)
            os._exit(2)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@drawing
def test_an_episode_that_asks_for_it_is_drawn_by_it_with_masks_as_ever():
    env = SimEnv("renderer_shift", obs_mode="rgb", image_size=SIZE)
    observation, _ = env.reset(options={"index": 0})
    with FilamentRig(env.model, SIZE) as rig, Rig(env.model, SIZE) as classic:
        np.testing.assert_array_equal(observation[spec.HEAD], rig.render(env.data, spec.HEAD))
        mask = classic.body_mask(env.data, spec.HEAD, int(env.scene.object_bodies[0]))
    assert mask.any()
    np.testing.assert_array_equal(env.truth.target_mask(), mask)
    env.close()


def test_where_it_cannot_draw_it_says_why_but_physics_runs(monkeypatch):
    monkeypatch.setattr(filament, "_context", filament._context.__wrapped__)
    monkeypatch.setattr(vulkan, "LOADER", "libnowhere.so.1")
    env = SimEnv("renderer_shift")
    observation, _ = env.reset(options={"index": 0})
    env.step(observation["state"])
    episode = replace(make_episode("unseen_objects", 0), changes=Changes(renderer=FILAMENT))
    with pytest.raises(gl.RenderingError, match=r"Filament, which does not work here: .*apt-get install"):
        SimEnv(obs_mode="rgb", image_size=(64, 48)).reset(options={"episode": episode})
