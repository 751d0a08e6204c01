"""Jobs are pure functions of the command, and no test look or unseen object ever gets in."""

from dataclasses import replace

import numpy as np
import pytest

from assets.looks.looks import TEST_LIGHTINGS, TEST_TABLES, TRAIN_LIGHTINGS, TRAIN_TABLES, LookSpec
from assets.objects.library import SEEN
from datagen.jobs import (
    NO_RECOVERY,
    RECOVERIES,
    Request,
    RequestError,
    make_job,
    parse_cameras,
    parse_looks,
    parse_size,
    scene_of,
    subset_of,
)
from envs.interface import EpisodeError

MANY = 600


def test_a_job_depends_on_its_index_and_the_seed_alone():
    request = Request(episodes=40)
    whole = list(request.jobs())
    assert whole[25:] == list(replace(request, first=25, episodes=15).jobs())
    assert whole == [make_job(request, i) for i in range(40)]
    others = list(replace(request, seed=1).jobs())
    assert any((a.recovery, a.look) != (b.recovery, b.look) for a, b in zip(whole, others, strict=True))
    draws = {job.rng("x").random() for job in whole} | {job.rng("y").random() for job in whole}
    assert len(draws) == 80


def test_the_shares_are_what_was_asked_for():
    jobs = list(Request(episodes=MANY, looks=(("white", 0.25), ("train", 0.75)), recovery=0.4).jobs())
    white = np.mean([job.look == LookSpec() for job in jobs])
    disturbed = np.mean([job.recovery != NO_RECOVERY for job in jobs])
    assert abs(white - 0.25) < 0.06
    assert abs(disturbed - 0.4) < 0.07
    assert {job.recovery for job in jobs} == {NO_RECOVERY, *RECOVERIES}
    assert all(job.recovery == NO_RECOVERY for job in Request(episodes=50, recovery=0.0).jobs())
    assert all(job.recovery != NO_RECOVERY for job in Request(episodes=50, recovery=1.0).jobs())


def test_training_scenes_hold_seen_objects_under_training_looks():
    looks = (("white", 0.2), ("train", 0.4), *((table, 0.4 / len(TRAIN_TABLES)) for table in TRAIN_TABLES))
    request = Request(episodes=40, looks=looks)
    for job in request.jobs():
        episode = scene_of(request, job)
        assert {placed.object_id for placed in episode.objects} <= set(SEEN)
        assert episode.look.table in {"white", *TRAIN_TABLES}
        assert episode.look.table not in set(TEST_TABLES) - {"white"}
        assert episode.look.lighting in {"white", *TRAIN_LIGHTINGS}
    every = [make_job(request, i).look for i in range(MANY)]
    assert {look.table for look in every if look} == {"white", *TRAIN_TABLES}
    assert not {look.lighting for look in every if look} & (set(TEST_LIGHTINGS) - {"white"})


def test_subsets_split_scenes_once_and_for_all():
    chosen = [subset_of("train", i) for i in range(2000)]
    assert abs(chosen.count("valid") / 2000 - 0.1) < 0.02
    assert set(chosen) == {"train", "valid"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"looks": (("wood", 1.0),)}, "unknown look 'wood'; choose from: white, train"),
        ({"looks": (("white", 0.5),)}, "add up to 0.5, not 1"),
        ({"recovery": 1.5}, "--recovery must lie between 0 and 1"),
        ({"images": "png"}, "--images is lossless, or jpeg1 to jpeg100"),
        ({"cameras": ("outside",)}, "unknown camera 'outside'; choose from: head, wrist"),
        ({"hand": "claw"}, "unknown hand 'claw'"),
        ({"hold_s": 25.0}, "--hold-seconds must lie between"),
        ({"episodes": 0}, "--episodes must lie between"),
        ({"image_size": (8, 480)}, "image width must lie between"),
    ],
)
def test_what_cannot_be_is_refused_with_the_choices(change, message):
    with pytest.raises(RequestError, match=message):
        Request(**change)


def test_an_unknown_suite_is_refused():
    with pytest.raises(EpisodeError, match="unknown suite 'nowhere'"):
        Request(suite="nowhere")


def test_texts_of_the_command_are_parsed():
    assert parse_looks("white=0.3, train=0.7") == (("white", 0.3), ("train", 0.7))
    assert parse_size("640x480") == (640, 480)
    assert parse_cameras("none") == ()
    assert parse_cameras("head,wrist") == ("head", "wrist")
    for parse, text in ((parse_looks, "white"), (parse_looks, "white=much"), (parse_size, "640")):
        with pytest.raises(RequestError, match="got"):
            parse(text)
