"""The generator's expert carries candidates out one by one, and takes back all but the one that it keeps."""

import numpy as np
import pytest

from datagen import script
from datagen.scout import CREEP_M
from datagen.search import SLIDING_M
from datagen.stage import Stage, Take

INDEX = 2
VAIN, WEAK, WEAKER, FIRM = float("inf"), 2 * CREEP_M, 3 * CREEP_M, CREEP_M / 2


@pytest.fixture
def acting(monkeypatch):
    """A script on a stage of its own, whose candidates end as they are told to, after one true step each."""
    stage = Stage("train", "g0r", hold_s=1.0)
    stage.reset(options={"index": INDEX})
    made = script.Script(Take(stage))
    names, asked, carried = "abcdefgh", [], []

    def carry_out(plan):
        carried.append(plan)
        made.take.do(np.full(13, 0.01 * (1 + names.index(plan))), 0)
        return ends[plan]

    def creep(_, plan):
        asked.append(plan)
        return foreseen.get(plan, FIRM)

    ends, foreseen, brushing = {}, {}, []
    monkeypatch.setattr(made, "carry_out", carry_out)
    monkeypatch.setattr(made, "motions", lambda brush=False: iter(brushing if brush else ends))
    monkeypatch.setattr(script, "creep", creep)
    monkeypatch.setattr(script, "UNPROVEN_TRIALS", 2)
    made.ends, made.foreseen, made.brushing, made.asked, made.carried = ends, foreseen, brushing, asked, carried
    return made


def kept(acting):
    """The candidate whose step is the last one in the rows."""
    return "abcdefgh"[round(float(acting.take.rows[-1].action[0]) * 100) - 1]


def test_the_first_that_holds_firmly_is_kept_and_the_others_leave_no_rows(acting):
    acting.ends |= {"a": VAIN, "b": FIRM, "c": FIRM}
    assert acting.grasp()
    assert acting.carried == ["a", "b"]
    assert (kept(acting), len(acting.take.rows), acting.vain) == ("b", 1, 1)
    assert acting.asked == []


def test_later_ones_must_convince_the_scout_first(acting):
    acting.ends |= {"a": VAIN, "b": VAIN, "c": FIRM, "d": FIRM}
    acting.foreseen |= {"c": VAIN}
    assert acting.grasp()
    assert acting.asked == ["c", "d"]
    assert acting.carried == ["a", "b", "d"]


def test_the_firmest_is_kept_where_none_is_firm(acting, monkeypatch):
    acting.ends |= {"a": WEAKER, "b": WEAK, "c": VAIN}
    acting.brushing.append("h")  # is not looked at
    assert acting.grasp()
    assert acting.carried == ["a", "b", "c"]  # and not once again
    assert (kept(acting), len(acting.take.rows), acting.vain) == ("b", 1, 2)


def test_what_only_the_scout_has_seen_is_carried_out_before_it_is_kept(acting):
    acting.ends |= {"a": VAIN, "b": VAIN, "c": VAIN, "d": WEAKER}
    acting.foreseen |= {"c": WEAK, "d": WEAKER}
    assert acting.grasp()
    assert acting.carried == ["a", "b", "c", "d"]
    assert kept(acting) == "d"


def test_pushing_neighbours_aside_comes_last_and_trials_are_counted(acting, monkeypatch):
    acting.ends |= dict.fromkeys("abcd", VAIN)
    acting.brushing += ["h", "a"]
    acting.ends["h"] = FIRM
    monkeypatch.setattr(acting, "motions", lambda brush=False: iter(acting.brushing if brush else "abcd"))
    assert acting.grasp(most_trials=3)
    assert acting.carried == ["a", "b", "c", "h"]
    assert kept(acting) == "h"


def test_where_nothing_holds_everything_is_as_before(acting):
    acting.take.do(np.zeros(13), 0)
    before = acting.stage.save_state().physics
    acting.ends |= {"a": VAIN, "b": 10 * SLIDING_M}
    assert not acting.grasp()
    assert len(acting.take.rows) == 1
    np.testing.assert_array_equal(acting.stage.save_state().physics, before)


def test_an_intolerant_grasp_is_kept_only_where_no_other_is_firm(acting, monkeypatch):
    acting.ends |= {"a": FIRM, "b": WEAK, "c": FIRM}
    monkeypatch.setattr(acting, "_tolerates", lambda plan: plan == "c")
    assert acting.grasp()
    assert kept(acting) == "c"
    monkeypatch.setattr(acting, "_tolerates", lambda plan: False)
    acting.take.back_to(script.Mark(acting.take.mark().saved, ()))
    assert acting.grasp()
    assert kept(acting) == "a"


def test_braking_comes_to_rest_on_the_path_and_the_hand_opens_where_it_is():
    stage = Stage("train", "g0r", hold_s=1.0)
    stage.reset(options={"index": INDEX})
    take = Take(stage)
    acting = script.Script(take)
    plan = next(acting.motions())
    for action, phase in zip(plan.actions[:15], plan.phases, strict=False):
        take.do(action, int(phase))
    acting.brake(plan, 14)
    commands = np.array([row.action for row in take.rows], float)
    steps = np.abs(np.diff(commands[:, :7], axis=0)).max(axis=1)
    assert (np.diff(steps[14:]) < 0).all()
    assert steps[-1] < 0.25 * steps[13]
    acting.let_go()
    last = np.array([row.action for row in take.rows[-script.OPEN_STEPS :]], float)
    assert (last[:, :7] == last[0, :7]).all()
    np.testing.assert_allclose(last[-1, 7:], stage.scene.hand.rest_action, atol=1e-6)
    rows = len(take.rows)
    assert acting.wait()  # the target has not been touched
    assert len(take.rows) == rows
    stage.data.qvel[stage.model.joint("target").dofadr[0]] = 0.3
    assert acting.wait()
    assert rows < len(take.rows) <= rows + script.WAIT_STEPS
