"""From a mesh file to an object: four formats, exact mass, light shapes, stable poses, clear refusals."""

import re
import sys

import numpy as np
import pytest
from test_assets_objects import new_world, outside
from user_meshes import HEIGHT_M, RADIUS_M, blob, box, elbow, mug, trimesh

from assets import import_mesh
from assets.importing.assemble import make_object
from assets.importing.refused import Refused
from assets.objects import imported, library
from assets.objects.build import add_object
from assets.objects.solids import bounds, lowest_point, rotation, support

FORMATS = ("obj", "stl", "ply", "glb")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(imported.FOLDER_VARIABLE, str(tmp_path / "objects"))
    library.get_object.cache_clear()
    yield tmp_path / "objects"
    library.get_object.cache_clear()


def written(tmp_path, mesh, name="thing.stl"):
    path = tmp_path / name
    mesh.export(path)
    return path


def run(path, *words, name="thing", mass="0.2"):
    return import_mesh.main([str(path), "--name", name, "--mass", mass, *words])


def request(path, **changes):
    return import_mesh.Request(**{"path": path, "name": "thing", "mass_kg": 0.2} | changes)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One object of each hollow or bumpy kind, made once."""
    folder = tmp_path_factory.mktemp("meshes")
    torus = trimesh.creation.torus(0.03, 0.012, major_sections=24, minor_sections=12)
    meshes = {"mug": (mug(), 8), "torus": (torus, 6), "blob": (blob(), 3), "elbow": (elbow(), 8)}
    return {
        name: make_object(request(written(folder, mesh, f"{name}.stl"), name=f"blue {name}", max_pieces=most)).spec
        for name, (mesh, most) in meshes.items()
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_makes_an_object_that_get_object_finds(folder, tmp_path, capsys, kind):
    mesh = elbow()
    mesh.visual.vertex_colors = [20, 70, 180, 255]
    assert run(written(tmp_path, mesh, f"e.{kind}"), "--upright", "0", "0", "1", name="elbow") == 0
    spec = library.get_object("user_elbow")
    assert (spec.id, spec.noun, spec.family, spec.split, spec.mass_kg) == ("user_elbow", "elbow", "user", "user", 0.2)
    np.testing.assert_allclose(spec.extent_m, (0.08, 0.03, 0.08), atol=1e-4)
    # By hand: the foot weighs 72 of 117 parts and its middle is the origin, the post's is at (-25, 0, 40) mm.
    post = 45 / 117
    height = 0.08 / 2 - 0.015  # of the foot's middle below the body origin
    np.testing.assert_allclose(spec.com_m, (0, 0, 0.04 * post - height), atol=1e-5)
    parts = ((1 - post, (0.08, 0.03, 0.03), (0, 0, 0)), (post, (0.03, 0.03, 0.05), (-0.025, 0, 0.04)))
    com = np.array([-0.025 * post, 0, 0.04 * post])
    inertia = np.zeros((3, 3))
    for share, sides, middle in parts:
        squares, offset = np.square(sides), np.subtract(middle, com)
        inertia += 0.2 * share * np.diag([squares.sum() - s for s in squares]) / 12
        inertia += 0.2 * share * (offset @ offset * np.eye(3) - np.outer(offset, offset))
    six = [inertia[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(spec.inertia_kg_m2, six, atol=1e-4 * np.trace(inertia))
    assert spec.colors == (("grey",) if kind == "stl" else ("blue",))  # STL has no colours
    said = capsys.readouterr().out
    assert "datagen.check_object user_elbow" in said
    assert "--suite user:elbow" in said


def test_objects_are_as_light_as_the_built_in_ones(made):
    for name, spec in made.items():
        assert 1 <= len(spec.pieces) <= 8, name
        assert all(4 <= len(piece.vertices) <= 32 for piece in spec.pieces), name
        assert 12 <= sum(len(v.mesh.faces) for v in spec.visuals) <= 400, name


def test_what_is_drawn_is_what_collides(made):
    directions = trimesh.creation.icosphere(subdivisions=2).vertices
    for name, spec in made.items():
        drawn = np.concatenate([v.mesh.vertices for v in spec.visuals])
        reach = np.array([support(spec).reach(d) for d in directions])
        gap = np.abs((drawn @ directions.T).max(axis=0) - reach)
        assert gap.max() < 0.0035, (name, gap.max())
        distance = np.min([outside(piece, drawn) for piece in spec.pieces], axis=0)
        assert np.quantile(distance, 0.98) < 0.0035, (name, np.quantile(distance, 0.98))


def test_hollows_stay_hollow(made):
    inside = {"mug": np.array([[0, 0, z] for z in (0.0, 0.02, 0.04)]), "torus": np.zeros((1, 3))}
    for name, points in inside.items():
        spec = made[name]
        low, high = bounds(spec.pieces)
        if name == "mug":  # its axis, seen from a body whose origin is the centre of mass
            points = points + (low[0] + RADIUS_M, (low[1] + high[1]) / 2, 0)
        apart = np.min([outside(piece, points) for piece in spec.pieces], axis=0)
        assert apart.min() > 0.005, (name, apart)


def test_the_mug_stands_upright_with_the_mass_of_its_volume(made):
    spec = made["mug"]
    assert spec.extent_m[2] == pytest.approx(HEIGHT_M, abs=0.002)
    assert spec.rest_poses[0].quat == (1, 0, 0, 0)
    original = mug()
    com = original.center_mass - (0, 0, HEIGHT_M / 2)
    assert spec.com_m[2] == pytest.approx(com[2], abs=0.001)
    inertia = original.moment_inertia * 0.2 / original.volume
    ours = np.array(spec.inertia_kg_m2[:3])
    np.testing.assert_allclose(ours, np.diag(inertia), rtol=0.01)
    assert spec.colors == ("blue",)
    assert spec.nouns == ("mug",)


def test_every_rest_pose_is_stable_as_for_built_in_objects(made):
    import mujoco

    from envs.spec import TIMESTEP_S

    poses, world = [(name, k) for name, spec in made.items() for k in range(len(spec.rest_poses))], new_world()
    assert len(poses) > len(made)
    for slot, (name, k) in enumerate(poses):
        quat, height = made[name].rest_quats[k]
        assert lowest_point(made[name], rotation(quat), (0, 0, height)) == pytest.approx(0, abs=1e-9)
        add_object(world, made[name], f"object{slot}", (0.4 * slot, 0, height), quat)
    model = world.compile()
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, round(1.0 / TIMESTEP_S))
    start, after = model.qpos0.reshape(-1, 7), data.qpos.reshape(-1, 7)
    turned = 2 * np.degrees(np.arccos(np.clip(np.abs((start[:, 3:] * after[:, 3:]).sum(axis=1)), 0, 1)))
    moved = np.linalg.norm(start[:, :3] - after[:, :3], axis=1)
    assert moved.max() < 0.005, poses[moved.argmax()]
    assert turned.max() < 5, poses[turned.argmax()]


def test_the_same_mesh_gives_the_same_bytes(folder, tmp_path):
    path = written(tmp_path, trimesh.creation.torus(0.03, 0.012, major_sections=16, minor_sections=8))
    assert run(path, "--max-pieces", "4") == 0
    first = (folder / "user_thing.npz").read_bytes()
    assert run(path, "--max-pieces", "4", "--replace") == 0
    assert (folder / "user_thing.npz").read_bytes() == first


def test_upright_chooses_the_first_pose_or_is_refused(tmp_path):
    path = written(tmp_path, box(0.05, 0.06, 0.12))
    for upright, height in (((0, 0, 1), 0.12), ((0, 1, 0), 0.06), ((-2, 0, 0), 0.05)):
        assert make_object(request(path, upright=upright)).spec.extent_m[2] == pytest.approx(height, abs=1e-6)
    with pytest.raises(Refused, match="does not stand with --upright"):
        make_object(request(path, upright=(1, 1, 1)))


def test_a_library_of_ones_own_is_named_in_the_commands_that_follow(folder, tmp_path, capsys):
    del folder
    path = written(tmp_path, box(0.05, 0.05, 0.05))
    assert run(path, "--library", str(tmp_path / "mine"), "--no-grasp-check") == 0
    assert (tmp_path / "mine" / "user_thing.npz").exists()
    said = capsys.readouterr().out
    assert f"{imported.FOLDER_VARIABLE}={tmp_path / 'mine'}" in said
    assert "check_object" not in said


def plane():
    return trimesh.Trimesh([[0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0]], [[0, 1, 2], [0, 2, 3]])


def apart():
    other = box(0.03, 0.03, 0.03)
    other.apply_translation([0.08, 0, 0])
    return trimesh.util.concatenate([box(0.04, 0.04, 0.04), other])


def points_only(tmp_path):
    path = tmp_path / "points.ply"
    trimesh.PointCloud(np.eye(3)).export(path)
    return path


REFUSALS = {
    "missing file": (lambda d: d / "nothing.obj", (), "there is no file"),
    "unknown format": (lambda d: written(d, box(0.05, 0.05, 0.05), "box.off"), (), "OBJ, STL, PLY, GLB"),
    "empty file": (lambda d: ((d / "a.stl").write_bytes(b"") and None) or d / "a.stl", (), "a.stl"),
    "nothing in it": (lambda d: (d / "a.obj").write_text("# nothing\n") and d / "a.obj", (), "a.obj"),
    "no mesh but text": (
        lambda d: (d / "a.glb").write_text("hello " * 30) and d / "a.glb",
        (),
        "cannot be read as GLB",
    ),
    "points only": (points_only, (), "no triangles"),
    "plane": (lambda d: written(d, plane()), (), "no volume"),
    "sheet": (lambda d: written(d, box(0.1, 0.1, 0.001)), (), "1.0 mm thin"),
    "too large": (lambda d: written(d, box(0.5, 0.1, 0.1)), (), "try --scale|would make it"),
    "too small": (lambda d: written(d, box(12, 4, 4)), ("--scale", "mm"), "too small.*1.2 cm.*--scale cm"),
    "scale words": (lambda d: written(d, box(0.1, 0.1, 0.1)), ("--scale", "inch"), "--scale must be"),
    "two things": (lambda d: written(d, apart()), (), "2 parts that do not touch"),
    "too slippery": (lambda d: written(d, box(0.1, 0.1, 0.1)), ("--friction", "0.05"), "0.1 to 1.5, got 0.05"),
    "too sticky": (lambda d: written(d, box(0.1, 0.1, 0.1)), ("--friction", "1.6"), "0.1 to 1.5, got 1.6"),
    "no direction": (lambda d: written(d, box(0.1, 0.1, 0.1)), ("--upright", "0", "0", "0"), "--upright"),
    "no pieces": (lambda d: written(d, box(0.1, 0.1, 0.1)), ("--max-pieces", "0"), "--max-pieces"),
    "two words of material": (lambda d: written(d, box(0.1, 0.1, 0.1)), ("--material", "my wood"), "--material"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_the_unusable_is_refused_with_the_reason(folder, tmp_path, capsys, case):
    make, words, reason = REFUSALS[case]
    path = make(tmp_path)
    assert run(path, *words) == 2
    said = capsys.readouterr().err
    assert re.search(reason, said), said
    assert said.startswith(f"{path.name} was not imported: ")
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize(
    ("mass", "reason"), [("0.004", "5 g to 1.5 kg"), ("1.6", "5 g"), ("300", "say 0.3"), ("nan", "5 g")]
)
def test_a_mass_that_no_hand_lifts_is_refused(folder, tmp_path, capsys, mass, reason):
    assert run(written(tmp_path, box(0.05, 0.05, 0.05)), mass=mass) == 2
    assert reason in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize("name", ["", "blue", "../mug", "Größe", "a" * 41, "mug;rm", "tall"])
def test_a_name_that_says_nothing_is_refused(folder, tmp_path, capsys, name):
    assert run(written(tmp_path, box(0.05, 0.05, 0.05)), name=name) == 2
    assert "--name" in capsys.readouterr().err
    assert not folder.exists()


def test_a_taken_name_is_refused_before_any_work(folder, tmp_path, capsys, monkeypatch):
    path = written(tmp_path, box(0.05, 0.05, 0.05))
    assert run(path) == 0
    before = (folder / "user_thing.npz").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(import_mesh, "make_object", None)
        assert run(path, mass="0.4") == 2
    assert "--replace" in capsys.readouterr().err
    assert (folder / "user_thing.npz").read_bytes() == before
    assert run(path, "--replace", mass="0.4") == 0
    assert library.get_object("user_thing").mass_kg == 0.4


def test_without_the_extra_the_command_says_what_to_install(folder, tmp_path, capsys, monkeypatch):
    del folder
    path = written(tmp_path, box(0.05, 0.05, 0.05))
    monkeypatch.setitem(sys.modules, "trimesh", None)
    assert run(path) == 2
    assert "dexclutter[import]" in capsys.readouterr().err
