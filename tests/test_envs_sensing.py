"""Pictures, masks and depth against geometry known by heart."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import mujoco
import numpy as np
import pytest

from envs.sensing import BACKGROUND, Rig
from envs.spec import COLLISION_GROUP, VISUAL_GROUP

SIZE = (120, 90)
HEIGHT_M, HALF_X_M, HALF_Y_M = 1.0, 0.2, 0.1


def build(shift_m=0.0, castshadow=False):
    """A camera at z = 1 looks straight down (fovy 90) on a box whose top lies at z = 0.1, over a floor at z = 0."""
    spec = mujoco.MjSpec()
    spec.visual.quality.offsamples = 0
    spec.stat.extent = 1.0
    world = spec.worldbody
    world.add_light(pos=[1.0, 0.45, 1.0], dir=[-0.7, -0.3, -0.7], castshadow=castshadow)
    world.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.6, 0.6, 0.01], pos=[0, 0, -0.01], group=VISUAL_GROUP)
    box = world.add_body(name="box", pos=[shift_m, 0, 0.05])
    box.add_freejoint()
    half = [HALF_X_M, HALF_Y_M, 0.05]
    box.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=half, group=VISUAL_GROUP, rgba=[0.8, 0.2, 0.1, 1])
    box.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.5], group=COLLISION_GROUP)
    for name, fovy in (("head", 90.0), ("wrist", 60.0)):
        world.add_camera(name=name, pos=[0, 0, HEIGHT_M], fovy=fovy)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


@pytest.fixture
def scene():
    model, data = build()
    with Rig(model, SIZE) as rig:
        yield rig, model, data


def expected_mask(shift_m=0.0):
    """Pixels whose centre the top face covers: at distance 0.9 m, 45 pixels are 0.9 m."""
    pixels_per_m = (SIZE[1] / 2) / (HEIGHT_M - 0.1)
    u = (np.arange(SIZE[0]) + 0.5 - SIZE[0] / 2) / pixels_per_m
    v = -(np.arange(SIZE[1]) + 0.5 - SIZE[1] / 2) / pixels_per_m
    return (np.abs(v) < HALF_Y_M)[:, None] & (np.abs(u - shift_m) < HALF_X_M)[None, :]


def test_mask_is_the_projection_of_the_box(scene):
    rig, model, data = scene
    mask = rig.body_mask(data, "head", model.body("box").id)
    assert mask.shape == (SIZE[1], SIZE[0])
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, expected_mask())


def test_mask_follows_the_body():
    model, data = build(shift_m=0.3)
    with Rig(model, SIZE) as rig:
        mask = rig.body_mask(data, "head", model.body("box").id)
    # The side face towards the middle shows too, so the mask is wider on the left and exact on the right.
    right = SIZE[0] // 2 + 15
    np.testing.assert_array_equal(mask[:, right:], expected_mask(0.3)[:, right:])
    assert mask.sum() > expected_mask(0.3).sum()


def test_segments_are_body_ids_and_background(scene):
    rig, model, data = scene
    bodies = rig.segment(data, "head")
    assert bodies.dtype == np.int32
    assert set(np.unique(bodies)) == {BACKGROUND, 0, model.body("box").id}
    assert bodies[SIZE[1] // 2, 0] == BACKGROUND  # the floor ends at 0.6 m, the picture shows 1.33 m
    assert bodies[SIZE[1] // 2, SIZE[0] // 2 - 20] == 0


def test_depth_in_metres(scene):
    rig, _, data = scene
    depth = rig.depth(data, "head")
    assert depth.dtype == np.float32
    middle = SIZE[1] // 2, SIZE[0] // 2
    assert depth[middle] == pytest.approx(HEIGHT_M - 0.1, abs=1e-4)
    assert depth[middle[0], middle[1] - 20] == pytest.approx(HEIGHT_M, abs=1e-4)
    assert np.isinf(depth[middle[0], 0])


def test_colour_picture_shows_visual_geoms_only(scene):
    rig, _, data = scene
    picture = rig.render(data, "head")
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert picture.dtype == np.uint8
    box, floor = picture[expected_mask()].astype(int), picture[SIZE[1] // 2, SIZE[0] // 2 - 20].astype(int)
    assert (box[:, 0] > 2 * box[:, 1]).all()
    assert np.ptp(floor) < 10
    assert not picture[SIZE[1] // 2, 0].any()


def test_rows_run_from_top_to_bottom(scene):
    rig, _, data = scene
    data.qpos[1] = 0.3  # away in y, which is up in the picture
    mujoco.mj_forward(rig.model, data)
    rows = np.flatnonzero((rig.segment(data, "head") > 0).any(axis=1))
    assert rows.max() < SIZE[1] // 2


def test_pictures_repeat_to_the_bit_whatever_was_drawn_in_between(scene):
    rig, _, data = scene
    draw = {name: getattr(rig, name) for name in ("render", "segment", "depth")}
    before = {(name, camera): draw[name](data, camera) for name in draw for camera in rig.cameras}
    other_model, other_data = build(shift_m=0.2, castshadow=True)
    with Rig(other_model, (200, 300)) as other:
        other.frames(other_data)
        other.segment(other_data, "wrist")
        rig.render(data, "head", size=(800, 700))  # larger than the buffer so far
        for (name, camera), picture in before.items():
            np.testing.assert_array_equal(draw[name](data, camera), picture)
    for (name, camera), picture in before.items():
        np.testing.assert_array_equal(draw[name](data, camera), picture)


def test_a_second_rig_draws_the_same(scene):
    rig, model, data = scene
    with Rig(model, SIZE) as twin:
        np.testing.assert_array_equal(twin.render(data, "head"), rig.render(data, "head"))


def test_pictures_are_fresh_arrays(scene):
    rig, _, data = scene
    first = rig.render(data, "head")
    copy = first.copy()
    first[:] = 7
    np.testing.assert_array_equal(rig.render(data, "head"), copy)
    assert copy.flags.c_contiguous
    assert copy.flags.owndata


def test_frames_are_the_cameras_of_the_rig(scene):
    rig, _, data = scene
    frames = rig.frames(data)
    assert list(frames) == ["head", "wrist"]
    assert (frames["head"] != frames["wrist"]).any()


def test_shadow_is_drawn_only_where_a_light_casts_one():
    pictures = []
    for castshadow in (False, True):
        model, data = build(castshadow=castshadow)
        with Rig(model, SIZE) as rig:
            pictures.append(rig.render(data, "head").astype(int))
    darker = (pictures[0] - pictures[1]).sum(axis=-1) > 60
    assert 50 < darker.sum() < 2000
    assert not darker[expected_mask()].any()


def test_changed_lights_show_in_the_next_picture(scene):
    rig, model, data = scene
    before = rig.render(data, "head")
    model.light_diffuse[:] = 0.1
    assert rig.render(data, "head").mean() < before.mean()


def test_close_twice_and_draw_again(scene):
    rig, _, data = scene
    before = rig.render(data, "head")
    rig.close()
    rig.close()
    np.testing.assert_array_equal(rig.render(data, "head"), before)


def test_unknown_camera_lists_the_cameras(scene):
    rig, model, data = scene
    with pytest.raises(ValueError, match="no camera 'nose'; it has head, wrist"):
        rig.render(data, "nose")
    with pytest.raises(ValueError, match="no camera 'ceiling'"):
        Rig(model, SIZE, cameras=("ceiling",))


@pytest.mark.parametrize("size", [(0, 10), (10, -1)])
def test_empty_picture_is_refused(scene, size):
    rig, model, data = scene
    with pytest.raises(ValueError, match="at least one pixel"):
        Rig(model, size)
    with pytest.raises(ValueError, match="at least one pixel"):
        rig.render(data, "head", size=size)


def test_a_rig_handed_to_another_thread_draws_the_same(scene):
    rig, _, data = scene
    expected = rig.render(data, "head")
    with ThreadPoolExecutor(1) as thread:
        np.testing.assert_array_equal(thread.submit(rig.render, data, "head").result(), expected)
        own = thread.submit(picture_elsewhere, 0)
        np.testing.assert_array_equal(own.result(), expected)
    np.testing.assert_array_equal(rig.render(data, "head"), expected)


def picture_elsewhere(_):
    model, data = build()
    with Rig(model, SIZE) as rig:
        return rig.render(data, "head")


def test_a_spawned_process_draws_the_same(scene):
    rig, _, data = scene
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.map(picture_elsewhere, [0])[0], rig.render(data, "head"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_rig_carried_over_a_fork_starts_anew_in_the_child():
    # In a process of its own: a renderer that waits for threads lost in the fork would hang this one.
    code = """
        import os, signal, sys
        sys.path.insert(0, "tests")
        from test_envs_sensing import SIZE, Rig, build
        model, data = build()
        rig, other = Rig(model, SIZE), Rig(model, SIZE)
        expected = rig.render(data, "head")
        other.render(data, "head")
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            same = (rig.render(data, "head") == expected).all()
            del other  # must not free what belongs to the parent's context
            same = same and (rig.render(data, "head") == expected).all()
            rig.close()
            os._exit(0 if same else 1)
        status = os.waitpid(child, 0)[1]
        assert (rig.render(data, "head") == expected).all()
        sys.exit(os.waitstatus_to_exitcode(status))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
