"""The monitor's states and every transition between them, as one table; the diagram is drawn from it."""

from enum import StrEnum


class State(StrEnum):
    """What the system is doing. The controller acts in ACTING states alone."""

    IDLE = "idle"
    UNDERSTANDING = "understanding"  # older flow: is the prompt a list of objects?
    CHECKING = "checking"  # is the prompt fulfilled?
    PROPOSING = "proposing"  # what to grasp next?
    LOCATING = "locating"  # where is it?
    GRASPING = "grasping"  # the controller acts
    VERIFYING = "verifying"  # the controller acts; is it held?
    RELOCATING = "relocating"  # the controller acts; where has it gone?
    RETURNING = "returning"  # scripted: place what is held, open, go home; also after a failure
    INSPECTING = "inspecting"  # older flow: is the listed object gone?
    DONE = "done"
    FAILED = "failed"


class Event(StrEnum):
    """What can happen. Limits are events of their own, so that the table needs no conditions."""

    START = "start"
    START_LISTING = "start, older flow"
    LISTED = "objects listed"
    ABSTRACT = "abstract prompt"
    FULFILLED = "prompt fulfilled"
    UNFULFILLED = "prompt not fulfilled"
    OUT_OF_ROUNDS = "out of rounds"
    PROPOSED = "instruction proposed"
    NOTHING_LEFT = "nothing left"
    LOCATED = "box found"
    NOT_VISIBLE = "not visible"
    LOOK_AGAIN = "listed object not visible"
    INVISIBLE = "not visible too often"
    CHECK_DUE = "check due"
    TARGET_LOST = "target lost"
    HELD = "held"
    HELD_SO_FAR = "held, to be confirmed"
    NOT_HELD = "not held"
    STRUCK_OUT = "not held too often"
    TIME_OUT = "time-out"
    STOPPED = "operator stops"
    ERROR = "planner error"
    RETURNED = "arm at home"
    RETURNED_LISTED = "arm at home, listed object"
    NEXT_OBJECT = "gone, next object"
    SAME_OBJECT = "still there"
    LIST_EMPTY = "gone, list empty"


ACTING = frozenset({State.GRASPING, State.VERIFYING, State.RELOCATING})
FINAL = frozenset({State.DONE, State.FAILED})

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.IDLE, Event.START): State.CHECKING,
    (State.IDLE, Event.START_LISTING): State.UNDERSTANDING,
    (State.UNDERSTANDING, Event.LISTED): State.LOCATING,
    (State.UNDERSTANDING, Event.ABSTRACT): State.CHECKING,
    (State.UNDERSTANDING, Event.ERROR): State.FAILED,
    (State.UNDERSTANDING, Event.STOPPED): State.FAILED,
    (State.CHECKING, Event.FULFILLED): State.DONE,
    (State.CHECKING, Event.UNFULFILLED): State.PROPOSING,
    (State.CHECKING, Event.OUT_OF_ROUNDS): State.FAILED,
    (State.CHECKING, Event.ERROR): State.FAILED,
    (State.CHECKING, Event.STOPPED): State.FAILED,
    (State.PROPOSING, Event.PROPOSED): State.LOCATING,
    (State.PROPOSING, Event.NOTHING_LEFT): State.DONE,
    (State.PROPOSING, Event.ERROR): State.FAILED,
    (State.PROPOSING, Event.STOPPED): State.FAILED,
    (State.LOCATING, Event.LOCATED): State.GRASPING,
    (State.LOCATING, Event.NOT_VISIBLE): State.PROPOSING,
    (State.LOCATING, Event.LOOK_AGAIN): State.LOCATING,
    (State.LOCATING, Event.INVISIBLE): State.FAILED,
    (State.LOCATING, Event.ERROR): State.FAILED,
    (State.LOCATING, Event.STOPPED): State.FAILED,
    (State.GRASPING, Event.CHECK_DUE): State.VERIFYING,
    (State.GRASPING, Event.TARGET_LOST): State.RELOCATING,
    (State.GRASPING, Event.TIME_OUT): State.RETURNING,
    (State.GRASPING, Event.STOPPED): State.RETURNING,
    (State.VERIFYING, Event.HELD): State.RETURNING,
    (State.VERIFYING, Event.HELD_SO_FAR): State.GRASPING,
    (State.VERIFYING, Event.NOT_HELD): State.GRASPING,
    (State.VERIFYING, Event.STRUCK_OUT): State.RETURNING,
    (State.VERIFYING, Event.ERROR): State.GRASPING,
    (State.VERIFYING, Event.TIME_OUT): State.RETURNING,
    (State.VERIFYING, Event.STOPPED): State.RETURNING,
    (State.RELOCATING, Event.LOCATED): State.GRASPING,
    (State.RELOCATING, Event.NOT_VISIBLE): State.GRASPING,
    (State.RELOCATING, Event.ERROR): State.GRASPING,
    (State.RELOCATING, Event.TIME_OUT): State.RETURNING,
    (State.RELOCATING, Event.STOPPED): State.RETURNING,
    (State.RETURNING, Event.RETURNED): State.CHECKING,
    (State.RETURNING, Event.RETURNED_LISTED): State.INSPECTING,
    (State.RETURNING, Event.STOPPED): State.FAILED,
    (State.INSPECTING, Event.NEXT_OBJECT): State.LOCATING,
    (State.INSPECTING, Event.SAME_OBJECT): State.LOCATING,
    (State.INSPECTING, Event.LIST_EMPTY): State.DONE,
    (State.INSPECTING, Event.OUT_OF_ROUNDS): State.FAILED,
    (State.INSPECTING, Event.ERROR): State.FAILED,
    (State.INSPECTING, Event.STOPPED): State.FAILED,
}


def mermaid() -> str:
    """The table as a Mermaid state diagram; events between the same two states share an arrow."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, event), after in TRANSITIONS.items():
        arrows.setdefault((state, after), []).append(event)
    lines = ["stateDiagram-v2", f"    [*] --> {State.IDLE}"]
    lines += [f"    {state} --> {after}: {' / '.join(events)}" for (state, after), events in arrows.items()]
    lines += [f"    {state} --> [*]" for state in State if state in FINAL]
    return "\n".join(lines)
