"""Every suite: the scenes that it promises, the same each time, and nothing of training in a test."""

import itertools
import math

import mujoco
import numpy as np
import pytest

from assets.looks.looks import TEST_LIGHTINGS, TEST_TABLES, TRAIN_LIGHTINGS, TRAIN_TABLES
from assets.objects import library
from benchmarks.errors import UsageError
from benchmarks.suites import AXES, DESCRIPTIONS, EXPERT_S, LEVELS, axis_levels, get_suite
from envs import spec
from envs.changes import Changes
from envs.episode import EpisodeSpec, distributions, make_episode, outline_on_table, separation
from envs.interface import EpisodeError
from envs.placing import slid
from envs.prompts import PROMPTS
from envs.scene import build_scene
from envs.sensing import Rig
from envs.suites import PLACES, SUBSET, TRAINING_SUITES, Cell, Mix, cell, spread

SIZES = {
    "unseen_objects": 360, "unseen_backgrounds": 618, "unseen_lighting": 309, "generalization": 1287,
    "seen_objects": 360, "baselines": 132, "single_object": 210, "long_horizon": 96, "density": 300, "adversarial": 100,
    "camera_shift": 300, "physics_shift": 300, "latency": 300, "renderer_shift": 120, "disturbance": 100, "smoke": 20,
    "nonprehensile": 144, "planner_boxes": 150, "planner_verdicts": 200, "train": 2000, "train_shapes": 2000,
    "nonprehensile_train": 1000,
}  # fmt: skip
every_suite = pytest.mark.parametrize("suite", SIZES)
# Policies are trained and compared on these: not a bit of them may change under the same version.
GOLDEN = {
    "unseen_objects": {
        0: "549ec3210f39482a",
        1: "9b3f0f5ca3b2fd12",
        7: "8c08655883d9aa72",
        59: "4829bde250d9a892",
        359: "c5a9ed948834cac3",
        1000: "c75c2d9897452e7d",
    },
    "seen_objects": {
        0: "209d52fdfde7f0c4",
        5: "dba0b366a017aa5c",
        36: "c9035546fa08afde",
        359: "3678b38a9f47285a",
    },
    "train": {
        0: "c25c4f222e1cccff",
        1: "c0ff5da1bb6a388a",
        100: "234274e63963ba21",
        1999: "8553697aee83fd38",
        54321: "77480089b07e4887",
    },
}


def at(suite: str, index: int) -> Cell:
    return cell(suite, distributions()[suite], index)


def few(suite: str) -> list[int]:
    """The first, the last, the first after it, and some between."""
    size = SIZES[suite]
    return sorted({0, 1, *(size * k // 5 + k for k in (1, 2, 4)), size - 1, size})


def scene(episode: EpisodeSpec) -> tuple:
    """All of an episode but its suite, index and changes."""
    return episode.objects, episode.instruction, episode.phrasings, episode.look, episode.arm_start_rad


def test_every_suite_is_listed_and_described():
    assert set(SIZES) == set(distributions()) == set(DESCRIPTIONS)
    assert set(AXES) | set(EXPERT_S) <= set(SIZES)
    for name in SIZES:
        suite = get_suite(name)
        assert (suite.name, suite.version, suite.description) == (name, 1, DESCRIPTIONS[name])
    assert set(itertools.chain(*AXES.values())) == set(LEVELS)


@pytest.mark.parametrize("suite", GOLDEN)
def test_published_episodes_stay_the_same_to_the_bit(suite):
    assert distributions()[suite].version == 1
    assert {index: make_episode(suite, index).hash for index in GOLDEN[suite]} == GOLDEN[suite]


@every_suite
def test_it_has_its_size_and_builds_the_same_scenes_each_time(suite):
    assert get_suite(suite).size == distributions()[suite].size == SIZES[suite]
    made = [make_episode(suite, index) for index in few(suite)]
    make_episode.cache_clear()
    again = [make_episode(suite, index) for index in reversed(few(suite))]
    assert made == again[::-1]
    assert len({episode.hash for episode in made}) == len(made)
    for index, episode in zip(few(suite), made, strict=True):
        assert (episode.suite, episode.index, episode.version) == (suite, index, 1)
        assert EpisodeSpec.from_dict(episode.as_dict()) == episode
    scene_of_it = build_scene(made[-1])
    assert [o.id for o in scene_of_it.objects] == [o.object_id for o in made[-1].objects]


@every_suite
def test_targets_neighbours_and_looks_are_those_of_its_split(suite):
    drawn = (TRAIN_TABLES, TRAIN_LIGHTINGS) if suite in TRAINING_SUITES else (TEST_TABLES, TEST_LIGHTINGS)
    for index in few(suite):
        episode, place = make_episode(suite, index), at(suite, index)
        ids = [o.object_id for o in episode.objects]
        seen = suite in ("seen_objects", *TRAINING_SUITES) or (suite == "smoke" and place.name == "seen_objects")
        seen |= place.name.endswith("/seen")
        practised = {"practice"} if suite == "train_shapes" else set()
        assert {library.get_object(i).split for i in ids} - practised <= {"seen" if seen else "unseen"}
        assert ids[0] in place.source.targets
        assert episode.look.table in ("white", *drawn[0])
        assert episode.look.lighting in ("white", *drawn[1])
        assert (episode.look.table, episode.look.lighting) in place.condition.looks


def test_no_condition_of_any_test_mixes_with_training():
    of_training = {*TRAIN_TABLES, *TRAIN_LIGHTINGS}
    for suite, made in distributions().items():
        shown = {name for look in made.looks for name in look}
        assert shown == {"white"} | of_training if suite in TRAINING_SUITES else not shown & of_training


@every_suite
def test_its_axes_have_levels_that_fit_the_episodes(suite):
    listed = get_suite(suite)
    for index in few(suite):
        levels, episode = axis_levels(listed, index), make_episode(suite, index)
        assert tuple(levels) == listed.axes
        if "table" in levels:
            assert levels["table"] == episode.look.table
        if "lighting" in levels:
            assert levels["lighting"] == episode.look.lighting
        if "objects" in levels:
            assert levels["objects"] == str(len(episode.objects))
        if "place" in levels:
            assert np.abs(np.subtract(PLACES[levels["place"]], episode.objects[0].pos[:2])).max() < 0.015


LEVEL_COUNTS = {
    ("unseen_backgrounds", "table"): dict.fromkeys(TEST_TABLES, 103),
    ("unseen_lighting", "lighting"): dict.fromkeys(TEST_LIGHTINGS, 103),
    ("generalization", "part"): {"unseen_objects": 360, "unseen_backgrounds": 618, "unseen_lighting": 309},
    ("generalization", "lighting"): {"white": 978, "disco": 103, "lamp": 103, "dark": 103},
    ("baselines", "part"): {"seen": 12, "unseen": 24, "lighting": 48, "backgrounds": 48},
    ("baselines", "table"): {"white": 84, "black_white_pad": 24, "colourful_cloth": 24},
    ("baselines", "lighting"): {"white": 84, "disco": 24, "lamp": 24},
    ("single_object", "part"): {"seen": 130, "unseen": 80},
    ("single_object", "place"): dict.fromkeys(PLACES, 42),
    ("long_horizon", "prompt"): dict.fromkeys((prompt.words for prompt in PROMPTS), 24),
    ("density", "objects"): dict.fromkeys(("1", "3", "6", "9", "12"), 60),
    ("adversarial", "difficulty"): dict.fromkeys(("glossy", "transparent", "camouflaged", "look-alikes"), 25),
    ("nonprehensile", "table"): {"white": 72, "wood": 36, "colourful_cloth": 36},
    ("nonprehensile", "lighting"): {"white": 108, "disco": 36},
    ("camera_shift", "camera"): dict.fromkeys((f"{n} cm and deg" for n in (0, 1, 2, 4, 8)), 60),
    ("latency", "latency"): dict.fromkeys((f"{n} ms" for n in (0, 50, 100, 200, 400)), 60),
    ("physics_shift", "physics"): dict.fromkeys(
        ("as usual", "friction x 0.7", "friction x 0.5", "mass x 0.5", "mass x 2"), 60
    ),
    ("renderer_shift", "renderer"): {"filament": 120},
}


@pytest.mark.parametrize(("suite", "axis"), LEVEL_COUNTS)
def test_each_level_has_the_published_number_of_episodes(suite, axis):
    listed = get_suite(suite)
    levels = [axis_levels(listed, index)[axis] for index in range(listed.size)]
    assert {level: levels.count(level) for level in levels} == LEVEL_COUNTS[suite, axis]


@pytest.mark.parametrize(
    ("suite", "objects"),
    [("unseen_backgrounds", 103), ("unseen_lighting", 103), ("density", 60), ("nonprehensile", 36)],
)
def test_every_target_meets_every_condition_once(suite, objects):
    conditions = SIZES[suite] // objects
    rounds = {at(suite, index).number for index in range(SIZES[suite])}
    assert rounds == set(range(objects))
    targets = {make_episode(suite, index).objects[0].object_id for index in range(conditions)}
    assert len(targets) == 1
    assert make_episode(suite, conditions).objects[0].object_id not in targets


def test_the_published_objects_come_once_each():
    order = [make_episode("unseen_lighting", index).objects[0].object_id for index in range(0, 309, 24)]
    assert len(set(order)) == len(order)
    assert set(order) <= set(SUBSET)
    assert len(set(SUBSET)) == 103
    assert len({library.family_of(i).name for i in SUBSET}) == len(library.FAMILIES)


def test_spread_picks_evenly_and_without_repeats():
    assert spread("abcdef", 3) == ("b", "d", "f")
    assert spread("abc", 3) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("first", "suite"), [(0, "unseen_objects"), (360, "unseen_backgrounds"), (978, "unseen_lighting")]
)
def test_generalization_holds_the_scenes_of_its_parts(first, suite):
    for index in (0, 7, SIZES[suite] - 1):
        assert scene(make_episode("generalization", first + index)) == scene(make_episode(suite, index))
    # Beyond the published list every part goes on with fresh scenes of its own.
    assert scene(make_episode("generalization", 1287 + first)) == scene(make_episode(suite, SIZES[suite]))


@pytest.mark.parametrize("suite", ["camera_shift", "physics_shift", "latency", "renderer_shift"])
def test_shifts_change_one_thing_in_the_scenes_of_unseen_objects(suite):
    conditions = len(distributions()[suite].conditions)
    for number in (0, 3):
        plain = make_episode("unseen_objects", number)
        shifted = [make_episode(suite, number * conditions + level) for level in range(conditions)]
        assert all(scene(episode) == scene(plain) for episode in shifted)
        assert len({str(episode.changes) for episode in shifted}) == conditions
        if conditions > 1:
            assert shifted[0].changes == plain.changes == Changes()


def test_the_head_camera_is_off_by_as_much_as_the_level_says_and_sees_the_target():
    for index in (*range(5), 99, 199, 299):
        episode, amount = make_episode("camera_shift", index), at("camera_shift", index).condition.camera
        assert math.dist(episode.changes.head_move_m, (0, 0, 0)) == pytest.approx(amount / 100)
        assert math.dist(episode.changes.head_turn_rad, (0, 0, 0)) == pytest.approx(math.radians(amount))
        scene_of_it = build_scene(episode)
        data = scene_of_it.initial_data()
        mujoco.mj_forward(scene_of_it.model, data)
        with Rig(scene_of_it.model) as rig:
            assert rig.body_mask(data, spec.HEAD, int(scene_of_it.object_bodies[0])).sum() >= 200


def test_places_of_single_objects_repeat_but_trials_differ():
    made = [make_episode("single_object", index) for index in range(10)]
    assert {len(e.objects) for e in made} == {1}
    assert len({e.objects[0].object_id for e in made}) == 1
    for one, two in zip(made[:5], made[5:], strict=True):
        assert 0 < math.dist(one.objects[0].pos[:2], two.objects[0].pos[:2]) < 0.04
        assert one.objects[0].quat != two.objects[0].quat


def test_look_alikes_are_of_the_targets_family():
    for index in (3, 7, 43):
        episode = make_episode("adversarial", index)
        assert len(episode.objects) == 5
        assert len({library.family_of(o.object_id).name for o in episode.objects}) == 1


def test_a_camouflaged_target_is_not_asked_for_by_a_colour_that_it_lost():
    words = {"white": "white", "black_mouse_pad": "black", "pink_towel": "pink", "wood": "brown"}
    others = {"red", "green", "blue", "yellow", "purple", "orange", "teal", "beige", "grey", *words.values()}
    for index in range(2, 100, 8):
        episode = make_episode("adversarial", index)
        assert episode.changes.finish == "camouflaged"
        noun = library.get_object(episode.objects[0].object_id).noun
        said = {word for phrase in episode.phrasings for word in phrase.split()} & others
        assert said <= {words[episode.look.table], noun}


@pytest.mark.parametrize("suite", ["nonprehensile", "nonprehensile_train"])
def test_a_flat_targets_way_over_the_edge_is_free(suite):
    for index in range(0, 36, 5):
        episode = make_episode(suite, index)
        target, *others = [
            outline_on_table(library.get_object(o.object_id), np.array(o.quat)) + o.pos[:2] for o in episode.objects
        ]
        assert target[:, 0].min() >= 0.36  # the table's edge
        for x in np.linspace(-0.15, 0.07, 12):  # to the tray, and for the hand behind
            assert all(separation(target + (x, 0.0), other) >= 0.02 for other in others)


def test_shoves_stay_on_the_table_and_clear_of_the_neighbours():
    for index in range(0, 100, 9):
        episode = make_episode("disturbance", index)
        shove, poses = episode.changes.shove, [np.array((*o.pos, *o.quat)) for o in episode.objects]
        specs = [library.get_object(o.object_id) for o in episode.objects]
        assert 0.03 <= math.hypot(*shove.by_m) <= 0.06
        for share in (0.5, 1.0):
            poses[0] = slid(np.array((*episode.objects[0].pos, *episode.objects[0].quat)), shove, share)
            outlines = [outline_on_table(s, p[3:]) + p[:2] for s, p in zip(specs, poses, strict=True)]
            assert all(separation(outlines[0], other) >= 0.008 for other in outlines[1:])


def test_smoke_has_something_of_everything_that_changes_what_is_seen_or_felt():
    smoke = distributions()["smoke"]
    assert isinstance(smoke, Mix)
    assert smoke.size == 20
    finishes = {make_episode("smoke", index).changes.finish for index in range(20)}
    assert finishes == {"", "glossy", "transparent", "camouflaged"}
    assert make_episode("smoke", 19).changes.shove is not None


def test_wishes_that_no_suite_fulfils_are_refused():
    with pytest.raises(EpisodeError, match=r"version 1 here; version 2"):
        make_episode("density", 0, 2)
    with pytest.raises(EpisodeError, match="start at 0"):
        make_episode("smoke", -1)
    with pytest.raises(
        UsageError, match=r"unknown suite 'moon'; choose one of: adversarial, .*unseen_objects, or user:"
    ):
        get_suite("moon")
