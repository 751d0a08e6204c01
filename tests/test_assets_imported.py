"""The user's library folder: what is saved is what is read, whole or not at all, and damage is named."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from assets.objects import imported, library
from assets.objects.imported import NameTakenError, ObjectFileError
from assets.objects.types import ObjectSpec


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(imported.FOLDER_VARIABLE, str(tmp_path / "objects"))
    library.get_object.cache_clear()
    yield tmp_path / "objects"
    library.get_object.cache_clear()


def made(object_id: str, like: str) -> ObjectSpec:
    return replace(library.get_object(like), id=object_id, family="user", split="user")


def assert_same(a: ObjectSpec, b: ObjectSpec) -> None:
    for field in fields(a):
        if field.name not in ("pieces", "visuals"):
            assert getattr(a, field.name) == getattr(b, field.name), field.name
    for one, two in zip(a.pieces, b.pieces, strict=True):
        assert (one.kind, one.size, one.pos, one.quat, one.density) == (
            two.kind, two.size, two.pos, two.quat, two.density,
        )  # fmt: skip
        assert (one.vertices is None) == (two.vertices is None)
        assert one.vertices is None or np.array_equal(one.vertices, two.vertices)
    for one, two in zip(a.visuals, b.visuals, strict=True):
        assert (one.rgb, one.gloss) == (two.rgb, two.gloss)
        for part in ("vertices", "faces", "texcoord"):
            np.testing.assert_array_equal(getattr(one.mesh, part), getattr(two.mesh, part))
        assert (one.texture is None) == (two.texture is None)
        assert one.texture is None or np.array_equal(one.texture, two.texture)


@pytest.mark.parametrize("like", ["mug_00", "star_00", "box_01", "ball_00"])
def test_what_is_saved_is_what_get_object_returns(folder, like):
    spec = made("user_thing", like)
    imported.save(spec, {"file": "x.obj"}, folder)
    assert_same(library.get_object("user_thing"), spec)
    assert library.get_object("user_thing") is library.get_object("user_thing")
    assert imported.find("user_thing").origin == {"file": "x.obj"}


def test_the_same_object_gives_the_same_bytes_and_another_does_not(tmp_path):
    a = imported.save(made("user_a", "mug_00"), {}, tmp_path / "one").read_bytes()
    b = imported.save(made("user_a", "mug_00"), {}, tmp_path / "two").read_bytes()
    c = imported.save(replace(made("user_a", "mug_00"), mass_kg=0.2), {}, tmp_path / "three").read_bytes()
    assert a == b
    assert a != c


def test_a_taken_name_is_refused_and_replaced_only_on_demand(folder):
    path = imported.save(made("user_a", "mug_00"), {}, folder)
    before = path.read_bytes()
    with pytest.raises(NameTakenError, match="--replace"):
        imported.save(made("user_a", "can_00"), {}, folder)
    assert path.read_bytes() == before
    imported.save(made("user_a", "can_00"), {}, folder, replace=True)
    assert library.get_object("user_a").noun == library.get_object("can_00").noun
    assert [p.name for p in folder.iterdir()] == ["user_a.npz"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(folder, monkeypatch):
    path = imported.save(made("user_a", "mug_00"), {}, folder)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(imported.np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space"):
        imported.save(made("user_a", "can_00"), {}, folder, replace=True)
    assert path.read_bytes() == before
    assert [p.name for p in folder.iterdir()] == ["user_a.npz"]


def test_ids_lists_the_folder_and_an_unknown_one_names_the_choices(folder):
    assert imported.ids() == ()
    with pytest.raises(KeyError, match=r"none yet.*import_mesh"):
        library.get_object("user_cup")
    for name in ("user_b", "user_a"):
        imported.save(made(name, "mug_00"), {}, folder)
    (folder / "notes.txt").write_text("mine")
    assert imported.ids() == ("user_a", "user_b")
    with pytest.raises(KeyError, match="user_a, user_b") as caught:
        library.get_object("user_cup")
    assert str(caught.value) == caught.value.args[0]  # no quotes of KeyError around a sentence


def test_built_in_objects_do_not_look_into_the_folder(folder):
    assert library.get_object("mug_00").split == "seen"
    assert not folder.exists()


def rewritten(path, change) -> None:
    with np.load(path) as arrays:
        content = dict(arrays)
    header = json.loads(str(content.pop("header")))
    change(header, content)
    np.savez(path, header=np.array(json.dumps(header)), **content)


def drop_vertices(header, content):
    del content["visual0_vertices"]


DAMAGE = {
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-200]), "damaged"),
    "empty": (lambda p: p.write_bytes(b""), "damaged"),
    "foreign text": (lambda p: p.write_text("solid mug"), "damaged"),
    "foreign arrays": (lambda p: np.savez(p, x=np.zeros(3)), "damaged"),
    "another program's": (lambda p: rewritten(p, lambda h, c: h.update(format="thing/1")), "has format thing/1"),
    "a later version": (lambda p: rewritten(p, lambda h, c: h.update(format="dexclutter-object/2")), "reads .*/1"),
    "without mass": (lambda p: rewritten(p, lambda h, c: h.pop("mass_kg")), "mass_kg"),
    "without a mesh": (lambda p: rewritten(p, drop_vertices), "visual0_vertices"),
    "renamed": (lambda p: rewritten(p, lambda h, c: h.update(id="user_b")), "user_b"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_with_the_file(folder, kind):
    path = imported.save(made("user_a", "mug_00"), {}, folder)
    spoil, words = DAMAGE[kind]
    spoil(path)
    imported._read_once.cache_clear()
    with pytest.raises(ObjectFileError, match=words) as caught:
        library.get_object("user_a")
    assert str(path) in str(caught.value)


def test_a_file_with_pickled_content_is_not_run(folder):
    path = imported.save(made("user_a", "mug_00"), {}, folder)
    np.savez(path, header=np.array([{"a": print}], dtype=object))
    with pytest.raises(ObjectFileError, match="damaged"):
        imported.read(path)


def test_the_folder_is_the_variable_or_lies_in_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv(imported.FOLDER_VARIABLE, str(tmp_path))
    assert imported.default_folder() == tmp_path
    monkeypatch.delenv(imported.FOLDER_VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert imported.default_folder() == tmp_path / ".dexclutter" / "objects"
