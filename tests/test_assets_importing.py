"""The steps of an import one by one: units, repair, convex pieces, colours, words, rest."""

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import ConvexHull
from user_meshes import blob, box, mug, trimesh

from assets.importing import resting, scale, words
from assets.importing.assemble import Request, make_object
from assets.importing.colours import is_plain, lab, words_for
from assets.importing.pieces import reduced
from assets.importing.refused import Refused
from assets.importing.resting import rest_poses, shortest_turn
from assets.importing.solid import make_solid, moments, open_edges
from assets.importing.source import read
from assets.objects.library import FAMILIES, get_object
from assets.objects.palette import COLOR_WORDS, PALETTE
from assets.objects.solids import rotation

SIZES = (  # largest side in units, --scale, unit that the file states -> metres per unit
    (90, "auto", None, 0.001),
    (9, "auto", None, 0.01),
    (0.09, "auto", None, 1.0),
    (25, "auto", None, 0.001),
    (90, "auto", "m", 0.001),  # a file that says metres and cannot mean it
    (0.12, "auto", "m", 1.0),
    (5, "0.0254", None, 0.0254),
    (25, "cm", None, 0.01),
)


@pytest.mark.parametrize(("largest", "said", "stated", "factor"), SIZES)
def test_the_unit_is_guessed_and_the_guess_is_said(largest, said, stated, factor):
    metres, sentence = scale.metres_per_unit(largest, scale.parse(said), stated)
    assert metres == factor
    assert f"{100 * largest * factor:.1f} cm" in sentence
    assert ("as --scale says" in sentence) == (said != "auto")
    assert ("assumed" in sentence) == (said == "auto" and (stated is None or factor != 1.0))


def test_a_unit_that_is_not_the_only_one_is_called_so():
    assert "--scale cm" in scale.metres_per_unit(25, "auto")[1]
    assert "although the file states m" in scale.metres_per_unit(90, "auto", "m")[1]


@pytest.mark.parametrize(
    ("largest", "said", "fix"),
    [
        (1.0, "auto", "--scale 0.0254 if"),
        (400, "auto", "--scale 0.00025"),
        (90, "m", "--scale mm"),
        (0.7, "auto", "0.3048 if"),
    ],
)
def test_other_sizes_are_refused_with_a_fix_that_works(largest, said, fix):
    with pytest.raises(Refused, match=fix) as caught:
        scale.metres_per_unit(largest, scale.parse(said))
    words_after = str(caught.value).split("--scale ")[-1].split()[0]
    scale.metres_per_unit(largest, scale.parse(words_after))


@pytest.mark.parametrize("wrong", ["inch", "0", "-1", "nan", "inf", ""])
def test_a_scale_that_is_none_is_refused(wrong):
    with pytest.raises(Refused, match="--scale must be"):
        scale.parse(wrong)


def solid_of(tmp_path, mesh, name="thing.stl"):
    mesh.export(tmp_path / name)
    return make_solid(read(tmp_path / name))


def test_volume_centre_and_moments_are_exact(tmp_path):
    for name, mesh in {"mug": mug(), "blob": blob()}.items():
        solid = solid_of(tmp_path, mesh, f"{name}.ply")
        assert solid.closed
        volume, com, second = moments(solid.vertices, solid.faces)
        inertia = np.trace(second) * np.eye(3) - second
        assert volume == pytest.approx(mesh.volume, rel=1e-5)
        np.testing.assert_allclose(com, mesh.center_mass, atol=1e-6)
        np.testing.assert_allclose(inertia, mesh.moment_inertia, atol=1e-4 * np.trace(mesh.moment_inertia))


def test_faces_that_look_any_way_are_turned_outward(tmp_path):
    mesh = mug()
    rng = np.random.default_rng(3)
    faces = mesh.faces.copy()
    flipped = rng.random(len(faces)) < 0.4
    faces[flipped] = faces[flipped][:, ::-1]
    for spoiled in (faces, mesh.faces[:, ::-1]):
        solid = solid_of(tmp_path, trimesh.Trimesh(mesh.vertices, spoiled, process=False))
        assert solid.closed
        assert moments(solid.vertices, solid.faces)[0] == pytest.approx(mesh.volume, rel=1e-5)


def test_small_holes_are_closed_and_large_ones_told(tmp_path):
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=0.04)
    holed = trimesh.Trimesh(mesh.vertices, mesh.faces[6:], process=False)
    solid = solid_of(tmp_path, holed)
    assert solid.closed
    assert "closed" in solid.notes[0]
    assert moments(solid.vertices, solid.faces)[0] == pytest.approx(mesh.volume, rel=0.01)
    open_ = trimesh.Trimesh(mesh.vertices, mesh.faces[mesh.triangles_center[:, 2] < 0.01], process=False)
    solid = solid_of(tmp_path, open_)
    assert not solid.closed
    assert len(open_edges(solid.faces)) > 0
    assert any("large hole" in note for note in solid.notes)


def test_a_cavity_weighs_nothing(tmp_path):
    outer, inner = box(0.06, 0.06, 0.06), box(0.05, 0.05, 0.05)
    inner.invert()
    solid = solid_of(tmp_path, trimesh.util.concatenate([outer, inner]))
    assert solid.closed
    assert moments(solid.vertices, solid.faces)[0] == pytest.approx(0.06**3 - 0.05**3, rel=1e-5)


def test_specks_are_left_out_and_touching_parts_are_kept(tmp_path):
    speck = box(0.002, 0.002, 0.002)
    speck.apply_translation([0.05, 0, 0])
    solid = solid_of(tmp_path, trimesh.util.concatenate([box(0.06, 0.06, 0.06), speck]))
    assert any("1 specks" in note for note in solid.notes)
    assert np.ptp(solid.vertices[np.unique(solid.faces)], axis=0).max() == pytest.approx(0.06)
    upper = box(0.03, 0.03, 0.03)
    upper.apply_translation([0.005, 0, 0.0452])  # a fifth of a millimetre above
    solid = solid_of(tmp_path, trimesh.util.concatenate([box(0.06, 0.06, 0.06), upper]))
    assert len(np.unique(solid.body)) == 2
    assert len(solid.faces) == 24


def test_an_open_surface_gets_its_mass_from_the_pieces_and_two_sides(tmp_path):
    cup = trimesh.creation.icosphere(subdivisions=2, radius=0.04)
    cup = trimesh.Trimesh(cup.vertices, cup.faces[cup.triangles_center[:, 2] < 0.012], process=False)
    cup.export(tmp_path / "bowl.obj")
    made = make_object(Request(tmp_path / "bowl.obj", "bowl", 0.1, max_pieces=1))
    assert any("not closed" in text for topic, text in made.notes if topic == "mass")
    faces = made.spec.visuals[0].mesh.faces
    there = {tuple(np.roll(face, -face.argmin())) for face in faces}
    assert all(tuple(np.roll(face[::-1], -face[::-1].argmin())) in there for face in faces)


def test_few_corners_keep_volume_and_shape():
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.04).vertices
    few = reduced(ball)
    assert len(few) == 32
    assert ConvexHull(few).volume == pytest.approx(ConvexHull(ball).volume, rel=0.1)
    cube = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    many = np.vstack([cube, np.random.default_rng(0).random((200, 3))])
    np.testing.assert_allclose(np.sort(reduced(many), axis=0), np.sort(cube, axis=0), atol=1e-9)
    np.testing.assert_array_equal(reduced(cube), cube)


def test_lab_is_that_of_the_standard():
    np.testing.assert_allclose(lab(np.array([1.0, 1.0, 1.0])), (100, 0, 0), atol=0.1)
    np.testing.assert_allclose(lab(np.array([1.0, 0.0, 0.0])), (53.24, 80.09, 67.20), atol=0.2)
    np.testing.assert_allclose(lab(np.array([0.0, 0.0, 1.0])), (32.30, 79.19, -107.86), atol=0.2)


def test_every_shade_of_the_palette_is_called_by_its_own_word():
    for word in COLOR_WORDS:
        for shade in PALETTE[word]:
            assert words_for(np.tile(shade, (50, 1))) == (word,)


def test_two_colours_are_named_by_share_and_the_users_word_wins_close_calls():
    red, white = PALETTE["red"][0], PALETTE["white"][0]
    mixed = np.array([red] * 70 + [white] * 30)
    assert words_for(mixed) == ("red", "white")
    assert words_for(mixed[20:95]) == ("red", "white")
    assert words_for(mixed[:80]) == ("red",)
    between = (np.array(PALETTE["blue"][1]) + PALETTE["light blue"][1]) / 2
    for said in ("blue", "light blue"):
        assert words_for(np.tile(between, (9, 1)), said) == (said,)
    assert words_for(np.tile(red, (9, 1)), "blue") == ("red",)


NAMES = {
    "blue mug": ("user_blue_mug", ("mug",), "blue", "plastic", ()),
    "large light blue coffee mug": (
        "user_large_light_blue_coffee_mug",
        ("coffee mug", "mug"),
        "light blue",
        "plastic",
        ("large",),
    ),
    "wooden spoon": ("user_wooden_spoon", ("spoon",), None, "wood", ()),
    "glass": ("user_glass", ("glass",), None, "plastic", ()),
    "T-Rex 2": ("user_t_rex_2", ("t-rex 2", "2"), None, "plastic", ()),
    "orange": (None, (), None, "", ()),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_becomes_words(name):
    object_id, nouns, color, material, sizes = NAMES[name]
    if object_id is None:
        with pytest.raises(Refused, match="noun"):
            words.parse(name)
        return
    assert words.parse(name) == words.Named(object_id, nouns, color, material, sizes)
    assert words.parse(name, "metal").material == "metal"


def test_sizes_are_compared_with_the_family_of_the_noun():
    named = words.parse("bottle")
    middle = np.median([get_object(i).extent_m for i in FAMILIES["bottle"].ids()], axis=0)
    assert words.size_words(named, middle) == ()
    assert words.size_words(named, 1.5 * middle) == ("large",)
    assert words.size_words(named, 0.6 * middle) == ("small",)
    assert "tall" in words.size_words(named, middle * (1, 1, 2))
    assert words.size_words(words.parse("gizmo"), 1.5 * middle) == ()
    assert words.size_words(words.parse("large gizmo"), middle) == ("large",)


def test_the_shortest_turn_brings_a_direction_up():
    ways = np.random.default_rng(1).normal(size=(20, 3))
    for way in [*ways, *np.eye(3), *-np.eye(3)]:
        np.testing.assert_allclose(rotation(shortest_turn(way)) @ way / np.linalg.norm(way), (0, 0, 1), atol=1e-9)


def test_poses_are_ordered_by_the_tilt_they_bear_with_upright_first(tmp_path):
    box(0.05, 0.07, 0.12).export(tmp_path / "b.stl")
    spec = make_object(Request(tmp_path / "b.stl", "brick", 0.2)).spec
    heights = [round(pose.height_m, 4) for pose in rest_poses(spec, None, insist=False)]
    assert heights == [0.025, 0.025, 0.035, 0.035]
    heights = [round(pose.height_m, 4) for pose in rest_poses(spec, np.array([0.0, 0.0, 1.0]), insist=True)]
    assert heights[0] == 0.06


def test_a_pose_that_a_small_tilt_ends_does_not_count(tmp_path):
    box(0.008, 0.008, 0.12).export(tmp_path / "b.stl")
    spec = make_object(Request(tmp_path / "b.stl", "stick", 0.05)).spec
    assert {round(pose.height_m, 4) for pose in spec.rest_poses} == {0.004}
    with pytest.raises(Refused, match="does not stand with --upright"):
        make_object(Request(tmp_path / "b.stl", "stick", 0.05, upright=(0, 0, 1)))


def test_what_never_rests_is_refused(tmp_path, monkeypatch):
    box(0.05, 0.05, 0.05).export(tmp_path / "b.stl")
    monkeypatch.setattr(resting, "STILL", 0.0)  # a world in which nothing ever counts as still
    with pytest.raises(Refused, match="never comes to rest"):
        make_object(Request(tmp_path / "b.stl", "cube", 0.2))


def test_what_stands_on_no_facet_for_long_is_dropped_until_it_lies(tmp_path, monkeypatch):
    box(0.05, 0.06, 0.12).export(tmp_path / "b.stl")
    monkeypatch.setattr(resting, "_facets", lambda spec: [])
    spec = make_object(Request(tmp_path / "b.stl", "brick", 0.2)).spec
    assert {round(pose.height_m, 3) for pose in spec.rest_poses} <= {0.025, 0.03, 0.06}


def striped(path):
    """A box whose texture is red below and white above, by its height."""
    mesh = box(0.05, 0.05, 0.08)
    mesh = mesh.subdivide().subdivide()
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[:32], picture[32:] = (245, 245, 240), (200, 20, 25)  # the first row is v = 1, on top
    v = (mesh.vertices[:, 2] + 0.04) / 0.08
    uv = np.stack([np.full(len(v), 0.5), np.clip(v, 0.01, 0.99)], axis=1)
    mesh.visual = trimesh.visual.TextureVisuals(uv=uv, image=Image.fromarray(picture))
    mesh.export(path)


@pytest.mark.parametrize("name", ["striped.obj", "striped.glb"])
def test_a_texture_becomes_a_small_picture_that_shows_the_same(tmp_path, name):
    striped(tmp_path / name)
    spec = make_object(Request(tmp_path / name, "block", 0.2, upright=(0, 0, 1))).spec
    assert set(spec.colors) == {"red", "white"}
    (visual,) = spec.visuals
    assert visual.texture.nbytes <= 128 * 256 * 3
    assert 0 <= visual.mesh.texcoord.min() <= visual.mesh.texcoord.max() <= 1
    height, width = visual.texture.shape[:2]
    shown = 0
    for face in visual.mesh.faces:
        for weights in ((0.6, 0.2, 0.2), (0.2, 0.6, 0.2), (0.2, 0.2, 0.6)):
            place = weights @ visual.mesh.vertices[face]
            u, v = weights @ visual.mesh.texcoord[face]
            if abs(place[2]) > 0.004:  # off the border between the colours
                green = visual.texture[int((1 - v) * height), int(u * width), 1]
                assert (green > 128) == (place[2] > 0), (place, green)
                shown += 1
    assert shown > 100


def test_parts_of_one_colour_each_stay_apart(tmp_path):
    parts = [box(0.02, 0.02, 0.1), box(0.05, 0.03, 0.03)]
    parts[1].apply_translation([0, 0, 0.05])
    for part, colour in zip(parts, ([90, 50, 25, 255], [200, 20, 20, 255]), strict=True):
        part.visual.face_colors = colour
    trimesh.Scene(parts).export(tmp_path / "hammer.glb")
    spec = make_object(Request(tmp_path / "hammer.glb", "hammer", 0.2, upright=(0, 0, 1))).spec
    assert len(spec.visuals) == 2
    assert all(visual.texture is None for visual in spec.visuals)
    assert set(spec.colors) == {"brown", "red"}
    assert len(spec.pieces) == 2


def test_a_plain_surface_is_plain_and_a_striped_one_is_not():
    assert is_plain(np.random.default_rng(0).normal(0.5, 0.01, size=(500, 3)))
    assert not is_plain(np.array([PALETTE["red"][0]] * 50 + [PALETTE["white"][0]] * 50))
