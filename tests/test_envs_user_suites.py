"""Suites of a user's own: `user:NAME` for objects and FILE.json for episodes work wherever a suite's name does."""

import json
from dataclasses import replace

import numpy as np
import pytest

from assets.looks.looks import TEST_LIGHTINGS, TEST_TABLES
from assets.objects import imported, library
from benchmarks.errors import UsageError
from benchmarks.options import Options, default_folder
from benchmarks.suites import get_suite
from envs import episode as episodes
from envs.episode import EpisodeSpec, PlacedObject, distribution, make_episode
from envs.interface import EpisodeError
from envs.scene import build_scene
from envs.sim import SimEnv


def clear():
    for cached in (library.get_object, imported._read_once, episodes._of_user, make_episode):
        cached.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(imported.FOLDER_VARIABLE, str(tmp_path))
    clear()
    yield tmp_path
    clear()


def save(folder, name="blue_mug", like="mug_03", **changes):
    spec = replace(library.get_object(like), id=f"user_{name}", family="user", split="user", **changes)
    return imported.save(spec, {}, folder, replace=True)


def test_the_object_is_the_target_among_seen_ones_under_looks_of_training(folder):
    save(folder)
    for index in (0, 1, 150):
        made = make_episode("user:blue_mug", index)
        assert made.objects[0].object_id == "user_blue_mug"
        assert {o.object_id for o in made.objects[1:]} <= set(library.SEEN)
        assert made.look.table == "white" or made.look.table not in TEST_TABLES
        assert made.look.lighting == "white" or made.look.lighting not in TEST_LIGHTINGS
    scene = build_scene(make_episode("user:blue_mug", 0))
    assert scene.objects[0] is library.get_object("user_blue_mug")
    assert EpisodeSpec.from_dict(make_episode("user:blue_mug", 0).as_dict()) == make_episode("user:blue_mug", 0)


def test_several_are_targets_in_turn_in_any_order_of_words(folder):
    save(folder)
    save(folder, "can", "can_04")
    assert distribution("user:can,blue_mug") == distribution("user:blue_mug,user_can") == distribution("user:all")
    targets = [make_episode("user:all", index).objects[0].object_id for index in range(4)]
    assert sorted(targets[:2]) == sorted(targets[2:]) == ["user_blue_mug", "user_can"]


def test_the_version_follows_the_files(folder):
    save(folder)
    before = distribution("user:blue_mug").version
    clear()
    assert distribution("user:blue_mug").version == before
    save(folder, mass_kg=0.123)
    clear()
    assert distribution("user:blue_mug").version != before
    with pytest.raises(EpisodeError, match="version"):
        make_episode("user:blue_mug", 0, before)


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        ("user:cup", "user_blue_mug.*import_mesh"),
        ("user:", "unknown object"),
        ("other", "user:NAME"),
        ("user:blue_mug,cup", "user_cup"),
    ],
)
def test_unknown_names_are_told_with_the_choices(folder, suite, words):
    save(folder)
    with pytest.raises(EpisodeError, match=words):
        make_episode(suite, 0)


def test_all_of_nothing_is_refused(folder):
    with pytest.raises(EpisodeError, match=f"{folder}.*import_mesh"):
        distribution("user:all")


def test_a_damaged_file_is_named_when_a_scene_is_built(folder):
    save(folder).write_bytes(b"not an object")
    placed = PlacedObject("user_blue_mug", (0.5, -0.2, 0.05), (1.0, 0.0, 0.0, 0.0))
    scene = replace(make_episode("seen_objects", 0), objects=(placed,))
    with pytest.raises(EpisodeError, match=r"user_blue_mug\.npz"):
        build_scene(scene)


def test_the_benchmark_command_takes_the_suite(folder):
    save(folder)
    suite = get_suite("user:blue_mug")
    assert (suite.name, suite.version) == ("user:blue_mug", distribution("user:blue_mug").version)
    assert "user_blue_mug" in suite.description
    assert ":" not in str(default_folder(Options(suite="user:blue_mug")))
    with pytest.raises(UsageError, match="import_mesh"):
        get_suite("user:cup")
    with pytest.raises(UsageError, match="unseen_objects"):
        get_suite("nothing")


def test_the_environment_runs_it(folder):
    save(folder)
    env = SimEnv(suite="user:blue_mug")
    observation, info = env.reset(options={"index": 3})
    assert env.scene.objects[0].id == "user_blue_mug"
    _, _, _, _, info = env.step(observation["state"])
    assert np.isfinite(info["object_poses"]).all()
    env.close()


def listed(tmp_path, rows) -> str:
    path = tmp_path / "mine.json"
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    return str(path)


def test_episodes_from_a_file_are_played_in_their_order(tmp_path):
    written = [make_episode("camera_shift", 4), make_episode("disturbance", 1)]
    suite = listed(tmp_path, [episode.as_dict() for episode in written])
    assert get_suite(suite).size == distribution(suite).size == 2
    assert distribution(suite).looks == (("white", "white"),)
    for index, episode in enumerate(written):
        made = make_episode(suite, index)
        assert (made.suite, made.version, made.index) == (suite, distribution(suite).version, index)
        assert replace(made, suite=episode.suite, version=1, index=episode.index) == episode
    with pytest.raises(EpisodeError, match=r"lists 2 episodes, 0 to 1; got 2"):
        make_episode(suite, 2)
    env = SimEnv(suite)
    for seed in range(3):
        env.reset(seed=seed)
        assert env.scene.episode in (make_episode(suite, 0), make_episode(suite, 1))


def test_another_file_is_another_version(tmp_path):
    rows = [make_episode("density", index).as_dict() for index in range(2)]
    before = distribution(listed(tmp_path, rows)).version
    episodes._of_file.cache_clear()
    assert distribution(listed(tmp_path, rows[:1])).version != before


GOOD = make_episode("seen_objects", 0).as_dict()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("[", r"mine\.json is no JSON"),
        ("{}", r"mine\.json must hold a list of episodes"),
        ([], r"mine\.json must hold a list of episodes"),
        ([GOOD, 7], r"episode 1 of the suite .*mine\.json: not an episode: int"),
        ([{**GOOD, "colour": 1}], "episode 0 .*colour"),
        ([{**GOOD, "look": {"table": "lava"}}], "episode 0 .*unknown table 'lava'"),
        ([{**GOOD, "objects": []}], "episode 0 .*1 to 12 objects; got 0"),
        ([{**GOOD, "objects": [{**GOOD["objects"][0], "object_id": "mug_99"}]}], "episode 0 .*unknown object 'mug_99'"),
        ([{**GOOD, "changes": {"friction": 2}}], r"episode 0 .*friction lies in \(0, 1\]"),
    ],
)
def test_a_file_that_is_no_suite_is_refused_in_words(tmp_path, rows, words):
    with pytest.raises(UsageError, match=words):
        get_suite(listed(tmp_path, rows))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EpisodeError, match=r"cannot read the suite .*none\.json: No such file"):
        make_episode(str(tmp_path / "none.json"), 0)
