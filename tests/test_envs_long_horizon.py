"""Prompts for several objects: their scenes, and the world in which the target changes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from assets.objects.library import UNSEEN, get_object
from assets.robots.rm75 import MAX_SPEED_RAD_S, POSES
from envs import spec
from envs.control import arm_to_rad
from envs.episode import EpisodeSpec, distributions, make_episode
from envs.interface import EpisodeError
from envs.long_horizon import LongHorizonEnv
from envs.prompts import PROMPTS as ASKED
from envs.tray import in_tray, off_table, placing_actions

SUITE, FOOD = "long_horizon", 74
GOLDEN = {
    0: "67d25f53cf05685c",
    23: "2850a124d34344df",
    24: "733ae26106abf9a4",
    49: "07a065278fe43325",
    74: "5c6d5a1827206411",
    95: "b9924723462a276a",
}


@pytest.fixture(scope="module")
def env():
    made = LongHorizonEnv(SUITE)
    yield made
    made.close()


# The suite.


def test_each_prompt_has_its_scenes_with_what_it_asks_for_first():
    parts = distributions()[SUITE].parts
    assert [(part.count, part.source.conditions[0].prompt) for part in parts] == [(24, p.words) for p in ASKED]
    for start, prompt in zip(range(0, 96, 24), ASKED, strict=True):
        for index in (start, start + 1, start + 23):
            episode = make_episode(SUITE, index)
            things = [get_object(o.object_id) for o in episode.objects]
            everything = prompt.name == "clear"
            assert len(things) == 3 if everything else len(things) in (3, 4)
            assert episode.relevant == ((0, 1, 2) if everything else (0, 1))
            assert (episode.instruction, episode.phrasings) == (prompt.words, (prompt.words,))
            assert [prompt.asks_for(t) for t in things] == [i in episode.relevant for i in range(len(things))]
            assert [prompt.may_ask_for(t) for t in things] == [i in episode.relevant for i in range(len(things))]


@pytest.mark.parametrize(
    ("name", "meant", "never", "in_no_scene"),
    [
        ("green", "green", "red", "teal"),  # by the first colour
        ("bottles", "spray bottle", "mug", "soap dispenser"),  # by the noun; a dispenser is also a "pump bottle"
        ("food", "banana", "dumbbell", "milk carton"),
    ],
)
def test_a_prompt_asks_for_what_the_library_says_of_an_object(name, meant, never, in_no_scene):
    prompt = next(p for p in ASKED if p.name == name)
    asked, others = prompt.split(UNSEEN)

    def words(ids):
        return {word for i in ids for word in (get_object(i).noun, get_object(i).colors[0])}

    assert len(asked) >= 24
    assert len(others) >= 100
    assert meant in words(asked)
    assert meant not in words(others)
    assert never in words(others)
    assert in_no_scene not in words(asked) | words(others)


def test_what_is_asked_for_is_plain_data_of_the_episode():
    episode = make_episode(SUITE, 30)
    read = EpisodeSpec.from_dict(json.loads(json.dumps(episode.as_dict())))
    assert (read, read.hash) == (episode, episode.hash)
    assert replace(episode, relevant=(1,)).hash != episode.hash
    assert "relevant" not in make_episode("seen_objects", 0).as_dict()


def test_published_prompts_stay_the_same_to_the_bit():
    assert {index: make_episode(SUITE, index).hash for index in GOLDEN} == GOLDEN


# The world.


def test_the_target_changes_and_the_world_does_not(env):
    episode = make_episode(SUITE, FOOD)
    env.reset(options={"episode": episode})
    model, physics = env.model, env.data.qpos.copy()
    for index in (1, 2, 0):
        seen, info = env.aim(index, f"take number {index}")
        assert env.instruction == seen[spec.INSTRUCTION] == f"take number {index}"
        assert env.scene.objects[0].id == episode.objects[index].object_id
        assert np.array_equal(info["object_poses"][0], env.poses()[index])
        mask = env.truth.target_mask()
        rows, columns = np.nonzero(mask)
        assert env.boxes()[index] == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert env.model is model
    assert np.array_equal(env.data.qpos, physics)


def test_contacts_are_those_of_the_present_target(env):
    env.reset(options={"episode": make_episode(SUITE, FOOD)})
    bodies = env.whole.object_bodies
    for index in (2, 1):
        env.aim(index, "this")
        owner = env.model.geom_bodyid[env.scene.geom_bits // 8 == 1]
        assert set(owner) == {bodies[index]}


def test_what_is_off_the_table_is_no_neighbour(env):
    env.reset(options={"episode": make_episode(SUITE, FOOD)})
    env.data.qpos[env.whole.object_qpos[1][:3]] = (0.24, 0.0, -0.1)
    assert (env.is_off_table(1), env.is_in_tray(1)) == (True, True)
    _, info = env.aim(0, "this")
    assert info["object_count"] == len(env.whole.objects) - 1
    assert 1 not in env.left()


def test_an_episode_with_one_target_is_refused(env):
    with pytest.raises(EpisodeError, match="asks for one object"):
        env.reset(options={"episode": make_episode("unseen_objects", 0)})


def test_free_words_are_understood_by_noun_and_colour(env):
    env.reset(options={"episode": make_episode(SUITE, FOOD)})
    for index, thing in enumerate(env.whole.objects):
        assert env.meant(env.instruction_for(index)) == (index,)
        assert index in env.meant(f"Please reach for that {thing.colors[0]} {thing.noun}, to the left.")
    assert env.meant("Grasp the submarine") == ()


def test_places_are_in_the_tray_or_off_the_table():
    for at, cleared, tray in (
        ((0.45, -0.1, 0.05), False, False),
        ((0.24, 0.0, -0.15), True, True),
        ((0.35, 0.0, 0.03), True, False),  # on the rim
        ((0.8, 0.9, -0.7), True, False),  # on the floor
    ):
        assert (off_table(np.array(at)), in_tray(np.array(at))) == (cleared, tray)


def test_the_way_to_the_tray_keeps_the_grip_and_the_drives_limits():
    start, home, grip, opened = POSES["init"], POSES["init"] + 0.01, np.full(6, 0.2), np.ones(6)
    actions = np.array(list(placing_actions(start, grip, home, opened)))
    arm = np.vstack([start, arm_to_rad(actions[:, spec.ARM])])
    assert (np.abs(np.diff(arm, axis=0)) * spec.CONTROL_HZ <= MAX_SPEED_RAD_S).all()
    over_tray = int(np.abs(arm[1:] - POSES["placement"]).max(axis=1).argmin())
    assert np.allclose(arm[1 + over_tray], POSES["placement"])
    assert np.allclose(actions[:over_tray, spec.HAND], grip)
    assert np.allclose(arm[-1], home)
    assert np.allclose(actions[-1, spec.HAND], opened)
    assert np.abs(arm - POSES["return_medium"]).max(axis=1).min() < 1e-9
