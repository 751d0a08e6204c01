"""Whether the hand can lift an object: the tries, the verdict, and reasons that were seen to matter."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from assets.objects import imported, library
from assets.objects.types import Piece, RestPose
from datagen import check_object as checking
from datagen.check_object import AlteredExpert, check_object, explain, lone_episode
from envs.episode import TARGET_X, TARGET_Y
from envs.sim import SimEnv


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(imported.FOLDER_VARIABLE, str(tmp_path))
    library.get_object.cache_clear()
    yield tmp_path
    library.get_object.cache_clear()


def block(folder, sides, **changes):
    """A box of one's own, saved under the id user_block."""
    spec = replace(
        library.get_object("block_00"), id="user_block", family="user", split="user",
        pieces=(Piece("box", tuple(s / 2 for s in sides)),), rest_poses=(RestPose((1.0, 0.0, 0.0, 0.0), sides[2] / 2),),
        extent_m=sides,
    )  # fmt: skip
    imported.save(replace(spec, **changes), {}, folder)
    return library.get_object("user_block")


def test_tries_cover_the_table_and_take_the_rest_poses_in_turn():
    spec = library.get_object("can_00")
    tries = [lone_episode(spec, number) for number in range(12)]
    assert tries == [lone_episode(spec, number) for number in range(12)]
    places = np.array([t.objects[0].pos[:2] for t in tries])
    assert (places > (TARGET_X[0] - 0.01, TARGET_Y[0] - 0.01)).all()
    assert (places < (TARGET_X[1] + 0.01, TARGET_Y[1] + 0.01)).all()
    assert (np.ptp(places, axis=0) > 0.6 * np.ptp([TARGET_X, TARGET_Y], axis=1)).all()
    heights = {round(t.objects[0].pos[2], 3) for t in tries}
    assert len(heights) == len({round(pose.height_m, 3) for pose in spec.rest_poses})
    assert all(len(t.objects) == 1 and t.instruction in t.phrasings for t in tries)


def test_the_expert_lifts_an_easy_object_and_the_rate_has_an_interval(capsys):
    assert checking.main("can_00", tries=1) == 0
    said = capsys.readouterr().out
    assert "can_00: 100 % (1/1, 95 % interval 21 to 100 %): success 1" in said
    assert "ready for suites" in said


def told(monkeypatch, judge):
    """Let `judge(expert)` say whether a try succeeds, in place of the physics."""
    seen = []

    def play(env, expert, episode):
        seen.append(expert)
        return SimpleNamespace(outcome="success" if judge(expert) else "slipped")

    monkeypatch.setattr(checking, "run_episode", play)
    return seen


def plain(expert) -> bool:
    return not isinstance(expert, AlteredExpert)


REASONS = {
    "too heavy for its friction": lambda e: not plain(e),
    "too heavy": lambda e: not plain(e) and (e._mass_kg, e._friction) == (checking.LIGHT_KG, None),
    "too slippery": lambda e: not plain(e) and (e._mass_kg, e._friction) == (None, checking.GRIPPY),
    "too heavy and too slippery": lambda e: not plain(e) and None not in (e._mass_kg, e._friction),
    "its shape": lambda e: False,
}


@pytest.mark.parametrize("reason", REASONS)
def test_the_reason_is_the_change_that_helps(folder, monkeypatch, capsys, reason):
    block(folder, (0.05, 0.05, 0.08), mass_kg=1.4, friction=0.2)
    told(monkeypatch, REASONS[reason])
    verdict = check_object("user_block", tries=3)
    assert (verdict.successes, verdict.tries, verdict.outcomes) == (0, 3, {"slipped": 3})
    assert verdict.reason.startswith(f"{reason}:")
    assert not verdict.passed
    assert checking.main("user_block", tries=3) == 1
    assert f"not usable: {reason}:" in capsys.readouterr().out


def test_half_of_the_tries_are_enough(folder, monkeypatch):
    block(folder, (0.05, 0.05, 0.08))
    turns = iter([True, False, True, False])
    told(monkeypatch, lambda expert: next(turns))
    verdict = check_object("user_block", tries=4)
    assert verdict.passed
    assert verdict.low < 0.5 < verdict.high


def test_what_is_too_wide_or_too_low_is_told_by_its_size(folder, monkeypatch):
    seen = told(monkeypatch, plain)
    for sides, reason in (((0.12, 0.13, 0.08), "too wide: .* 12.0 cm"), ((0.05, 0.06, 0.015), "too low: .* 15 mm")):
        library.get_object.cache_clear()
        imported._read_once.cache_clear()
        (folder / "user_block.npz").unlink(missing_ok=True)
        spec = block(folder, sides)
        assert re.match(reason, explain(None, spec, [lone_episode(spec, 0)]))
    assert seen == []  # the physics was not asked


def test_what_cannot_be_placed_is_told(folder):
    spec = block(folder, (0.05, 0.05, 0.08), rest_poses=(RestPose((0.924, 0.383, 0.0, 0.0), 0.06),))  # on its edge
    verdict = check_object(spec.id, tries=2)
    assert verdict.outcomes == {"unplaced": 2}
    assert "cannot be placed" in verdict.reason


def test_an_altered_world_lasts_for_one_episode():
    spec = library.get_object("can_00")
    env, episode = SimEnv(), lone_episode(spec, 0)
    env.reset(options={"episode": episode})
    AlteredExpert(mass_kg=0.05, friction=0.9).reset(env, 0)
    body = env.model.body("target")
    geoms = slice(body.geomadr[0], body.geomadr[0] + body.geomnum[0])
    assert body.mass[0] == pytest.approx(0.05)
    ratio = body.inertia.sum() / (np.sum(spec.inertia_kg_m2[:3]) * 0.05 / spec.mass_kg)
    assert ratio == pytest.approx(1.0, rel=1e-6)
    assert set(env.model.geom_friction[geoms][env.model.geom_contype[geoms] != 0, 0]) == {0.9}
    env.reset(options={"episode": episode})
    assert env.model.body("target").mass[0] == pytest.approx(spec.mass_kg)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("mug_99",), "mug_99"),
        (("user_nothing",), "import_mesh"),
        (("mug_00", 0), "--tries"),
        (("mug_00", 1, "claw"), "g0r"),
    ],
)
def test_wrong_words_end_with_2_and_the_choices(folder, capsys, words, reason):
    del folder
    assert checking.main(*words) == 2
    assert reason in capsys.readouterr().err
