"""What the monitor counts and when it checks, on a clock of our own; the table itself has its own tests."""

import numpy as np
import pytest

from policy.planner.monitor import Monitor, MonitorConfig, MonitorError, Transition, ungated
from policy.planner.transitions import Event, State
from tests.planner_play import BOX, CLOSED, DT, OPEN, Played, home, late, listing, pending, relocating, said, verifying


def test_a_whole_prompt_in_the_published_order():
    play = Played()
    play.to_grasp()
    assert (play.monitor.box, play.monitor.instruction) == (BOX, "Grasp the mug")
    assert play.say(State.VERIFYING, True).instruction == "Grasp the mug"
    play.say(State.RETURNING)
    play.say(State.CHECKING, True)
    assert (play.monitor.state, play.monitor.end, play.monitor.rounds) == (State.DONE, Event.FULFILLED, 1)
    assert play.ask() is None
    states = [line.state for line in play.monitor.history]
    S = State
    assert states == [
        S.IDLE, S.CHECKING, S.PROPOSING, S.LOCATING, S.GRASPING, S.VERIFYING, S.RETURNING, S.CHECKING,
    ]  # fmt: skip


def test_the_older_flow_works_through_the_list():
    play = listing("mug", "can")
    assert play.monitor.instruction == "mug"
    assert said(home(play), State.INSPECTING, True).monitor.instruction == "can"
    said(home(play), State.INSPECTING, True)
    assert (play.monitor.state, play.monitor.end) == (State.DONE, Event.LIST_EMPTY)


def test_each_request_is_made_once_and_answers_to_it_once():
    play = Played()
    request = play.ask()
    assert request.state is State.CHECKING
    assert play.ask() is None
    assert play.monitor.reply(request.serial, False, 0.0) is True
    assert play.monitor.reply(request.serial, True, 0.0) is False  # a second answer to the same question
    second = play.ask()
    assert (second.state, second.serial) == (State.PROPOSING, request.serial + 1)


def test_an_answer_that_comes_after_the_time_out_changes_nothing():
    play = verifying()
    late(play)
    assert play.monitor.state is State.RETURNING
    assert play.monitor.reply(play.pending.serial, True, play.now) is False
    assert play.monitor.fail(play.pending.serial, play.now) is False
    assert (play.monitor.state, play.monitor.grasp_end) == (State.RETURNING, Event.TIME_OUT)


def test_checks_come_once_a_second_of_the_environments_time():
    play = Played(false_verdicts=99).to_grasp()
    times = []
    for _ in range(round(8.0 / DT)):
        play.now += DT
        request = play.ask(CLOSED)
        if request:
            times.append(play.now)
            play.monitor.reply(request.serial, False, play.now)
    assert times[0] == pytest.approx(1.5)  # settle_s: the hand is on its way
    np.testing.assert_allclose(np.diff(times), 1.0, atol=1e-6)
    assert len(times) == 7


def test_a_slow_planner_is_not_asked_twice_and_the_next_check_waits_for_its_answer():
    play = verifying(false_verdicts=99)
    assert play.wait(5.0, CLOSED) == []
    pending(play, False)
    asked = play.wait(0.2, CLOSED)
    assert len(asked) == 1  # the period has long passed


def test_no_check_before_the_hand_has_been_closed_for_its_time():
    play = Played().to_grasp()
    assert play.wait(10.0, OPEN) == []
    assert play.wait(0.9, CLOSED) == []
    assert play.wait(0.5, OPEN) == []  # opened again: the time starts anew
    ((at, request),) = play.wait(1.5, CLOSED)[:1]
    assert request.state is State.VERIFYING
    assert at == pytest.approx(11.4 + DT + 1.0)


def test_without_the_hands_state_time_alone_decides():
    play = Played().to_grasp()
    assert play.wait(1.4) == []
    assert [request.state for _, request in play.wait(0.2)] == [State.VERIFYING]


def test_three_false_verdicts_in_a_row_end_a_grasp_and_two_do_not():
    play = Played().to_grasp()
    play.say(State.VERIFYING, False)
    play.say(State.VERIFYING, False)
    assert (play.monitor.strikes, play.monitor.state) == (2, State.GRASPING)
    play.say(State.VERIFYING, False)
    assert (play.monitor.grasp_end, play.monitor.state) == (Event.STRUCK_OUT, State.RETURNING)


def test_a_true_verdict_that_awaits_confirmation_clears_the_strikes_and_the_other_way_round():
    play = Played(true_verdicts=2).to_grasp()
    for verdict in (False, False, True, False, False, True):
        play.say(State.VERIFYING, verdict)
        assert play.monitor.state is State.GRASPING
    play.say(State.VERIFYING, True)
    assert play.monitor.grasp_end is Event.HELD


def test_opening_the_hand_voids_what_was_said_of_the_last_closing():
    play = Played().to_grasp()
    play.say(State.VERIFYING, False)
    play.say(State.VERIFYING, False)
    play.wait(0.2, OPEN)
    assert play.monitor.strikes == 0
    play.say(State.VERIFYING, False)
    assert (play.monitor.strikes, play.monitor.state) == (1, State.GRASPING)


@pytest.mark.parametrize("verdict", [True, False])
def test_a_verdict_on_a_hand_that_has_opened_meanwhile_does_not_count(verdict):
    play = verifying()
    play.wait(0.2, OPEN)
    pending(play, verdict)
    assert (play.monitor.state, play.monitor.strikes, play.monitor.agreed) == (State.GRASPING, 0, 0)
    play.say(State.VERIFYING, True)
    assert play.monitor.grasp_end is Event.HELD


def test_a_planner_error_is_no_strike():
    play = Played().to_grasp()
    for _ in range(5):
        play.say(State.VERIFYING, fail=True)
    assert (play.monitor.strikes, play.monitor.state) == (0, State.GRASPING)


def test_each_grasp_has_its_own_time_and_strikes():
    play = Played(timeout_s=10.0).to_grasp()
    play.say(State.VERIFYING, False)
    play.wait(8.0, OPEN)
    play.say(State.RETURNING, opening=OPEN)
    assert play.monitor.grasp_end is Event.TIME_OUT
    play.to_grasp()
    assert (play.monitor.strikes, play.monitor.grasp_end, play.monitor.rounds) == (0, None, 2)
    play.wait(9.9, OPEN)
    assert play.monitor.state is State.GRASPING
    play.wait(0.2, OPEN)
    assert play.monitor.state is State.RETURNING


def test_the_time_out_comes_at_its_time():
    play = Played().to_grasp()
    play.now += 99.9
    assert play.ask(OPEN) is None
    play.now += 0.1
    assert play.ask(OPEN).state is State.RETURNING


def test_a_lost_target_is_looked_for_only_after_a_while_and_with_an_open_hand():
    play = Played().to_grasp()
    assert play.wait(0.9, OPEN, lost=True) == []
    assert play.wait(0.1, OPEN, lost=False) == []
    assert play.wait(0.9, OPEN, lost=True) == []
    assert [request.state for _, request in play.wait(0.5, OPEN, lost=True)] == [State.RELOCATING]
    hidden = Played(period_s=50.0).to_grasp()
    assert [request.state for _, request in hidden.wait(9.0, CLOSED, lost=True)] == [State.VERIFYING]


def test_relocating_moves_the_box_and_keeps_the_grasps_time():
    play = relocating()
    pending(play, (5.0, 6.0, 7.0, 8.0))
    assert play.monitor.box == (5.0, 6.0, 7.0, 8.0)
    assert play.monitor.rounds == 1
    play.now = 100.0
    assert play.ask(OPEN).state is State.RETURNING


def test_a_target_that_cannot_be_seen_is_proposed_anew_but_not_for_ever():
    play = Played()
    play.say(State.CHECKING, False)
    for _ in range(3):
        play.say(State.PROPOSING, "x")
        play.say(State.LOCATING, None)
    assert (play.monitor.state, play.monitor.end) == (State.FAILED, Event.INVISIBLE)


def test_seeing_a_target_forgives_the_times_before():
    play = Played(invisible=2)
    play.say(State.CHECKING, False)
    play.say(State.PROPOSING, "x")
    play.say(State.LOCATING, None)
    play.say(State.PROPOSING, "x")
    play.say(State.LOCATING, BOX)
    assert play.monitor.unseen == 0


def test_ungated_checks_begin_at_once_as_published():
    play = Played()
    play.monitor = Monitor(ungated(MonitorConfig()))
    play.monitor.start(0.0)
    play.to_grasp()
    assert play.ask(OPEN).state is State.VERIFYING


def test_misuse_is_refused():
    play = Played()
    with pytest.raises(MonitorError, match="start cannot happen while checking"):
        play.monitor.start(0.0)
    with pytest.raises(MonitorError, match="request 7, which was never made"):
        play.monitor.reply(7, True, 0.0)
    with pytest.raises(MonitorError, match="never made"):  # it stands, but nobody has been told of it
        play.monitor.reply(1, True, 0.0)
    with pytest.raises(MonitorError, match="never made"):
        Monitor().reply(0, True, 0.0)
    play.now = 1.0
    play.ask()
    with pytest.raises(MonitorError, match="backwards"):
        play.monitor.tick(0.5)
    with pytest.raises(MonitorError, match="period_s must be positive"):
        MonitorConfig(period_s=0.0)


def test_the_history_says_when():
    play = verifying()
    assert play.monitor.history[0] == Transition(0.0, State.IDLE, Event.START, State.CHECKING)
    assert play.monitor.history[-1].time_s == pytest.approx(1.5)
