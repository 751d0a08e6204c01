"""The object library: split, sizes, masses, stability, exact geometry, and visuals that match what collides."""

import dataclasses
import itertools

import mujoco
import numpy as np
import pytest

from assets.objects import build, library, solids
from assets.objects.library import ALL, FAMILIES, SEEN, UNSEEN, get_object
from assets.objects.palette import PALETTE
from assets.objects.types import Piece
from envs.spec import COLLISION_GROUP, OBJECT_BITS, TIMESTEP_S, VISUAL_BITS, VISUAL_GROUP

HAND_SPAN_M = (0.02, 0.09)


def new_world() -> mujoco.MjSpec:
    """A level table with the physics settings of the benchmark."""
    world = mujoco.MjSpec()
    world.option.timestep = TIMESTEP_S
    world.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    world.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    world.option.impratio = 100
    world.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    world.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX, size=[20, 20, 0.1], pos=[0, 0, -0.1], contype=1, conaffinity=6
    )
    return world


def random_rotations(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [solids.rotation(quat) for quat in rng.normal(size=(count, 4))]


def test_split_has_the_promised_sizes_and_is_disjoint():
    assert len(SEEN) == len(set(SEEN)) == 36
    assert len(UNSEEN) == len(set(UNSEEN)) == 360
    assert not set(SEEN) & set(UNSEEN)
    assert len(FAMILIES) >= 22
    assert all(get_object(i).split == "seen" for i in SEEN)
    assert all(get_object(i).split == "unseen" for i in UNSEEN)


def test_a_third_of_the_unseen_come_from_families_without_a_seen_member():
    known = {get_object(i).family for i in SEEN}
    assert sum(get_object(i).family not in known for i in UNSEEN) >= 120


def test_no_unseen_object_is_a_near_copy_of_a_seen_one():
    for seen, unseen in itertools.product(SEEN, UNSEEN):
        a, b = get_object(seen), get_object(unseen)
        if a.family == b.family and a.colors == b.colors:
            sizes = library.draft(seen).size_m, library.draft(unseen).size_m
            apart = max(abs(sizes[0][key] / sizes[1][key] - 1) for key in sizes[0])
            assert apart > 0.03, (seen, unseen)


def test_objects_are_a_pure_function_of_their_id():
    for object_id in ALL[::17]:
        first = get_object(object_id)
        library.get_object.cache_clear()
        library.draft.cache_clear()
        again = get_object(object_id)
        assert first is not again
        for field in dataclasses.fields(first):
            if field.name not in ("pieces", "visuals"):
                assert getattr(first, field.name) == getattr(again, field.name), (object_id, field.name)
        for a, b in zip(first.visuals, again.visuals, strict=True):
            np.testing.assert_array_equal(a.mesh.vertices, b.mesh.vertices)
            assert (a.texture is None) == (b.texture is None)
            assert a.texture is None or np.array_equal(a.texture, b.texture)


@pytest.mark.parametrize("wrong", ["teapot_00", "mug_99", "mug", "mug_1"])
def test_unknown_objects_raise_and_name_the_choices(wrong):
    with pytest.raises(KeyError, match="mug"):
        get_object(wrong)


def test_sizes_masses_and_friction_suit_the_hand():
    flat = 0
    for object_id in ALL:
        spec = get_object(object_id)
        assert 0.02 <= spec.mass_kg <= 0.6, object_id
        assert 0.4 <= spec.friction <= 1.0, object_id
        assert 0.15e3 <= spec.mass_kg / sum(solids.piece_moments(p)[0] for p in spec.pieces) <= 3e3, object_id
        for quat, height in spec.rest_quats:
            low, high = solids.bounds(spec.pieces, solids.rotation(quat))
            x, y, z = high - low
            assert low[2] == pytest.approx(-height, abs=1e-9)
            assert z <= 0.18, object_id
            assert z / min(x, y) <= 3.5, object_id
            # The hand closes around the narrower horizontal side, around the bowl's rim instead.
            assert HAND_SPAN_M[0] <= min(x, y) <= HAND_SPAN_M[1] or spec.family == "bowl", object_id
            flat += z < 0.03 and quat == spec.rest_poses[0].quat
            assert z >= 0.02, object_id
        if spec.friction < 0.5 and spec.family in ("can", "jar"):
            assert min(spec.extent_m) <= 0.08, object_id
    assert flat <= 0.06 * len(ALL)


def test_objects_can_be_described():
    for object_id in ALL:
        spec = get_object(object_id)
        assert spec.colors, object_id
        assert set(spec.colors) <= set(PALETTE), object_id
        assert spec.nouns[0] == spec.noun, object_id
        assert len(set(spec.nouns)) == len(spec.nouns), object_id
        assert all((spec.noun, spec.material)), object_id
        assert set(spec.size_words) <= {"small", "large", "short", "tall"}, object_id
    assert sum(bool(get_object(i).size_words) for i in ALL) > len(ALL) / 3


def test_visuals_are_light():
    for object_id in ALL:
        spec = get_object(object_id)
        assert 1 <= len(spec.pieces) <= 8, object_id
        assert 12 <= sum(len(v.mesh.faces) for v in spec.visuals) <= 400, object_id
        for visual in spec.visuals:
            if visual.texture is not None:
                assert visual.texture.dtype == np.uint8, object_id
                assert visual.texture.nbytes <= 128 * 256 * 3, object_id
                assert 0 <= visual.mesh.texcoord.min() <= visual.mesh.texcoord.max() <= 1, object_id


def test_visual_surfaces_face_outward():
    for object_id in ALL:
        for visual in get_object(object_id).visuals:
            vertices = np.unique(np.round(visual.mesh.vertices, 6), axis=0, return_inverse=True)[1].reshape(-1)
            faces = vertices[visual.mesh.faces]
            faces = faces[[len(set(face)) == 3 for face in faces]]
            edges = {(a, b) for face in faces for a, b in zip(face, np.roll(face, -1), strict=True)}
            corners = visual.mesh.vertices[visual.mesh.faces] - visual.mesh.vertices.mean(axis=0)
            if all((b, a) in edges for a, b in edges):  # closed
                assert np.linalg.det(corners).sum() > 0, object_id


def outside(piece: Piece, points: np.ndarray) -> np.ndarray:
    """How far points (N, 3) in the body frame lie outside a piece, at least (exact for all but ellipsoid and mesh)."""
    local = (points - piece.pos) @ solids.rotation(piece.quat)
    a, b, c = piece.size
    if piece.kind == "box":
        return np.linalg.norm(np.maximum(np.abs(local) - (a, b, c), 0), axis=1)
    if piece.kind == "cylinder":
        radial = np.maximum(np.linalg.norm(local[:, :2], axis=1) - a, 0)
        return np.hypot(radial, np.maximum(np.abs(local[:, 2]) - b, 0))
    if piece.kind in ("sphere", "capsule"):
        along = np.clip(local[:, 2], -b, b) if piece.kind == "capsule" else np.zeros(len(local))
        return np.maximum(np.linalg.norm(local - along[:, None] * [0, 0, 1], axis=1) - a, 0)
    if piece.kind == "ellipsoid":
        scaled = np.linalg.norm(local / (a, b, c), axis=1)
        return np.maximum(scaled - 1, 0) / np.maximum(scaled, 1e-9) * np.linalg.norm(local, axis=1)
    directions = solids.sphere_directions(300)
    return np.maximum((local @ directions.T - (piece.vertices @ directions.T).max(axis=0)).max(axis=1), 0)


def test_what_is_drawn_is_what_collides():
    directions = solids.sphere_directions(80)
    for object_id in ALL:
        spec = get_object(object_id)
        drawn = np.concatenate([v.mesh.vertices[np.unique(v.mesh.faces)] for v in spec.visuals])
        reach = np.array([solids.support(spec).reach(d) for d in directions])
        gap = np.abs((drawn @ directions.T).max(axis=0) - reach)
        assert gap.max() < 0.0035, (object_id, gap.max())
        distance = np.min([outside(piece, drawn) for piece in spec.pieces], axis=0)
        # A stalk, a wick or a bristle may stand out; no more than one vertex in a hundred.
        assert np.quantile(distance, 0.99) < 0.0035, (object_id, np.quantile(distance, 0.99))
        assert distance.max() < 0.005, (object_id, distance.max())


def test_lowest_point_is_exact_and_hull_points_nearly():
    for object_id in ALL[::5]:
        spec = get_object(object_id)
        hull = build.hull_points(spec)
        assert hull.ndim == 2
        assert 4 <= len(hull) <= 200
        dense = np.concatenate([_dense_surface(piece) for piece in spec.pieces])
        round_ = any(piece.kind in ("sphere", "ellipsoid", "capsule") for piece in spec.pieces)
        for rotation in random_rotations(6):
            exact = build.lowest_point(spec, rotation, (0.3, -0.2, 0.7))
            assert exact <= 0.7 + (dense @ rotation[2]).min() + 1e-9
            assert exact == pytest.approx(0.7 + (dense @ rotation[2]).min(), abs=1e-4)
            assert exact - 1e-9 <= 0.7 + (hull @ rotation[2]).min() <= exact + (0.0012 if round_ else 0.0005), object_id


def _dense_surface(piece: Piece) -> np.ndarray:
    """Many points on a piece's surface, in the body frame, by a route of its own."""
    a, b, c = piece.size
    ball, turn = solids.sphere_directions(20000), np.linspace(0, 2 * np.pi, 720)
    rim = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    local = {
        "box": lambda: np.array(list(itertools.product((-a, a), (-b, b), (-c, c)))),
        "sphere": lambda: a * ball,
        "ellipsoid": lambda: ball * (a, b, c),
        "capsule": lambda: np.concatenate([a * ball + (0, 0, b), a * ball - (0, 0, b)]),
        "cylinder": lambda: np.concatenate([np.c_[a * rim, np.full(720, b)], np.c_[a * rim, np.full(720, -b)]]),
        "mesh": lambda: piece.vertices,
    }[piece.kind]()
    return local @ solids.rotation(piece.quat).T + piece.pos


def test_mass_properties_agree_with_the_compiler():
    for object_id in ALL[::3]:
        spec = get_object(object_id)
        world = mujoco.MjSpec()
        body = world.worldbody.add_body()
        for i, piece in enumerate(spec.pieces):
            geom = body.add_geom(type=build.GEOM_TYPES[piece.kind], size=piece.size, pos=piece.pos, quat=piece.quat)
            geom.density = 1000 * piece.density
            if piece.kind == "mesh":
                world.add_mesh(
                    name=str(i), uservert=piece.vertices.ravel(), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX
                )
                geom.meshname = str(i)
        model = world.compile()
        frame = solids.rotation(model.body_iquat[1])
        inertia = frame @ np.diag(model.body_inertia[1]) @ frame.T * spec.mass_kg / model.body_mass[1]
        np.testing.assert_allclose(spec.com_m, model.body_ipos[1], atol=1e-6, err_msg=object_id)
        ours = [inertia[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]
        np.testing.assert_allclose(spec.inertia_kg_m2, ours, atol=1e-4 * np.trace(inertia), err_msg=object_id)


def test_add_object_writes_names_bits_and_mass():
    world, spec = new_world(), get_object("mug_00")
    build.add_object(world, spec, "target", (0.1, 0.2, 0.3), (0.0, 0.0, 0.0, 1.0))
    build.add_object(world, spec, "object1", (0.5, 0.2, 0.3), (1.0, 0.0, 0.0, 0.0))  # the same object twice
    model = world.compile()
    body, joint = model.body("target"), model.joint("target")
    assert model.jnt_type[joint.id] == mujoco.mjtJoint.mjJNT_FREE
    np.testing.assert_allclose(model.qpos0[joint.qposadr[0] :][:7], [0.1, 0.2, 0.3, 0, 0, 0, 1])
    assert body.mass[0] == pytest.approx(spec.mass_kg)
    for g in range(body.geomadr[0], body.geomadr[0] + body.geomnum[0]):
        bits = (model.geom_contype[g], model.geom_conaffinity[g])
        if model.geom(g).name.startswith("target/collision"):
            assert bits == OBJECT_BITS
            assert model.geom_group[g] == COLLISION_GROUP
            assert model.geom_priority[g] == 1
            assert model.geom_condim[g] == 4
            np.testing.assert_allclose(model.geom_friction[g], [spec.friction, 0.005, 0.0001])
        else:
            assert bits == VISUAL_BITS
            assert model.geom_group[g] == VISUAL_GROUP
    # What is drawn stands where it was modelled, although the compiler re-centres meshes.
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    for i, visual in enumerate(spec.visuals):
        g = model.geom(f"object1/visual{i}")
        mesh = g.dataid[0]
        first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
        points = model.mesh_vert[first : first + count] @ data.geom_xmat[g.id].reshape(3, 3).T + data.geom_xpos[g.id]
        wanted = visual.mesh.vertices[np.unique(visual.mesh.faces)] + (0.5, 0.2, 0.3)
        np.testing.assert_allclose(points.min(axis=0), wanted.min(axis=0), atol=2e-5)
        np.testing.assert_allclose(points.max(axis=0), wanted.max(axis=0), atol=2e-5)


def test_every_rest_pose_is_stable():
    poses = [(i, k) for i in ALL for k in range(len(get_object(i).rest_poses))]
    for start in range(0, len(poses), 16):
        batch, world = poses[start : start + 16], new_world()
        for slot, (object_id, k) in enumerate(batch):
            quat, height = get_object(object_id).rest_quats[k]
            position = (0.4 * (slot % 4), 0.4 * (slot // 4), height)
            build.add_object(world, get_object(object_id), f"object{slot}", position, quat)
        model = world.compile()
        data = mujoco.MjData(model)
        mujoco.mj_step(model, data, round(1.0 / TIMESTEP_S))
        for slot, pose in enumerate(batch):
            address = 7 * slot
            moved = np.linalg.norm(data.qpos[address : address + 3] - model.qpos0[address : address + 3])
            cosine = abs(data.qpos[address + 3 : address + 7] @ model.qpos0[address + 3 : address + 7])
            turned_deg = np.rad2deg(2 * np.arccos(min(1.0, cosine)))
            assert moved < 0.005, (pose, moved)
            assert turned_deg < 5, (pose, turned_deg)


def test_shapes_at_random_are_sound_and_stand_in_no_test():
    assert not set(library.SHAPES) & set(ALL)
    for object_id in library.SHAPES:
        spec = get_object(object_id)
        low, high = solids.bounds(spec.pieces)
        x, y, z = high - low
        assert spec.split == "practice", object_id
        assert HAND_SPAN_M[0] <= min(x, y) <= HAND_SPAN_M[1], object_id
        assert 0.02 <= z <= 0.18, object_id
        assert z / min(x, y) <= 3.5, object_id
        assert 0.02 <= spec.mass_kg <= 0.6, object_id
        assert 0.4 <= spec.friction <= 1.0, object_id
        assert len(spec.pieces) == len(spec.visuals), object_id
        assert not spec.size_words, object_id
    assert {get_object(i).noun for i in library.SHAPES} == {"bar", "stack", "slab", "pebble"}


@pytest.mark.parametrize("object_id", library.SHAPES[:14])
def test_shapes_at_random_are_drawn_where_they_collide(object_id):
    spec = get_object(object_id)
    vertices = np.concatenate([visual.mesh.vertices for visual in spec.visuals])
    for seen, solid in zip((vertices.min(axis=0), vertices.max(axis=0)), solids.bounds(spec.pieces), strict=True):
        np.testing.assert_allclose(seen, solid, atol=0.002)


def test_flat_things_are_too_thin_and_too_wide_for_the_hand_and_stand_in_no_other_test():
    flats = library.FLAT_SEEN + library.FLAT_UNSEEN
    assert (len(library.FLAT_SEEN), len(library.FLAT_UNSEEN)) == (32, 18)
    assert len(library.FLAT_FAMILIES) >= 8
    assert len({*flats, *ALL, *library.SHAPES}) == len(flats) + len(ALL) + len(library.SHAPES)
    for object_id in flats:
        spec = get_object(object_id)
        x, y, z = spec.extent_m
        assert spec.split == ("seen" if object_id in library.FLAT_SEEN else "unseen"), object_id
        assert 0.008 <= z <= 0.02, object_id
        assert 0.105 <= min(x, y) <= max(x, y) <= 0.21, object_id
        assert 0.05 <= spec.mass_kg <= 0.4, object_id
        assert 0.4 <= spec.friction <= 1.0, object_id
        assert 0.15e3 <= spec.mass_kg / sum(solids.piece_moments(p)[0] for p in spec.pieces) <= 3e3, object_id
        assert set(spec.colors) <= set(PALETTE), object_id
        assert set(spec.size_words) <= {"small", "large"}, object_id
        assert len(set(spec.nouns)) == len(spec.nouns), object_id


def test_flat_things_are_drawn_lightly_and_where_they_collide():
    directions = solids.sphere_directions(80)
    for object_id in library.FLAT_SEEN + library.FLAT_UNSEEN:
        spec = get_object(object_id)
        assert 1 <= len(spec.pieces) <= 8, object_id
        assert 12 <= sum(len(v.mesh.faces) for v in spec.visuals) <= 400, object_id
        drawn = np.concatenate([v.mesh.vertices[np.unique(v.mesh.faces)] for v in spec.visuals])
        reach = np.array([solids.support(spec).reach(d) for d in directions])
        assert np.abs((drawn @ directions.T).max(axis=0) - reach).max() < 0.0035, object_id
        assert np.min([outside(piece, drawn) for piece in spec.pieces], axis=0).max() < 0.0035, object_id


def test_no_unseen_flat_thing_is_a_near_copy_of_a_seen_one():
    for seen, unseen in itertools.product(library.FLAT_SEEN, library.FLAT_UNSEEN):
        a, b = get_object(seen), get_object(unseen)
        if a.family == b.family and a.colors == b.colors:
            sizes = library.draft(seen).size_m, library.draft(unseen).size_m
            assert max(abs(sizes[0][key] / sizes[1][key] - 1) for key in sizes[0]) > 0.03, (seen, unseen)
