"""Referring expressions always exist, differ, and mean exactly one object."""

import dataclasses

import numpy as np
import pytest

from assets.objects.language import (
    VERBS,
    Placed,
    Reference,
    described,
    noun_phrase,
    references,
    referring_expressions,
    resolves_to,
    unique_expression,
)
from assets.objects.library import ALL, FAMILIES, get_object


def scenes(count: int):
    """Random scenes: mixed, of one family, of identical objects; scattered, and on a grid where many stand level."""
    rng = np.random.default_rng(11)
    grid = np.stack(np.meshgrid([0.42, 0.50, 0.58], [-0.3, -0.2, -0.1, 0.0]), axis=-1).reshape(-1, 2)
    for k in range(count):
        size = int(rng.integers(1, 9))
        family = FAMILIES[list(FAMILIES)[int(rng.integers(len(FAMILIES)))]]
        pool = (ALL, family.ids(), [ALL[int(rng.integers(len(ALL)))]])[k % 3]
        ids = [pool[int(i)] for i in rng.integers(len(pool), size=size)]
        scattered = rng.uniform([0.40, -0.40], [0.58, 0.05], size=(size, 2))
        places = scattered if k % 2 else rng.permutation(grid)[:size]
        yield [Placed(get_object(i), (float(x), float(y))) for i, (x, y) in zip(ids, places, strict=True)]


def test_every_object_of_every_scene_has_three_expressions_that_mean_it_alone():
    for scene in scenes(150):
        said = []
        for i, target in enumerate(scene):
            others = scene[:i] + scene[i + 1 :]
            pairs = described(target, others)
            texts = [text for text, _ in pairs]
            assert len(set(texts)) == len(texts) >= 3
            assert tuple(texts) == referring_expressions(target, others)
            for text, reference in pairs:
                assert resolves_to(reference, [target, *others]) == [0]
                assert resolves_to(reference, scene) == [i]
                assert text.endswith(noun_phrase(reference))
                assert any(noun in text for noun in target.spec.nouns)
            assert resolves_to(references(target, others)[0], scene) == [i]
            said.append({*texts, unique_expression(target, others)})
        # No sentence is said of two objects of one scene.
        assert sum(map(len, said)) == len(set().union(*said))


def test_position_words_are_true_and_the_robots():
    can, mug = get_object("can_00"), get_object("mug_00")
    left, middle, right = Placed(can, (0.5, 0.0)), Placed(can, (0.5, -0.15)), Placed(can, (0.5, -0.3))
    near_mug = Placed(mug, (0.42, -0.15))
    scene = [left, middle, right, near_mug]
    assert resolves_to(Reference("can", side="left"), scene) == [0]
    assert resolves_to(Reference("can", side="right"), scene) == [2]
    assert resolves_to(Reference("can", side="left", order=1), scene) == [1]
    assert resolves_to(Reference("can", relation="left of", anchor=Reference("mug")), scene) == [0]
    assert resolves_to(Reference("can", relation="right of", anchor=Reference("mug")), scene) == [2]
    assert resolves_to(Reference("can", relation="behind", anchor=Reference("mug")), scene) == [0, 1, 2]
    assert resolves_to(
        Reference("mug", relation="in front of", anchor=Reference("can", side="left", order=1)), scene
    ) == [3]
    assert resolves_to(Reference("mug", relation="behind", anchor=Reference("can", side="left")), scene) == []
    assert resolves_to(Reference("can", side="near"), scene) == [0]
    assert resolves_to(Reference("can", side="far"), scene) == [2]
    assert unique_expression(middle, [left, right, near_mug]) == "the second can from the left"
    assert unique_expression(left, [middle, right]) == "the leftmost can"


def test_an_ambiguous_anchor_fits_nothing():
    can, mug = get_object("can_00"), get_object("mug_00")
    scene = [Placed(mug, (0.5, 0.0)), Placed(can, (0.5, -0.1)), Placed(can, (0.5, -0.2))]
    assert resolves_to(Reference("mug", relation="left of", anchor=Reference("can")), scene) == []


def test_attributes_come_before_size_and_size_before_place():
    mugs = [get_object(i) for i in FAMILIES["mug"].ids()]
    green = next(m for m in mugs if m.colors[0] == "green")
    red = next(m for m in mugs if m.colors[0] == "red" and "green" not in m.colors)
    assert unique_expression(Placed(green, (0.5, 0.0)), [Placed(red, (0.5, 0.1))]) == "the green mug"
    assert unique_expression(Placed(green, (0.5, 0.0)), []) == "the mug"
    small, large = sorted((get_object(i) for i in FAMILIES["can"].ids()), key=lambda s: np.prod(s.extent_m))[::17]
    large = dataclasses.replace(large, colors=small.colors)
    assert unique_expression(Placed(small, (0.5, 0.0)), [Placed(large, (0.5, 0.1))]) == "the small can"
    assert unique_expression(Placed(large, (0.5, 0.1)), [Placed(small, (0.5, 0.0))]) == "the large can"


def test_sizes_that_look_alike_do_not_decide():
    can = get_object("can_00")
    scene = [Placed(can, (0.5, 0.0)), Placed(can, (0.5, 0.1))]
    assert resolves_to(Reference("can", size="small"), scene) == [0, 1]
    assert all(r.size is None for r in references(scene[0], scene[1:]))


def test_height_is_that_of_the_pose_on_the_table():
    box = get_object("box_06")
    assert len(box.rest_poses) > 1
    scene = [Placed(box, (0.5, 0.0)), Placed(box, (0.5, 0.1), pose=1)]
    assert resolves_to(Reference("box", size="tall"), scene) == [0]
    assert resolves_to(Reference("box", size="short"), scene) == [1]


def test_shared_nouns_and_shades_count_as_rivals():
    cup, mug = get_object("cup_00"), get_object("mug_00")
    assert resolves_to(Reference("cup"), [Placed(cup, (0.5, 0.0)), Placed(mug, (0.5, 0.1))]) == [0, 1]
    blue, light = (
        next(get_object(i) for i in FAMILIES["bottle"].ids() if get_object(i).colors[0] == word)
        for word in ("blue", "light blue")
    )
    scene = [Placed(blue, (0.5, 0.0)), Placed(light, (0.5, 0.1))]
    assert resolves_to(Reference("bottle", color="blue"), scene) == [0, 1]
    assert resolves_to(Reference("bottle", color="light blue"), scene) == [1]


def test_two_objects_at_one_place_are_refused():
    can = Placed(get_object("can_00"), (0.5, 0.0))
    with pytest.raises(ValueError, match="same place"):
        referring_expressions(can, [can])


@pytest.mark.parametrize("count", [2, len(VERBS) + 1])
def test_a_wrong_count_is_refused(count):
    with pytest.raises(ValueError, match="between 3"):
        described(Placed(get_object("can_00"), (0.5, 0.0)), [], count)


def test_noun_phrases_read_well():
    anchor = Reference("can", color="red", accent="white")
    assert noun_phrase(Reference("mug", color="green", size="small")) == "the small green mug"
    assert noun_phrase(Reference("mug", relation="left of", anchor=anchor)) == "the mug left of the red and white can"
    assert noun_phrase(Reference("jar", side="near")) == "the jar closest to the robot"
    assert noun_phrase(Reference("jar", side="right", order=2)) == "the third jar from the right"
    assert noun_phrase(Reference("jar", material="glass", side="left")) == "the leftmost glass jar"
