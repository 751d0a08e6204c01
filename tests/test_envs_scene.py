"""From an episode to a compiled model: the promised names, the physics and nothing that depends on who builds it."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from assets.robots.hands import HANDS, get_hand
from envs import spec
from envs.control import Servo
from envs.episode import PlacedObject, make_episode
from envs.interface import EpisodeError
from envs.readings import contact_readings, raised_m
from envs.scene import HAND, OBJECT, ROBOT, STATIC, build_scene

both_hands = pytest.mark.parametrize("hand", HANDS)
EPISODE = ("seen_objects", 1)


@both_hands
def test_the_names_that_others_rely_on_exist(hand):
    scene = build_scene(make_episode(*EPISODE), hand)
    model, count = scene.model, len(scene.episode.objects)
    assert count >= 3
    actuators = [model.actuator(i).name for i in range(model.nu)]
    assert actuators == list(spec.ACTION_NAMES)
    assert get_hand(hand).driven_joints == tuple(f"hand/{n}" for n in spec.HAND_ORDER)
    for name in (*[f"arm/joint{i}" for i in range(1, 8)], *get_hand(hand).driven_joints):
        assert model.joint(name).id >= 0
    assert [model.joint(spec.object_name(i)).type[0] for i in range(count)] == [mujoco.mjtJoint.mjJNT_FREE] * count
    assert [model.body(b).name for b in scene.object_bodies] == ["target", *(f"object{i}" for i in range(1, count))]
    tips = [f"hand/tip_{digit}" for digit in ("thumb", "index", "middle", "ring", "little")]
    for site in ("arm/flange", "hand/frame", *tips):
        assert model.site(site).id >= 0
    for camera in ("head", "wrist", "outside", "side"):
        assert model.camera(camera).id >= 0
    assert model.camera("head").fovy[0] == pytest.approx(spec.HEAD_FOVY_DEG)
    assert model.camera("wrist").fovy[0] == pytest.approx(spec.WRIST_FOVY_DEG)


def test_the_physics_settings_are_those_of_the_suite():
    option = build_scene(make_episode(*EPISODE)).model.opt
    assert (option.timestep, option.impratio, option.iterations, option.tolerance) == (0.002, 100.0, 50, 1e-8)
    assert option.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    assert option.solver == mujoco.mjtSolver.mjSOL_NEWTON
    assert option.cone == mujoco.mjtCone.mjCONE_ELLIPTIC
    assert option.jacobian == mujoco.mjtJacobian.mjJAC_DENSE  # 4.0.0 solves wrongly with the sparse one
    assert (option.noslip_iterations, option.disableflags) == (0, 0)
    np.testing.assert_array_equal(option.gravity, [0, 0, -9.81])


def test_nothing_holds_an_object_but_contact():
    model = build_scene(make_episode(*EPISODE)).model
    assert set(model.eq_type.tolist()) == {int(mujoco.mjtEq.mjEQ_JOINT)}  # the fingers' couplings; no weld, no connect
    assert model.ntendon == 0
    assert not model.geom_margin.any()
    assert model.geom_friction[model.geom_contype != 0, 0].max() <= 1.0
    adhesion = model.actuator_trntype == mujoco.mjtTrn.mjTRN_BODY
    assert not adhesion.any()
    free = model.body_jntnum == 1
    assert not model.body_gravcomp[free & (model.jnt_type[model.body_jntadr] == mujoco.mjtJoint.mjJNT_FREE)].any()


@both_hands
def test_what_is_drawn_does_not_collide_and_what_collides_is_not_drawn(hand):
    model = build_scene(make_episode(*EPISODE), hand).model
    drawn, collides = model.geom_group == spec.VISUAL_GROUP, (model.geom_contype | model.geom_conaffinity) != 0
    assert (drawn ^ collides).all()
    assert (model.geom_group[collides] == spec.COLLISION_GROUP).all()


def test_objects_stand_where_the_episode_says_with_the_mass_it_says():
    scene = build_scene(make_episode(*EPISODE))
    data = scene.initial_data()
    mujoco.mj_forward(scene.model, data)
    expected = np.array([[*o.pos, *o.quat] for o in scene.episode.objects])
    np.testing.assert_array_equal(scene.object_poses(data), expected)
    np.testing.assert_allclose(data.xpos[scene.object_bodies], expected[:, :3], atol=1e-12)
    masses = scene.model.body_subtreemass[scene.object_bodies]
    np.testing.assert_allclose(masses, [o.mass_kg for o in scene.objects], rtol=1e-6)


def test_object_poses_are_a_copy():
    scene = build_scene(make_episode(*EPISODE))
    data = scene.initial_data()
    scene.object_poses(data)[:] = 9.0
    assert not (data.qpos == 9.0).any()


def test_the_lowest_point_is_that_of_the_collision_shapes():
    """Against a sinking plane: the height at which MuJoCo itself finds the first contact."""
    scene = build_scene(make_episode(*EPISODE))
    model, rng = scene.model, np.random.default_rng(0)
    data, fromto = scene.initial_data(), np.zeros(6)
    floor = model.geom("table_collision").id
    top = model.geom_pos[floor, 2] + model.geom_size[floor, 2]
    assert top == pytest.approx(0.0)
    for i, body in enumerate(scene.object_bodies):
        turn = rng.normal(size=4)
        data.qpos[scene.object_qpos[i]] = [0.5, -0.1, 0.4, *(turn / np.linalg.norm(turn))]
        mujoco.mj_kinematics(model, data)
        shapes = np.flatnonzero((model.geom_bodyid == body) & (model.geom_contype != 0))
        gap = min(mujoco.mj_geomDistance(model, data, int(g), floor, 1.0, fromto) for g in shapes)
        assert scene.lowest_m(data, i) == pytest.approx(gap, abs=2e-4)
        data.qpos[scene.object_qpos[i]] = [3.0, 3.0, 3.0, 1, 0, 0, 0]


@both_hands
def test_every_colliding_geom_belongs_to_exactly_one_party(hand):
    scene = build_scene(make_episode(*EPISODE), hand)
    bits, collides = scene.geom_bits, scene.model.geom_contype != 0
    assert not bits[~collides].any()
    parties = [scene.is_robot, scene.is_static, *((bits & OBJECT << i) != 0 for i in range(len(scene.objects)))]
    assert (np.sum(parties, axis=0) == collides).all()
    assert ((bits & ROBOT != 0) == scene.is_robot).all()
    assert ((bits & HAND != 0) == scene.is_hand).all()
    assert ((bits & STATIC != 0) == scene.is_static).all()
    assert (scene.is_robot | ~scene.is_hand).all()
    names = [scene.model.body(b).name for b in scene.model.geom_bodyid]
    assert all(n.split("/")[0] in ("arm", "hand") for n, robot in zip(names, scene.is_robot, strict=True) if robot)
    assert not any(scene.is_robot[i] for i, n in enumerate(names) if n.startswith("left_"))


def test_building_twice_gives_the_same_model_to_the_byte():
    episode = make_episode(*EPISODE)
    one, two = (np.zeros(mujoco.mj_sizeModel(build_scene(episode).model), np.uint8) for _ in range(2))
    mujoco.mj_saveModel(build_scene(episode).model, None, one)
    mujoco.mj_saveModel(build_scene(episode).model, None, two)
    assert (one == two).all()


def test_an_unknown_hand_or_object_is_named_with_the_choices():
    episode = make_episode(*EPISODE)
    with pytest.raises(EpisodeError, match=r"claw.*g0r"):
        build_scene(episode, "claw")
    odd = replace(episode, objects=(PlacedObject("unicorn_01", (0.5, 0, 0.1), (1, 0, 0, 0)),))
    with pytest.raises(EpisodeError, match="unicorn_01"):
        build_scene(odd)


def test_readings_agree_with_mujoco_s_own_contact_forces():
    """The hand is pushed into the table and onto an object: who is touched, and how hard the table is pressed."""
    scene = build_scene(make_episode(*EPISODE))
    model, data = scene.model, scene.initial_data()
    servo = Servo(model, scene.hand)
    servo.reset(data, np.asarray(scene.episode.arm_start_rad), np.ones(6))
    mujoco.mj_forward(model, data)
    assert contact_readings(scene, data) == (0, 0.0)
    palm = data.site("hand/frame").xpos.copy()
    for i in (0, 2):
        data.qpos[scene.object_qpos[i, :3]] = palm + [0, 0, 0.02 * i]
    data.qpos[scene.object_qpos[1, :3]] = [
        0.5,
        0.3,
        0.0,
    ]  # half in the table: a force, but not the robot's
    mujoco.mj_forward(model, data)
    touched, force = contact_readings(scene, data)
    assert touched & 0b101 == 0b101
    assert not touched & 0b10
    assert force == 0.0
    lower = model.body("arm/base").id
    model.body_pos[lower, 2] -= palm[2]  # the whole arm sinks until the hand reaches into the table
    mujoco.mj_forward(model, data)
    expected = 0.0
    for k, contact in enumerate(data.contact):
        a, b = contact.geom
        if (scene.is_robot[a] and scene.is_static[b]) or (scene.is_robot[b] and scene.is_static[a]):
            wrench = np.zeros(6)
            mujoco.mj_contactForce(model, data, k, wrench)
            expected += wrench[0]
    assert expected > 1.0
    assert contact_readings(scene, data)[1] == pytest.approx(expected, rel=1e-9)


def test_the_rise_of_neighbours_does_not_count_the_target():
    scene = build_scene(make_episode(*EPISODE))
    data = scene.initial_data()
    start = scene.object_poses(data)
    data.qpos[scene.object_qpos[0, 2]] += 0.3
    data.qpos[scene.object_qpos[2, 2]] += 0.12
    mujoco.mj_kinematics(scene.model, data)
    assert raised_m(scene, data, start) == pytest.approx(0.12)
    assert raised_m(scene, data, start[:1]) == 0.0
