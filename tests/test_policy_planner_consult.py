"""The monitor's requests reach the right question of the planner."""

import numpy as np
import pytest

from envs import spec
from policy.planner.consult import Views, answer, consult, hand_opening
from policy.planner.interface import Planner, PlannerError
from policy.planner.monitor import Monitor, MonitorError, Request
from policy.planner.transitions import Event, State
from tests.planner_play import BOX


class Scripted(Planner):
    """Says what it is told to; an exception is raised."""

    name = "scripted"

    def __init__(self, *replies):
        self.replies, self.calls = list(replies), []

    def _next(self, *call):
        self.calls.append(call)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def begin(self, env):
        raise AssertionError("not the monitor's business")

    def propose(self, initial, head, prompt):
        return self._next("propose", initial, head, prompt)

    def locate(self, head, instruction):
        return self._next("locate", head, instruction)

    def verify(self, head, wrist, instruction):
        return self._next("verify", head, wrist, instruction)

    def completed(self, initial, head, prompt):
        return self._next("completed", initial, head, prompt)

    def understand(self, head, prompt):
        return self._next("understand", head, prompt)

    def instruction_completed(self, head, instruction):
        return self._next("instruction_completed", head, instruction)


VIEWS = Views("prompt", "initial", "head", "wrist")
CALLS = {
    State.UNDERSTANDING: ("understand", "head", "prompt"),
    State.CHECKING: ("completed", "initial", "head", "prompt"),
    State.PROPOSING: ("propose", "initial", "head", "prompt"),
    State.LOCATING: ("locate", "head", "words"),
    State.RELOCATING: ("locate", "head", "words"),
    State.VERIFYING: ("verify", "head", "wrist", "words"),
    State.INSPECTING: ("instruction_completed", "head", "words"),
}


@pytest.mark.parametrize("state", State)
def test_each_request_goes_to_its_method(state):
    planner = Scripted("said")
    if state in CALLS:
        assert answer(planner, Request(1, state, "words"), VIEWS) == "said"
        assert planner.calls == [CALLS[state]]
    else:
        with pytest.raises(MonitorError, match="no planner is asked"):
            answer(planner, Request(1, state, "words"), VIEWS)


def robot_state(opening: float) -> np.ndarray:
    state = np.zeros(13)
    state[spec.HAND] = [opening] * 4 + [0.9, 0.1]
    return state


def test_consulting_answers_all_that_is_asked_in_one_moment():
    planner = Scripted(False, "Grasp it", None, "Grasp that", BOX, True)
    monitor = Monitor()
    monitor.start(0.0)
    assert consult(monitor, planner, VIEWS, 0.0, robot_state(1.0)) == (None, "")
    assert (monitor.state, monitor.instruction) == (State.GRASPING, "Grasp that")
    assert consult(monitor, planner, VIEWS, 1.0, robot_state(0.5)) == (None, "")
    request, trouble = consult(monitor, planner, VIEWS, 2.0, robot_state(0.5))
    assert (request.state, trouble, monitor.grasp_end) == (State.RETURNING, "", Event.HELD)
    assert [call[0] for call in planner.calls] == ["completed", "propose", "locate", "propose", "locate", "verify"]


def test_consulting_a_planner_that_fails():
    monitor = Monitor()
    monitor.start(0.0)
    planner = Scripted(False, PlannerError("no network"))
    assert consult(monitor, planner, VIEWS, 0.0, None) == (None, "no network")
    assert (monitor.state, monitor.end) == (State.FAILED, Event.ERROR)


def test_the_hands_opening_is_that_of_the_four_fingers():
    assert hand_opening(robot_state(0.25)) == 0.25
