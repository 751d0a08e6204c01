"""Moments about which a planner is asked: real physics, real pictures, and a truth that physics confirms."""

from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from benchmarks.looking import moment_rng
from benchmarks.moments import KINDS, Moment, MomentError, make_moment
from benchmarks.suites import COMPLETION, VERDICTS, VERIFICATION, axis_levels, get_suite
from datagen.stage import Stage
from envs import spec
from envs.control import arm_from_rad, hand_from_rad
from envs.episode import make_episode
from envs.interface import SUCCESSES
from envs.sensing import Rig
from envs.suites import DONE_MOMENTS, HELD_MOMENTS

LEVELS = [axis_levels(get_suite(VERDICTS), index) for index in range(get_suite(VERDICTS).size)]
KIND = [level["moment"] for level in LEVELS]
FIRST = {kind: KIND.index(kind) for kind in KINDS}  # the index of the first moment of each kind


@pytest.fixture(scope="module")
def stage():
    stage = Stage(VERDICTS, "g0r")
    yield stage
    stage.close()


def made(stage: Stage, index: int) -> Moment:
    return make_moment(stage, make_episode(VERDICTS, index), KIND[index], moment_rng(VERDICTS, 1, index))


def shown(moment: Moment, camera: str, index: int) -> int:
    """How many pixels show object `index`."""
    with Rig(moment.stage.model) as rig:
        return int(rig.body_mask(moment.stage.data, camera, int(moment.stage.scene.object_bodies[index])).sum())


def commanded(stage: Stage) -> np.ndarray:
    """The action (13,) that arm and hand are following."""
    hand = hand_from_rad(stage.data.ctrl[spec.HAND], stage.scene.hand)
    return np.concatenate([arm_from_rad(stage.servo.reference_rad), hand])


def test_half_of_each_question_is_false_in_every_stretch_of_twenty():
    assert set(KINDS) == set(HELD_MOMENTS) | set(DONE_MOMENTS)
    for first in range(0, 200, 20):
        asked = Counter((LEVELS[i]["question"], KINDS[KIND[i]].truth) for i in range(first, first + 20))
        assert asked == {(q, t): 5 for q in (VERIFICATION, COMPLETION) for t in (True, False)}
    assert {level["question"] for level in LEVELS if level["moment"] in HELD_MOMENTS} == {VERIFICATION}
    assert all(KINDS[level["moment"]].question == level["question"] for level in LEVELS)


def test_every_published_question_is_about_a_scene_of_its_own():
    episodes = [make_episode(VERDICTS, index) for index in (0, 1, 20, 200, 5, 25, 205)]
    assert len({episode.hash for episode in episodes}) == len({e.objects for e in episodes}) == 7


def test_what_is_held_hangs_in_the_hand_and_stays_there_for_the_twenty_seconds_of_the_protocol(stage):
    moment = made(stage, FIRST["held"])
    assert moment.facts.held
    assert moment.truth.target_height_m() >= spec.LIFT_HEIGHT_M
    assert shown(moment, spec.WRIST, 0) > 10_000  # of 307,200: near, and before the camera
    _, _, ended, _, info = stage.step(commanded(stage))
    assert ended
    assert info["outcome"] in SUCCESSES


def test_where_the_expert_finds_no_grasp_an_untested_one_is_lifted(stage, monkeypatch):
    monkeypatch.setattr("benchmarks.moments.find_plan", lambda *_: None)
    moment = made(stage, FIRST["held"])
    assert moment.facts.held
    assert moment.stage.outcome is None


def test_the_wrong_object_is_held_while_the_right_one_stands_untouched(stage):
    moment = made(stage, FIRST["wrong"])
    episode = make_episode(VERDICTS, FIRST["wrong"])
    assert moment.stage.scene.objects[moment.asked].id == episode.objects[0].object_id
    assert stage.instruction == episode.instruction
    assert not moment.facts.touched
    assert moment.truth.target_height_m() == pytest.approx(0.0, abs=0.005)
    assert stage.lowest_m >= spec.LIFT_HEIGHT_M  # what the hand went for
    assert shown(moment, spec.WRIST, 0) > shown(moment, spec.WRIST, moment.asked)


@pytest.mark.parametrize("kind", ["beside", "around", "slipped", "above"])
def test_a_hand_that_holds_nothing_is_near_the_object_on_the_table(stage, kind):
    facts = made(stage, FIRST[kind]).facts
    assert facts.on_table
    assert not facts.held
    assert facts.touched is (kind == "around")
    assert (facts.opening < 0.75) is (kind != "above")
    if kind == "slipped":
        assert facts.fell_m > 0.02


@pytest.mark.parametrize("kind", DONE_MOMENTS)
def test_what_is_done_lies_in_the_tray_and_the_rest_stands_on_the_table(stage, kind):
    moment = made(stage, FIRST[kind])
    lowest = [stage.scene.lowest_m(stage.data, index) for index in range(6)]
    away = [index for index, height in enumerate(lowest) if height < -0.15]
    assert len(away) == (kind in ("gone", "others"))
    assert (0 in away) is (kind == "gone")
    now = stage.picture(spec.HEAD)
    assert bool(np.abs(now.astype(int) - moment.initial).max() > 40) is (kind != "untouched")


def test_a_moment_depends_on_its_index_alone(stage):
    for kind in ("slipped", "gone"):
        once = made(stage, FIRST[kind])
        facts, head = once.facts, stage.picture(spec.HEAD)
        made(stage, FIRST["moved"])
        again = made(stage, FIRST[kind])
        assert asdict(again.facts) == asdict(facts)
        assert np.array_equal(stage.picture(spec.HEAD), head)


def test_a_scene_that_has_no_such_moment_is_an_error_that_names_it(stage):
    alone = make_episode(VERDICTS, FIRST["wrong"])
    alone = replace(alone, objects=alone.objects[:1])
    with pytest.raises(MomentError, match=r"no moment of the kind 'wrong' in planner_verdicts\[8\]"):
        make_moment(stage, alone, "wrong", np.random.default_rng(0))
