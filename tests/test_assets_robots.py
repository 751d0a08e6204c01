"""The arm, the hands and the station as compiled: names, numbers, stability, budgets."""

import mujoco
import numpy as np
import pytest

from assets.robots import rm75, station
from assets.robots.hand import build_hand, mirrored
from assets.robots.hand_bench import pose_kinematically, targets_rad, use_benchmark_physics
from assets.robots.hands import HANDS, get_hand
from envs.spec import ACTION_NAMES, ARM_SCALE_RAD, COLLISION_GROUP, HAND_ORDER, VISUAL_GROUP

EVERY_HAND = pytest.mark.parametrize("name", HANDS)


@pytest.fixture(scope="module", params=HANDS)
def cell(request) -> tuple[str, mujoco.MjModel]:
    spec = station.build_station(request.param)
    use_benchmark_physics(spec, gravity=True)
    return request.param, spec.compile()


def _at_init(model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    for i, angle in enumerate(rm75.POSES["init"]):
        data.joint(f"arm/joint{i + 1}").qpos[0] = angle
        data.actuator(f"arm/joint{i + 1}").ctrl[0] = angle
    mujoco.mj_forward(model, data)
    return data


def _touching(model: mujoco.MjModel, data: mujoco.MjData) -> set[tuple[str, str]]:
    return {tuple(sorted((model.geom(a).name, model.geom(b).name))) for a, b in data.contact.geom}


def test_actuators_are_the_action(cell):
    _, model = cell
    assert tuple(model.actuator(i).name for i in range(model.nu)) == ACTION_NAMES
    for i, name in enumerate(ACTION_NAMES):
        assert model.joint(model.actuator_trnid[i, 0]).name == name
        np.testing.assert_allclose(model.actuator_ctrlrange[i], model.joint(name).range)


def test_arm_numbers(cell):
    _, model = cell
    for i in range(7):
        joint, actuator = model.joint(f"arm/joint{i + 1}"), model.actuator(f"arm/joint{i + 1}")
        np.testing.assert_allclose(joint.range, [-ARM_SCALE_RAD[i], ARM_SCALE_RAD[i]])
        np.testing.assert_allclose(actuator.forcerange, [-rm75.MAX_TORQUE_NM[i], rm75.MAX_TORQUE_NM[i]])
        assert actuator.gainprm[0] == -actuator.biasprm[1] == rm75.SERVO_KP[i]
        assert -actuator.biasprm[2] == rm75.SERVO_KV[i]
        assert joint.armature[0] > 0
        assert model.body(f"arm/link{i + 1}").mass[0] == rm75.LINKS[i].mass
    masses = [model.body(f"arm/{b}").mass[0] for b in ("base", *(f"link{i}" for i in range(1, 8)))]
    assert 7.7 < sum(masses) < 8.0


def test_gravity_is_compensated_on_all_that_moves(cell):
    _, model = cell
    for i in range(model.nbody):
        if model.body(i).name.startswith(("arm/", "hand/")):
            assert model.body_gravcomp[i] == 1.0


def test_names_that_others_rely_on(cell):
    _, model = cell
    for site in (
        "arm/flange",
        "hand/frame",
        *(f"hand/tip_{d}" for d in ("thumb", "index", "middle", "ring", "little")),
    ):
        assert model.site(site).id >= 0
    for camera in ("head", "wrist", "outside", "side"):
        assert model.camera(camera).id >= 0
    assert model.camera("head").fovy[0] == 42.4
    assert model.camera("wrist").fovy[0] == 62.0
    assert model.geom("table_top").group[0] == VISUAL_GROUP
    assert model.material(model.geom("table_top").matid[0]).name == "table_top"
    names = [model.geom(i).name for i in range(model.ngeom) if model.geom_group[i] == COLLISION_GROUP]
    assert any(n.startswith("table_collision") for n in names)
    assert sum(n.startswith("tray_") for n in names) == 5


def test_groups_and_contact_bits(cell):
    _, model = cell
    for i in range(model.ngeom):
        touches = bool(model.geom_contype[i] or model.geom_conaffinity[i])
        assert model.geom_group[i] in (VISUAL_GROUP, COLLISION_GROUP)
        assert touches == (model.geom_group[i] == COLLISION_GROUP), model.geom(i).name
        if model.geom(i).name.startswith("hand/") and touches:
            assert model.geom_condim[i] == 4
            assert model.geom_priority[i] == 0


def test_published_poses_stand_where_the_picture_shows_them(cell):
    _, model = cell
    data = mujoco.MjData(model)
    for name, flange in (
        ("init", (0.362, -0.503, 0.168)),
        ("placement", (0.275, -0.151, 0.235)),
        ("return_medium", (0.277, -0.400, 0.322)),
    ):
        for i, angle in enumerate(rm75.POSES[name]):
            data.joint(f"arm/joint{i + 1}").qpos[0] = angle
        mujoco.mj_forward(model, data)
        np.testing.assert_allclose(data.site("arm/flange").xpos, flange, atol=1e-3)
        assert not _touching(model, data), name
    np.testing.assert_allclose(data.site("left_arm/flange").xpos, (0.342, 0.504, 0.199), atol=1e-3)


def test_palm_faces_left_and_thumb_up_at_init(cell):
    _, model = cell
    hand = _at_init(model).site("hand/frame").xmat.reshape(3, 3)
    np.testing.assert_allclose(hand[:, 2], (0.965, 0.093, -0.246), atol=2e-3)
    np.testing.assert_allclose(hand[:, 1], (-0.16, 0.95, -0.25), atol=1e-2)
    assert hand[2, 0] < -0.9  # x, the little finger's side, points down


def test_cell_stands_still_for_two_seconds(cell):
    _, model = cell
    data = _at_init(model)
    before = data.qpos.copy()
    mujoco.mj_step(model, data, 1000)
    np.testing.assert_allclose(data.qpos, before, atol=1e-4)
    assert data.warning.number.sum() == 0


def test_cell_survives_wild_targets(cell):
    _, model = cell
    data, rng = _at_init(model), np.random.default_rng(0)
    low, high = model.actuator_ctrlrange.T
    for _ in range(20):
        data.ctrl[:] = rng.uniform(low, high)
        data.ctrl[:7] = rm75.POSES["init"] + rng.uniform(-0.3, 0.3, 7)
        mujoco.mj_step(model, data, 50)
        assert np.isfinite(data.qpos).all()
        assert np.abs(data.qvel).max() < 60
    assert data.warning.number.sum() == 0


def test_arm_tracks_a_step_without_overshoot(cell):
    _, model = cell
    data = _at_init(model)
    goal = rm75.POSES["init"] + 0.05
    data.ctrl[:7] = goal
    peak = np.zeros(7)
    for _ in range(500):
        mujoco.mj_step(model, data)
        peak = np.maximum(peak, data.qpos[:7] - goal)
    assert peak.max() < 0.005
    np.testing.assert_allclose(data.qpos[:7], goal, atol=1e-3)


def test_visual_budget(cell):
    _, model = cell
    visual = np.flatnonzero(model.geom_group == VISUAL_GROUP)
    meshes = [model.geom_dataid[i] for i in visual if model.geom_type[i] == mujoco.mjtGeom.mjGEOM_MESH]
    boxes = [i for i in visual if model.geom_type[i] == mujoco.mjtGeom.mjGEOM_BOX]
    assert len(meshes) + len(boxes) == len(visual) <= 70
    assert model.mesh_facenum[meshes].sum() + 12 * len(boxes) <= 7000


def _depth_outside(model: mujoco.MjModel, data: mujoco.MjData, geom: int, points: np.ndarray) -> np.ndarray:
    """Signed distance (N,) m of points (N, 3) to a capsule or box."""
    local = (points - data.geom_xpos[geom]) @ data.geom_xmat[geom].reshape(3, 3)
    size = model.geom_size[geom]
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE:
        local[:, 2] -= np.clip(local[:, 2], -size[1], size[1])
        return np.linalg.norm(local, axis=1) - size[0]
    out = np.abs(local) - size
    return np.linalg.norm(np.maximum(out, 0), axis=1) + np.minimum(out.max(axis=1), 0)


def test_what_is_seen_is_what_collides(cell):
    _, model = cell
    data = _at_init(model)
    bodies = [model.body(i).name for i in range(model.nbody)]
    solid = [g for g in range(model.ngeom) if model.geom_group[g] == COLLISION_GROUP]
    checked = 0
    for g in np.flatnonzero(model.geom_group == VISUAL_GROUP):
        if not bodies[model.geom_bodyid[g]].startswith(("arm/", "hand/")):
            continue
        mesh = model.mesh(model.geom_dataid[g])
        vertices = model.mesh_vert[mesh.vertadr[0] : mesh.vertadr[0] + mesh.vertnum[0]]
        points = vertices @ data.geom_xmat[g].reshape(3, 3).T + data.geom_xpos[g]
        outside = np.min([_depth_outside(model, data, s, points) for s in solid], axis=0)
        assert outside.max() < 0.012, model.geom(g).name
        checked += 1
    assert checked >= 8 + 12


def _pixel(model: mujoco.MjModel, data: mujoco.MjData, camera: str, point: np.ndarray) -> np.ndarray:
    """Where a point (3,) in world falls in a 640x480 picture: (u, v) px; nan behind the camera."""
    eye = data.camera(camera)
    x, y, z = eye.xmat.reshape(3, 3).T @ (point - eye.xpos)
    focal = 240 / np.tan(np.deg2rad(model.camera(camera).fovy[0]) / 2)
    return np.array([320 - focal * x / z, 240 + focal * y / z]) if z < 0 else np.full(2, np.nan)


def test_head_camera_sees_the_workspace_and_the_waiting_hand_at_the_right_edge(cell):
    _, model = cell
    data = _at_init(model)
    for x in station.WORKSPACE[0]:
        for y in station.WORKSPACE[1]:
            for z in (0.0, 0.06):
                u, v = _pixel(model, data, "head", np.array([x, y, z]))
                assert -15 < u < 640, (x, y, z)
                assert -15 < v < 480, (x, y, z)
    tips = np.array([_pixel(model, data, "head", data.site(f"hand/tip_{d}").xpos) for d in ("index", "middle", "ring")])
    assert ((tips > [560, 0]) & (tips < [632, 480])).all()
    assert not 0 <= _pixel(model, data, "head", data.site("hand/frame").xpos)[0] <= 640


def test_wrist_camera_shows_fingers_at_the_right_and_the_thumb_at_the_lower_left(cell):
    name, model = cell
    data, hand = _at_init(model), get_hand(name)
    motors = targets_rad(hand, 1.0 - np.array(hand.rest_action))
    for bone in hand.bones():
        angle = motors[HAND_ORDER.index(bone.leader or bone.joint)]
        data.joint(f"hand/{bone.joint}").qpos[0] = (
            np.polynomial.polynomial.polyval(angle, bone.coupling) if bone.leader else angle
        )
    mujoco.mj_forward(model, data)
    for digit in ("index", "middle", "ring", "little"):
        u, v = _pixel(model, data, "wrist", data.site(f"hand/tip_{digit}").xpos)
        assert 340 < u < 640, digit
        assert 150 < v < 480, digit
    u, v = _pixel(model, data, "wrist", data.site("hand/tip_thumb").xpos)
    assert -20 < u < 280  # the RH56's longer thumb ends at the very edge
    assert 240 < v < 480


@EVERY_HAND
def test_hand_spec_is_complete(name):
    hand = get_hand(name)
    assert hand.name == name
    assert len(hand.rest_action) == 6
    assert all(0.0 <= value <= 1.0 for value in hand.rest_action)
    assert hand.driven_joints == tuple(f"hand/{j}" for j in HAND_ORDER)
    for joint, opened, closed in zip(HAND_ORDER, hand.open_rad, hand.closed_rad, strict=True):
        low, high = hand.bone(joint).range_rad
        assert low <= opened < closed <= high
    followers = [bone for bone in hand.bones() if bone.leader]
    assert len(followers) == {"g0r": 5, "rh56": 6}[name]
    for bone in followers:
        end = np.polynomial.polynomial.polyval(hand.bone(bone.leader).range_rad[1], bone.coupling)
        assert bone.range_rad[0] <= 0.0 < end <= bone.range_rad[1], bone.joint


def test_unknown_names_list_the_choices():
    with pytest.raises(KeyError, match="g0r, rh56"):
        get_hand("claw")
    with pytest.raises(KeyError, match="thumb_rotation"):
        get_hand("g0r").bone("wrist")


@EVERY_HAND
def test_fingers_close_towards_the_palm_normal(name):
    hand = get_hand(name)
    model = build_hand(hand).compile()
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    opened = {d.name: data.site(f"tip_{d.name}").xpos.copy() for d in hand.digits}
    assert opened["little"][0] > opened["ring"][0] > opened["middle"][0] > opened["index"][0] > opened["thumb"][0]
    pose_kinematically(model, data, hand, targets_rad(hand, [0.5] * 4 + [0, 0]))
    for finger in ("little", "ring", "middle", "index"):
        assert data.site(f"tip_{finger}").xpos[1] > opened[finger][1] + 0.03
    pose_kinematically(model, data, hand, targets_rad(hand, [0, 0, 0, 0, 0, 1]))
    opposed = data.site("tip_thumb").xpos.copy()
    assert opposed[1] > 0.09  # in front of the palm
    assert -0.03 < opposed[0] < 0.0  # between index and middle
    pose_kinematically(model, data, hand, targets_rad(hand, [0, 0, 0, 0, 1, 1]))
    assert data.site("tip_thumb").xpos[1] < opposed[1] - 0.05  # bending brings it back to the fingers


@EVERY_HAND
def test_mirrored_hand_is_the_mirror_image(name):
    hand = get_hand(name)
    right, left = build_hand(hand).compile(), build_hand(mirrored(hand)).compile()
    a, b = mujoco.MjData(right), mujoco.MjData(left)
    motors = targets_rad(hand, [0.2, 0.4, 0.6, 0.8, 0.5, 0.7])
    pose_kinematically(right, a, hand, motors)
    pose_kinematically(left, b, hand, motors)
    for digit in hand.digits:
        tip = f"tip_{digit.name}"
        np.testing.assert_allclose(a.site(tip).xpos * [-1, 1, 1], b.site(tip).xpos, atol=1e-9)


@EVERY_HAND
def test_hand_masses(name):
    model = build_hand(get_hand(name)).compile()
    assert model.body_mass.sum() == pytest.approx(get_hand(name).mass_kg)
    assert 0.45 < model.body_mass.sum() < 0.6
    assert (model.body_inertia[1:] > 0).all()


def test_statues_do_not_move():
    spec = rm75.build(frozen_rad=rm75.POSES["left_init"])
    model = spec.compile()
    assert model.nv == model.nu == 0
