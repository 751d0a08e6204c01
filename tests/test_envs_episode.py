"""(suite, version, index) -> scene: a pure function, and scenes that keep the promises made about them."""

import functools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest

from assets.objects import library
from assets.robots.station import TABLE_X, TABLE_Y
from envs import spec
from envs.control import Servo, check_action
from envs.episode import (
    TARGET_X,
    TARGET_Y,
    EpisodeSpec,
    distributions,
    make_episode,
    outline_on_table,
    separation,
)
from envs.instruction import InstructionSpace
from envs.interface import EpisodeError
from envs.outcome import tilt_between_deg
from envs.scene import Scene, build_scene
from envs.sensing import Rig

ROOT = Path(__file__).parent.parent
SAMPLE = [("seen_objects", i) for i in range(16)] + [("unseen_objects", i) for i in (*range(14), 1000, 1199)]
SAMPLE += [("train", i) for i in range(4)]
sample = pytest.mark.parametrize(("suite", "index"), SAMPLE)


@functools.cache
def standing(suite: str, index: int) -> tuple[Scene, mujoco.MjData, Servo, np.ndarray]:
    """A scene with the robot in its start pose, and the action that keeps it there."""
    scene = build_scene(make_episode(suite, index))
    data, servo = scene.initial_data(), Servo(scene.model, scene.hand)
    servo.reset(data, np.asarray(scene.episode.arm_start_rad), np.asarray(scene.hand.rest_action))
    mujoco.mj_forward(scene.model, data)
    return scene, data, servo, check_action(servo.measured(data))


def test_an_episode_does_not_depend_on_process_order_or_any_global_generator():
    asked = [("unseen_objects", 3), ("seen_objects", 5), ("unseen_objects", 1), ("seen_objects", 0)]
    code = (
        "import random, numpy; random.seed(5); numpy.random.seed(5)\n"
        "from envs.episode import make_episode\n"
        f"print(*[make_episode(*e).hash for e in {asked[::-1]}])"
    )
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert other.stdout.split()[::-1] == [make_episode(*e).hash for e in asked]


def test_making_an_episode_again_after_others_gives_the_same():
    before = make_episode("unseen_objects", 2)
    make_episode.cache_clear()
    make_episode("seen_objects", 2)
    again = make_episode("unseen_objects", 2)
    assert again == before
    assert again is not before


def test_episodes_of_different_indices_and_suites_differ():
    made = [make_episode(*e) for e in SAMPLE]
    assert len({e.hash for e in made}) == len(made)
    assert len({tuple(o.pos for o in e.objects) for e in made}) == len(made)


def test_every_target_comes_up_once_in_each_round():
    size = len(library.SEEN)
    for first in (0, size):
        targets = [make_episode("seen_objects", i).objects[0].object_id for i in range(first, first + size, 3)]
        assert len(set(targets)) == len(targets)
        assert set(targets) <= set(library.SEEN)
    one_round = [make_episode("seen_objects", i).objects[0].object_id for i in range(0, size, 3)]
    assert one_round != targets  # each round has an order of its own


def test_an_episode_survives_json():
    episode = make_episode("unseen_objects", 4)
    back = EpisodeSpec.from_dict(json.loads(json.dumps(episode.as_dict())))
    assert back == episode
    assert back.hash == episode.hash
    assert hash(back) == hash(episode)


def test_the_hash_sees_every_number():
    episode = make_episode("unseen_objects", 4)
    x, y, z = episode.objects[0].pos
    nudged = replace(episode.objects[0], pos=(x, y, np.nextafter(z, 1.0)))
    others = [
        replace(episode, objects=(nudged, *episode.objects[1:])),
        replace(episode, look=replace(episode.look, variant=episode.look.variant + 1)),
        replace(episode, arm_start_rad=(*episode.arm_start_rad[:6], episode.arm_start_rad[6] + 1e-12)),
        replace(episode, instruction=episode.phrasings[0] + "!"),
    ]
    assert len({episode.hash, *(o.hash for o in others)}) == 5


def test_what_is_no_episode_is_refused_in_words():
    values = make_episode("unseen_objects", 4).as_dict()
    for broken in ({**values, "colour": 1}, {k: v for k, v in values.items() if k != "look"}, {"objects": []}):
        with pytest.raises(EpisodeError, match="not an episode"):
            EpisodeSpec.from_dict(broken)
    with pytest.raises(EpisodeError, match=r"unknown suite 'x'; choose one of: .*seen_objects.*unseen_objects"):
        make_episode("x", 0)
    with pytest.raises(EpisodeError, match="start at 0; got -1"):
        make_episode("seen_objects", -1)
    with pytest.raises(EpisodeError, match="version 1 here; version 7"):
        make_episode("seen_objects", 0, 7)
    assert make_episode("seen_objects", 0, 1) == make_episode("seen_objects", 0)


def test_suites_draw_from_the_splits_they_are_named_after():
    dists = distributions()
    assert dists["unseen_objects"].targets == library.UNSEEN
    assert dists["seen_objects"].targets == library.SEEN
    for suite, index in SAMPLE:
        ids = {o.object_id for o in make_episode(suite, index).objects}
        assert ids <= set(dists[suite].targets) | set(dists[suite].neighbours)


@sample
def test_a_scene_has_one_to_nine_objects_on_the_table_that_do_not_touch(suite, index):
    episode = make_episode(suite, index)
    specs = [library.get_object(o.object_id) for o in episode.objects]
    assert 1 <= len(specs) <= 9
    assert len({o.object_id for o in episode.objects}) == len(specs)
    outlines = [outline_on_table(s, np.array(o.quat)) + o.pos[:2] for s, o in zip(specs, episode.objects, strict=True)]
    for i, one in enumerate(outlines):
        assert (one.min(axis=0) > [TABLE_X[0], TABLE_Y[0]]).all()
        assert (one.max(axis=0) < [TABLE_X[1], TABLE_Y[1]]).all()
        assert all(separation(one, other) > 0 for other in outlines[:i])
    slack = 0.012  # what settling may move
    x, y, _ = episode.objects[0].pos
    assert TARGET_X[0] - slack < x < TARGET_X[1] + slack
    assert TARGET_Y[0] - slack < y < TARGET_Y[1] + slack


@sample
def test_the_instruction_is_one_of_at_least_three_and_fits_the_observation(suite, index):
    episode = make_episode(suite, index)
    assert len(set(episode.phrasings)) >= 3
    assert episode.instruction in episode.phrasings
    assert all(phrase in InstructionSpace() for phrase in episode.phrasings)


@sample
def test_nothing_penetrates_and_the_robot_touches_nothing_at_the_start(suite, index):
    scene, data, _, _ = standing(suite, index)
    pairs = scene.geom_bits[data.contact.geom]
    assert len(pairs) > 0  # things stand on the table
    assert data.contact.dist.min() > -0.001
    assert not scene.is_robot[data.contact.geom].any()


@sample
def test_the_head_camera_sees_at_least_200_pixels_of_the_target(suite, index):
    scene, data, _, _ = standing(suite, index)
    with Rig(scene.model) as rig:
        mask = rig.body_mask(data, spec.HEAD, int(scene.object_bodies[0]))
    assert mask.sum() >= 200


@sample
def test_everything_stays_at_rest_while_the_arm_stands_still(suite, index):
    scene, start, servo, still = standing(suite, index)
    data = mujoco.MjData(scene.model)
    mujoco.mj_copyData(data, scene.model, start)
    before = scene.object_poses(data)
    for _ in range(spec.CONTROL_HZ):
        servo.run(data, still)
    after = scene.object_poses(data)
    assert np.linalg.norm(after[:, :3] - before[:, :3], axis=1).max() < 0.003
    assert tilt_between_deg(before[:, 3:], after[:, 3:]).max() < 3.0
    turn = 2 * np.degrees(np.arccos(np.clip(np.abs((before[:, 3:] * after[:, 3:]).sum(axis=1)), 0, 1)))
    assert turn.max() < 3.0


def square(x: float, y: float, half: float, turn: float = 0.0) -> np.ndarray:
    corners = half * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    c, s = np.cos(turn), np.sin(turn)
    return corners @ np.array([[c, s], [-s, c]]) + [x, y]


def rim(outline: np.ndarray) -> np.ndarray:
    along = np.linspace(0, 1, 50)[:, None]
    return np.concatenate([a + along * (b - a) for a, b in zip(outline, np.roll(outline, -1, 0), strict=True)])


def test_separation_is_the_gap_between_outlines_and_negative_where_they_overlap():
    assert separation(square(0, 0, 0.1), square(0.5, 0, 0.1)) == pytest.approx(0.3)
    assert separation(square(0, 0, 0.1), square(0.15, 0.02, 0.1)) == pytest.approx(-0.05)
    rng = np.random.default_rng(1)
    for _ in range(200):
        one, two = (square(*rng.uniform(-0.2, 0.2, 2), rng.uniform(0.03, 0.1), rng.uniform(0, 3)) for _ in range(2))
        gap = separation(one, two)
        nearest = np.linalg.norm(rim(one)[:, None] - rim(two), axis=2).min()
        assert gap <= nearest + 1e-12  # never promises more room than there is
        assert gap == pytest.approx(separation(two, one))
