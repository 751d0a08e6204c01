"""Every look by loop: it compiles, shows what it should, and changes nothing that is felt."""

import dataclasses
import hashlib
import itertools
import json
import zlib

import mujoco
import numpy as np
import pytest

from assets.looks.lightings import LIGHTINGS, Lighting
from assets.looks.looks import (
    TABLES,
    TEST_LIGHTINGS,
    TEST_TABLES,
    TRAIN_LIGHTINGS,
    TRAIN_TABLES,
    LookSpec,
    animate,
    apply_look,
)
from assets.looks.noise import fractions, smooth
from assets.looks.tables import tile
from envs.sensing import Rig
from envs.spec import VISUAL_GROUP

SIZE = (64, 48)


def bare_world():
    """The station's table top with a ball on it, seen from above; no lights."""
    world = mujoco.MjSpec()
    world.add_material(name="table_top", rgba=[0.9, 0.9, 0.9, 1])
    body = world.worldbody
    body.add_geom(
        name="table_top",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[0.66, 0, -0.015],
        size=[0.30, 0.70, 0.015],
        material="table_top",
        group=VISUAL_GROUP,
        contype=0,
        conaffinity=0,
    )
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[1, 1, 0.1], group=3)
    ball = body.add_body(name="ball", pos=[0.5, -0.15, 0.06])
    ball.add_freejoint()
    ball.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.04], rgba=[0.2, 0.5, 0.9, 1], group=VISUAL_GROUP)
    body.add_camera(name="head", pos=[0.1, 0, 0.7], xyaxes=[0, -1, 0, 0.8988, 0, 0.4384], fovy=42.4)
    return world


def dressed(look):
    world = bare_world()
    apply_look(world, look)
    model = world.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def picture(look, time_s=0.0):
    model, data = dressed(look)
    animate(model, look, time_s)
    mujoco.mj_forward(model, data)
    with Rig(model, SIZE, ("head",)) as rig:
        return rig.render(data, "head").astype(int)


def fingerprint(look):
    """Twelve hex digits over all that the renderer is told of table and light: pixels, colours, lamps, places."""
    model, _ = dressed(look)
    digest = hashlib.sha256(model.tex_data.tobytes())
    names = ["mat_rgba", "mat_specular", "mat_emission", "mat_reflectance", "mat_shininess", "mesh_texcoord"]
    lamp = ("pos", "dir", "ambient", "diffuse", "specular", "cutoff", "exponent", "castshadow", "type")
    values = [getattr(model, name) for name in (*names, *(f"light_{name}" for name in lamp))]
    for numbers in (*values, model.vis.headlight.ambient, np.array([model.vis.quality.shadowsize])):
        digest.update((np.round(numbers.astype(float), 4) + 0.0).tobytes())
    return digest.hexdigest()[:12]


# Results of the published suites hang on these: changing one wants a new version of every suite that shows it.
PUBLISHED = {
    "white white": "7db105072e12",
    "black_mouse_pad white": "bc800fbbf95c",
    "pink_towel white": "5acbd6995dd6",
    "colourful_cloth white": "85b6978af00d",
    "black_white_pad white": "e5a60f74893c",
    "wood white": "28b320df261a",
    "calibration_board white": "00ef95001121",
    "white disco": "917138aadcc9",
    "white lamp": "e2dd81c62ae9",
    "white dark": "850996cdd8ee",
}


def test_the_published_looks_are_what_they_were():
    tables = [LookSpec(table) for table in ("white", *TEST_TABLES)]
    lightings = [LookSpec("white", lighting, 3) for lighting in TEST_LIGHTINGS]
    assert {f"{look.table} {look.lighting}": fingerprint(look) for look in (*tables, *lightings)} == PUBLISHED


def test_training_tables_take_little_room():
    """Fine noise once took 250 kB of a frame, where everything else takes 50."""
    means = []
    for name in TRAIN_TABLES:
        sizes = []
        for variant in range(6):
            model, data = dressed(LookSpec(name, variant=variant))
            with Rig(model, (640, 480), ("head",)) as rig:
                sizes.append(len(zlib.compress(rig.render(data, "head").tobytes(), 4)))
        means.append(np.mean(sizes))
        assert means[-1] < 90_000, f"{name} takes {means[-1]:.0f} bytes a frame"
    assert np.mean(means) < 60_000


def test_training_tables_show_more_than_one_colour():
    for name, variant in itertools.product(TRAIN_TABLES, range(20)):
        assert np.ptp(tile(name, variant).astype(int), axis=(0, 1)).max() >= 4, (name, variant)


def test_names_of_tests_and_training_are_disjoint():
    for tests, training, everything in (
        (TEST_TABLES, TRAIN_TABLES, TABLES),
        (TEST_LIGHTINGS, TRAIN_LIGHTINGS, LIGHTINGS),
    ):
        assert set(everything) == {"white", *tests, *training}
        assert len(everything) == 1 + len(tests) + len(training)
        assert all(name.startswith("train_") for name in training)
        assert not any(name.startswith("train_") for name in tests)


def test_the_published_tests_are_there():
    published = {"black_mouse_pad", "pink_towel", "colourful_cloth", "black_white_pad", "wood", "calibration_board"}
    assert set(TEST_TABLES) == published
    assert set(TEST_LIGHTINGS) == {"disco", "lamp", "dark"}


def test_no_training_picture_resembles_a_tested_one():
    small = {name: tile(name, 0)[::4, ::4].astype(float) for name in TEST_TABLES}
    for name, variant in itertools.product(TRAIN_TABLES, range(6)):
        training = tile(name, variant)[::4, ::4].astype(float)
        for test_name, test in small.items():
            difference = np.abs(training - test).mean()
            assert difference > 12, f"{name} {variant} is within {difference:.1f} of {test_name}"


def test_variants_of_training_tables_differ_and_tested_ones_do_not():
    for name in TRAIN_TABLES:
        variants = [tile(name, v) for v in range(4)]
        for a, b in itertools.combinations(variants, 2):
            assert np.abs(a.astype(int) - b).mean() > 1, name
    for name in ("white", *TEST_TABLES):
        np.testing.assert_array_equal(tile(name, 0), TABLES[name](5).picture())


def test_tiles_are_small_rgb_pictures_and_repeat_to_the_bit():
    for name in TABLES:
        picture_ = tile(name, 1)
        assert picture_.shape == (256, 256, 3), name
        assert picture_.dtype == np.uint8, name
        np.testing.assert_array_equal(picture_, TABLES[name](1).picture(), err_msg=name)


def test_tiles_have_no_seam():
    for name in TABLES:
        if name in ("train_stripes", "train_dots", "calibration_board", "wood"):
            continue  # edges of the pattern lie on the border of the tile
        t = tile(name, 0).astype(float)
        inside = np.abs(np.diff(t, axis=0)).mean(), np.abs(np.diff(t, axis=1)).mean()
        across = np.abs(t[0] - t[-1]).mean(), np.abs(t[:, 0] - t[:, -1]).mean()
        assert across[0] < 2.5 * inside[0] + 1, name
        assert across[1] < 2.5 * inside[1] + 1, name


def test_noise_is_even_and_known():
    values = fractions(3, 100, 100)
    assert 0 <= values.min() < 0.01 < 0.99 < values.max() < 1
    assert abs(values.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]) < 0.05
    assert np.round(fractions(1, 2), 6).tolist() == KNOWN_FRACTIONS
    field = smooth(4, 8, 8, 64)
    np.testing.assert_allclose(field[::8, ::8], fractions(4, 8, 8))


KNOWN_FRACTIONS = [0.347493, 0.821708]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_shows_under_every_lighting(table):
    for lighting in LIGHTINGS:
        shown = picture(LookSpec(table, lighting, 2))
        assert shown.std() > 1, lighting
        assert shown.mean() > 5, lighting
        assert (shown >= 254).all(axis=-1).mean() < 0.02, lighting


def test_tables_look_different_from_each_other():
    shown = {table: picture(LookSpec(table)) for table in TABLES}
    for a, b in itertools.combinations(TABLES, 2):
        assert np.abs(shown[a] - shown[b]).mean() > 4, (a, b)


def test_white_is_bright_but_not_overexposed():
    shown = picture(LookSpec())
    corner = shown[5:15, 5:15]
    assert corner.min() > 200
    assert corner.max() < 245


def test_a_round_thing_is_shaded_under_white_light():
    model, data = dressed(LookSpec())
    with Rig(model, (160, 120), ("head",)) as rig:
        blue = rig.render(data, "head")[rig.body_mask(data, "head", model.body("ball").id)][:, 2].astype(int)
    assert np.percentile(blue, 95) > 1.25 * np.percentile(blue, 5)


def test_dark_is_dark_and_still_shows_the_ball():
    shown, bright = picture(LookSpec("white", "dark")), picture(LookSpec())
    assert 20 < shown.mean() < 0.4 * bright.mean()
    assert np.ptp(shown[..., 0]) > 15


def test_lamp_casts_a_shadow_and_white_does_not():
    assert dressed(LookSpec("white", "lamp"))[0].light_castshadow.any()
    assert not dressed(LookSpec())[0].light_castshadow.any()


def test_disco_is_colourful():
    shown = picture(LookSpec("white", "disco", 1), time_s=2.0)
    assert np.ptp(shown, axis=-1).mean() > 40
    assert np.ptp(picture(LookSpec()), axis=-1).mean() < 20


def test_disco_moves_and_is_a_function_of_time_and_variant():
    look = LookSpec("white", "disco", 4)
    model, _ = dressed(look)

    def lights(time_s):
        animate(model, look, time_s)
        return np.concatenate([model.light_pos, model.light_dir, model.light_diffuse], axis=1)

    start, later = lights(0.0), lights(1.5)
    assert np.abs(later - start).max() > 0.05
    np.testing.assert_array_equal(lights(0.0), start)
    np.testing.assert_allclose(np.linalg.norm(model.light_dir, axis=1), 1)
    other = LookSpec("white", "disco", 5)
    assert np.abs(dressed(other)[0].light_dir - model.light_dir).max() > 0.01
    fresh, _ = dressed(look)
    np.testing.assert_allclose(fresh.light_diffuse, start[:, 6:], atol=1e-6)


def test_animate_leaves_still_lights_alone():
    look = LookSpec("wood", "lamp")
    model, _ = dressed(look)
    before = model.light_dir.copy(), model.light_diffuse.copy()
    animate(model, look, 3.0)
    np.testing.assert_array_equal(model.light_dir, before[0])
    np.testing.assert_array_equal(model.light_diffuse, before[1])


def test_light_never_sums_to_more_than_white_in_even_rooms():
    for name, make in LIGHTINGS.items():
        for variant in range(20):
            room = make(variant)
            assert isinstance(room, Lighting)
            if room.is_even:
                assert np.add(room.ambient, np.sum([li.diffuse for li in room.lights], axis=0)).max() < 1.3, name


def test_a_look_changes_nothing_that_is_felt():
    def trajectory(look):
        world = bare_world()
        if look is not None:
            apply_look(world, look)
        model = world.compile()
        data = mujoco.MjData(model)
        mujoco.mj_step(model, data, 200)
        return model, np.concatenate([data.qpos, data.qvel])

    plain_model, plain = trajectory(None)
    for look in (LookSpec(t, li) for t, li in zip(itertools.cycle(TABLES), LIGHTINGS, strict=False)):
        model, motion = trajectory(look)
        np.testing.assert_array_equal(motion, plain, err_msg=str(look))
        assert model.nbody == plain_model.nbody
        np.testing.assert_array_equal(model.body_mass, plain_model.body_mass)
        added = [i for i in range(model.ngeom) if model.geom(i).name.startswith("look/")]
        assert len(added) >= 2
        assert not model.geom_contype[added].any()
        assert not model.geom_conaffinity[added].any()


def test_a_look_is_light():
    for table, lighting in itertools.product(TABLES, LIGHTINGS):
        model, _ = dressed(LookSpec(table, lighting))
        assert model.nmeshface < 1500, (table, lighting)
        assert model.vis.quality.offsamples == 0
        assert model.nlight <= 7  # with the camera's own light, what OpenGL offers


def test_look_survives_json():
    look = LookSpec("wood", "train_side", 12)
    assert LookSpec(**json.loads(json.dumps(dataclasses.asdict(look)))) == look


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"table": "snow"}, "unknown table 'snow'.*white, black_mouse_pad"),
        ({"lighting": "moon"}, "unknown lighting 'moon'.*disco, lamp, dark"),
        ({"variant": -1}, "whole number >= 0"),
        ({"variant": 1.5}, "whole number >= 0"),
        ({"variant": True}, "whole number >= 0"),
    ],
)
def test_impossible_look_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        LookSpec(**fields)


def test_a_world_without_table_top_is_refused():
    with pytest.raises(ValueError, match="table_top"):
        apply_look(mujoco.MjSpec(), LookSpec())
