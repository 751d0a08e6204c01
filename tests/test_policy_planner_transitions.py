"""The monitor's table: each row happens, nothing else can, and the documentation draws it as it is."""

from pathlib import Path

import pytest

from policy.planner.transitions import ACTING, FINAL, TRANSITIONS, Event, State, mermaid
from tests.planner_play import (
    ABSTRACT,
    BOX,
    Played,
    home,
    late,
    listing,
    pending,
    relocating,
    rounds_over,
    said,
    stopped,
    struck_out,
    to_locating,
    to_proposing,
    to_returning,
    verifying,
)

# One scenario for each row of the table; the last transition of its history must be that row.
SCENARIOS = {
    (State.IDLE, Event.START): Played,
    (State.IDLE, Event.START_LISTING): lambda: Played(listing=True),
    (State.UNDERSTANDING, Event.LISTED): lambda: listing("mug"),
    (State.UNDERSTANDING, Event.ABSTRACT): lambda: said(Played(listing=True), State.UNDERSTANDING, ABSTRACT),
    (State.UNDERSTANDING, Event.ERROR): lambda: said(Played(listing=True), State.UNDERSTANDING, fail=True),
    (State.UNDERSTANDING, Event.STOPPED): lambda: stopped(Played(listing=True)),
    (State.CHECKING, Event.FULFILLED): lambda: said(Played(), State.CHECKING, True),
    (State.CHECKING, Event.UNFULFILLED): to_proposing,
    (State.CHECKING, Event.OUT_OF_ROUNDS): lambda: rounds_over(Played(rounds=1)),
    (State.CHECKING, Event.ERROR): lambda: said(Played(), State.CHECKING, fail=True),
    (State.CHECKING, Event.STOPPED): lambda: stopped(Played()),
    (State.PROPOSING, Event.PROPOSED): to_locating,
    (State.PROPOSING, Event.NOTHING_LEFT): lambda: said(to_proposing(), State.PROPOSING, None),
    (State.PROPOSING, Event.ERROR): lambda: said(to_proposing(), State.PROPOSING, fail=True),
    (State.PROPOSING, Event.STOPPED): lambda: stopped(to_proposing()),
    (State.LOCATING, Event.LOCATED): lambda: said(to_locating(), State.LOCATING, BOX),
    (State.LOCATING, Event.NOT_VISIBLE): lambda: said(to_locating(), State.LOCATING, None),
    (State.LOCATING, Event.LOOK_AGAIN): lambda: said(listing("mug"), State.LOCATING, None),
    (State.LOCATING, Event.INVISIBLE): lambda: said(to_locating(invisible=1), State.LOCATING, None),
    (State.LOCATING, Event.ERROR): lambda: said(to_locating(), State.LOCATING, fail=True),
    (State.LOCATING, Event.STOPPED): lambda: stopped(to_locating()),
    (State.GRASPING, Event.CHECK_DUE): verifying,
    (State.GRASPING, Event.TARGET_LOST): relocating,
    (State.GRASPING, Event.TIME_OUT): lambda: late(Played().to_grasp()),
    (State.GRASPING, Event.STOPPED): lambda: stopped(Played().to_grasp()),
    (State.VERIFYING, Event.HELD): to_returning,
    (State.VERIFYING, Event.HELD_SO_FAR): lambda: pending(verifying(true_verdicts=2), True),
    (State.VERIFYING, Event.NOT_HELD): lambda: pending(verifying(), False),
    (State.VERIFYING, Event.STRUCK_OUT): struck_out,
    (State.VERIFYING, Event.ERROR): lambda: pending(verifying(), fail=True),
    (State.VERIFYING, Event.TIME_OUT): lambda: late(verifying()),
    (State.VERIFYING, Event.STOPPED): lambda: stopped(verifying()),
    (State.RELOCATING, Event.LOCATED): lambda: pending(relocating(), BOX),
    (State.RELOCATING, Event.NOT_VISIBLE): lambda: pending(relocating(), None),
    (State.RELOCATING, Event.ERROR): lambda: pending(relocating(), fail=True),
    (State.RELOCATING, Event.TIME_OUT): lambda: late(relocating()),
    (State.RELOCATING, Event.STOPPED): lambda: stopped(relocating()),
    (State.RETURNING, Event.RETURNED): lambda: said(to_returning(), State.RETURNING),
    (State.RETURNING, Event.RETURNED_LISTED): lambda: home(listing("mug")),
    (State.RETURNING, Event.STOPPED): lambda: stopped(to_returning()),
    (State.INSPECTING, Event.NEXT_OBJECT): lambda: said(home(listing("mug", "can")), State.INSPECTING, True),
    (State.INSPECTING, Event.SAME_OBJECT): lambda: said(home(listing("mug")), State.INSPECTING, False),
    (State.INSPECTING, Event.LIST_EMPTY): lambda: said(home(listing("mug")), State.INSPECTING, True),
    (State.INSPECTING, Event.OUT_OF_ROUNDS): lambda: said(
        home(said(home(listing("mug")), State.INSPECTING, False)), State.INSPECTING, False
    ),
    (State.INSPECTING, Event.ERROR): lambda: said(home(listing("mug")), State.INSPECTING, fail=True),
    (State.INSPECTING, Event.STOPPED): lambda: stopped(home(listing("mug"))),
}


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: f"{row[0]}-{row[1]}")
def test_each_row_of_the_table_happens(row):
    play = SCENARIOS[row]()
    monitor, last = play.monitor, play.monitor.history[-1]
    assert (last.state, last.event) == row
    assert last.after is monitor.state is TRANSITIONS[row]
    assert monitor.acting == (monitor.state in ACTING)
    assert monitor.finished == (monitor.state in FINAL)
    assert monitor.end == (row[1] if monitor.finished else None)
    if monitor.state is State.RETURNING:
        assert monitor.grasp_end is row[1]


def test_the_table_has_no_dead_ends_and_no_islands():
    assert set(SCENARIOS) == set(TRANSITIONS)
    assert {event for _, event in TRANSITIONS} == set(Event)
    reached = {State.IDLE, *TRANSITIONS.values()}
    assert reached == set(State)
    assert {state for state, _ in TRANSITIONS} == set(State) - FINAL
    stoppable = {state for state, event in TRANSITIONS if event is Event.STOPPED}
    assert stoppable == set(State) - FINAL - {State.IDLE}


def test_the_documented_diagram_is_the_table():
    page = (Path(__file__).parent.parent / "docs" / "policy_planner.md").read_text(encoding="utf-8")
    drawn = page.split("```mermaid\n")[1].split("\n```")[0]
    assert drawn == mermaid(), "draw it anew with policy.planner.transitions.mermaid()"


def test_the_diagram_shows_every_row():
    lines = mermaid().splitlines()
    for (state, event), after in TRANSITIONS.items():
        (line,) = [line for line in lines if line.startswith(f"    {state} --> {after}:")]
        assert str(event) in line.split(": ")[1].split(" / ")
