"""The monitor's requests put to a planner."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs import spec
from policy.planner.interface import Planner, PlannerError
from policy.planner.monitor import Monitor, MonitorError, Request
from policy.planner.transitions import State


@dataclass(frozen=True)
class Views:
    """What there is to look at: (H, W, 3) uint8 RGB; `initial` is the head image from before the first grasp."""

    prompt: str
    initial: np.ndarray
    head: np.ndarray
    wrist: np.ndarray


def answer(planner: Planner, request: Request, views: Views) -> Any:
    """What the planner says to one request. Pure but for the planner, so it may run in a thread of its own.

    Raises PlannerError as the planner does, MonitorError for a request that is none of the planner's.
    """
    if request.state is State.UNDERSTANDING:
        return planner.understand(views.head, views.prompt)
    if request.state is State.CHECKING:
        return planner.completed(views.initial, views.head, views.prompt)
    if request.state is State.PROPOSING:
        return planner.propose(views.initial, views.head, views.prompt)
    if request.state in (State.LOCATING, State.RELOCATING):
        return planner.locate(views.head, request.instruction)
    if request.state is State.VERIFYING:
        return planner.verify(views.head, views.wrist, request.instruction)
    if request.state is State.INSPECTING:
        return planner.instruction_completed(views.head, request.instruction)
    raise MonitorError(f"no planner is asked while {request.state!s}")


def consult(
    monitor: Monitor, planner: Planner, views: Views, now_s: float, state: Sequence[float] | None, lost: bool = False
) -> tuple[Request | None, str]:
    """Tick the monitor and answer what it asks until it asks no more, as if the planner took no time.

    `state` is the (13,) state of the robot; None: not known. Returns the request to go home (RETURNING), or None, and
    the words of the last planner error, or "".
    """
    opening = None if state is None else hand_opening(state)
    trouble = ""
    while (request := monitor.tick(now_s, opening, lost)) is not None:
        if request.state is State.RETURNING:
            return request, trouble
        try:
            said = answer(planner, request, views)
        except PlannerError as error:
            trouble = str(error)
            monitor.fail(request.serial, now_s)
        else:
            monitor.reply(request.serial, said, now_s)
    return None, trouble


def hand_opening(state: Sequence[float]) -> float:
    """Mean opening of the four fingers, without the thumb, in the (13,) state."""
    fingers = np.asarray(state, dtype=np.float64)[spec.HAND][:4]
    return float(fingers.mean())
