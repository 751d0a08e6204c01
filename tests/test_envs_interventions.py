"""What an episode changes is really so in the compiled model and in the running world, and nothing else is."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from assets.objects import library
from datagen.expert import Expert
from envs import spec
from envs.altering import HEAD_PARTS, altered
from envs.changes import NONE, Changes, Shove
from envs.episode import EpisodeSpec, make_episode
from envs.interface import EpisodeError
from envs.interventions import SHOVE_AFTER_STEPS, palm_in_world
from envs.placing import SHOVE_STEPS, rotated
from envs.rollout import Observer, run_episode
from envs.scene import Scene, build_scene
from envs.sensing import Rig
from envs.sim import SimEnv

PLAIN = make_episode("unseen_objects", 0)


def changed(**changes) -> EpisodeSpec:
    return replace(PLAIN, changes=Changes(**changes))


def head_pictures(*scenes: Scene) -> list[np.ndarray]:
    pictures = []
    for scene in scenes:
        data = scene.initial_data()
        mujoco.mj_forward(scene.model, data)
        with Rig(scene.model) as rig:
            pictures.append(rig.render(data, spec.HEAD))
    return pictures


def of_objects(scene: Scene) -> np.ndarray:
    return np.isin(scene.model.geom_bodyid, scene.object_bodies) & (scene.model.geom_contype != 0)


def test_changes_survive_json_and_say_only_what_differs():
    changes = Changes(finish="glossy", head_move_m=(0.01, 0.0, 0.0), shove=Shove(0.2, (0.03, -0.01), 0.1), mass=2.0)
    assert set(changes.as_dict()) == {"finish", "head_move_m", "shove", "mass"}
    assert Changes.from_dict(changes.as_dict()) == changes
    assert NONE.as_dict() == {}
    assert "changes" not in PLAIN.as_dict()
    assert EpisodeSpec.from_dict(replace(PLAIN, changes=changes).as_dict()).changes == changes
    assert replace(PLAIN, changes=changes).hash != PLAIN.hash


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"finish": "rusty"}, "unknown finish 'rusty'.*'glossy'"),
        ({"renderer": "x"}, "unknown renderer 'x'.*'filament'"),
        ({"friction": 1.5}, r"lies in \(0, 1\].*1\.5"),
        ({"mass": 0.0}, "mass must be > 0"),
        ({"latency_ms": -1.0}, "latency_ms >= 0"),
        ({"colour": "red"}, "colour"),
        ({"head_move_m": [1.0]}, "not an episode"),
        ({"shove": {"at_m": 0.1}}, "by_m"),
    ],
)
def test_changes_that_cannot_be_are_refused_with_the_episode(values, words):
    with pytest.raises(EpisodeError, match=words):
        EpisodeSpec.from_dict({**PLAIN.as_dict(), "changes": values})


def test_friction_and_mass_are_scaled_for_objects_and_for_nothing_else():
    plain, other = build_scene(PLAIN), build_scene(changed(friction=0.5, mass=2.0))
    one, two, objects = plain.model, other.model, of_objects(plain)
    np.testing.assert_allclose(two.geom_friction[objects, 0], 0.5 * one.geom_friction[objects, 0])
    np.testing.assert_array_equal(two.geom_friction[~objects], one.geom_friction[~objects])
    bodies = np.isin(np.arange(one.nbody), plain.object_bodies)
    np.testing.assert_allclose(two.body_mass[bodies], 2.0 * one.body_mass[bodies])
    np.testing.assert_allclose(two.body_inertia[bodies], 2.0 * one.body_inertia[bodies])
    np.testing.assert_array_equal(two.body_mass[~bodies], one.body_mass[~bodies])
    assert np.array_equal(*head_pictures(plain, other))  # it cannot be seen


def test_less_friction_is_felt_on_a_slope():
    def slid_m(**changes: float) -> float:
        scene = build_scene(changed(**changes))
        scene.model.opt.gravity[:] = 9.81 * np.array([0.0, np.sin(0.4), -np.cos(0.4)])  # mu 0.42
        data = scene.initial_data()
        before = scene.object_poses(data)[0, :2].copy()
        mujoco.mj_step(scene.model, data, 100)
        return float(np.linalg.norm(scene.object_poses(data)[0, :2] - before))

    assert build_scene(PLAIN).objects[0].friction > 0.5
    assert slid_m(friction=0.5) > 10 * slid_m()


def test_the_head_camera_and_its_housing_really_move_and_nothing_else_does():
    move, turn = (0.03, -0.02, 0.01), (0.0, 0.0, 0.1)
    plain, other = build_scene(PLAIN), build_scene(changed(head_move_m=move, head_turn_rad=turn))
    before, after = plain.initial_data(), other.initial_data()
    for scene, data in ((plain, before), (other, after)):
        mujoco.mj_forward(scene.model, data)
    np.testing.assert_allclose(after.camera(spec.HEAD).xpos - before.camera(spec.HEAD).xpos, move, atol=1e-9)
    orientation = rotated(turn) @ before.camera(spec.HEAD).xmat.reshape(3, 3)
    np.testing.assert_allclose(after.camera(spec.HEAD).xmat.reshape(3, 3), orientation, atol=1e-7)
    # The housing keeps its place before the lens.
    seen = [
        d.camera(spec.HEAD).xmat.reshape(3, 3).T @ (d.geom(HEAD_PARTS).xpos - d.camera(spec.HEAD).xpos)
        for d in (before, after)
    ]
    np.testing.assert_allclose(*seen, atol=1e-7)
    for camera in ("wrist", "outside"):
        np.testing.assert_array_equal(after.camera(camera).xpos, before.camera(camera).xpos)
    others = np.arange(plain.model.ngeom) != plain.model.geom(HEAD_PARTS).id
    np.testing.assert_array_equal(after.geom_xpos[others], before.geom_xpos[others])
    assert not np.array_equal(*head_pictures(plain, other))


def test_a_small_shift_moves_the_picture_by_a_few_pixels():
    def centre(**changes) -> np.ndarray:
        scene = build_scene(changed(**changes))
        data = scene.initial_data()
        mujoco.mj_forward(scene.model, data)
        with Rig(scene.model) as rig:
            return np.argwhere(rig.body_mask(data, spec.HEAD, int(scene.object_bodies[0]))).mean(axis=0)

    shift = np.linalg.norm(centre(head_turn_rad=(0.0, 0.0, np.radians(1.0))) - centre())
    assert 2 < shift < 15  # 618 pixels of focal length, one degree about the vertical


@pytest.mark.parametrize("finish", ["glossy", "transparent", "camouflaged"])
def test_a_finish_changes_the_picture_of_objects_and_no_physics(finish):
    plain, other = build_scene(PLAIN), build_scene(changed(finish=finish))
    np.testing.assert_array_equal(other.model.geom_friction, plain.model.geom_friction)
    np.testing.assert_array_equal(other.model.body_mass, plain.model.body_mass)
    one, two = (picture.astype(int) for picture in head_pictures(plain, other))
    data = plain.initial_data()
    mujoco.mj_forward(plain.model, data)
    with Rig(plain.model) as rig:
        body = rig.segment(data, spec.HEAD)
        with Rig(other.model) as second:
            np.testing.assert_array_equal(second.segment(data, spec.HEAD), body)  # masks see glass as well
    mask = np.isin(body, plain.object_bodies)
    difference = np.abs(one - two).max(axis=2)
    assert difference[mask].mean() > 15
    assert difference[~mask].max() <= 60  # at most the rims of the objects
    assert (difference[~mask] > 0).mean() < 0.01


def test_camouflage_needs_a_table_with_a_colour():
    with pytest.raises(EpisodeError, match="nothing can be camouflaged on 'colourful_cloth'"):
        build_scene(replace(changed(finish="camouflaged"), look=replace(PLAIN.look, table="colourful_cloth")))


def test_what_is_not_changed_is_the_library_object_itself():
    mug = library.get_object("mug_03")
    assert altered(mug, NONE, "white") is mug
    assert altered(mug, Changes(mass=2.0), "white") is altered(mug, Changes(mass=2.0), "white")


class Path(Observer):
    """Where the target was, and how near the palm, after every step."""

    def on_reset(self, env, observation, info):
        self.poses, self.away_m = [self.pose(env)], []

    def on_step(self, env, action, observation, reward, info):
        self.poses.append(self.pose(env))
        self.away_m.append(float(np.linalg.norm(palm_in_world(env.data) - self.poses[-1][:3])))
        if 0 < env.shover.steps < SHOVE_STEPS:
            of_target = env.model.geom_bodyid[env.data.contact.geom] == env.scene.object_bodies[0]
            assert env.data.contact.dist[of_target.any(axis=1)].min(initial=0.0) > -0.002

    @staticmethod
    def pose(env) -> np.ndarray:
        return env.data.qpos[env.scene.object_qpos[0]].copy()


@pytest.mark.slow
def test_the_target_is_shoved_once_while_the_hand_reaches_and_the_episode_plays_on():
    env, path = SimEnv("disturbance"), Path()
    episode = make_episode("disturbance", 0)
    shove = episode.changes.shove
    result = run_episode(env, Expert(), episode, observers=[path])
    assert result.outcome in ("success", "disturbed")
    moved = np.array([np.linalg.norm(b[:2] - a[:2]) for a, b in zip(path.poses, path.poses[1:], strict=False)])
    first = int(np.argmax(moved > 0.005))
    assert moved[:first].max() < 0.001  # nothing happened before
    assert path.away_m[first - 1] <= shove.at_m < min(path.away_m[: first - 1])
    way = path.poses[first + SHOVE_STEPS][:2] - path.poses[first][:2]
    np.testing.assert_allclose(way, shove.by_m, atol=0.003)


def test_a_shove_goes_on_from_a_saved_state_and_is_not_repeated():
    episode = replace(PLAIN, changes=Changes(shove=Shove(9.0, (0.03, 0.0), 0.0)))  # wherever the hand is
    env = SimEnv()
    observation, _ = env.reset(options={"episode": episode})
    still, start = observation["state"], Path.pose(env)
    for _ in range(SHOVE_AFTER_STEPS):
        env.step(still)
    np.testing.assert_allclose(Path.pose(env), start, atol=0.001)
    for _ in range(2):
        env.step(still)
    saved = env.save_state()
    assert saved.shove_steps == 2
    for _ in range(6):
        env.step(still)
    end = Path.pose(env)
    np.testing.assert_allclose(end[:2] - start[:2], (0.03, 0.0), atol=0.002)
    other = SimEnv()
    other.load_state(saved)
    for _ in range(6):
        other.step(still)
    np.testing.assert_array_equal(Path.pose(other), end)
    env.reset(options={"episode": episode})
    assert env.shover.steps == 0


def test_a_shove_ends_before_anything_that_is_in_its_way():
    plain = build_scene(PLAIN)
    poses = plain.object_poses(plain.initial_data())
    way = poses[1, :2] - poses[0, :2]
    episode = replace(PLAIN, changes=Changes(shove=Shove(9.0, tuple(map(float, 1.2 * way)), 0.0)))
    env = SimEnv()
    observation, _ = env.reset(options={"episode": episode})
    for _ in range(SHOVE_AFTER_STEPS + SHOVE_STEPS + 2):
        _, _, _, _, info = env.step(observation["state"])
        pairs = env.model.geom_bodyid[env.data.contact.geom]
        both = np.isin(pairs, env.scene.object_bodies[:2]).all(axis=1)
        assert env.data.contact.dist[both].min(initial=0.0) > -0.002
    assert env.shover.steps == SHOVE_STEPS
    assert info["neighbour_motion_m"] < 0.005
