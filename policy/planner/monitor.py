"""The state machine that decides what to ask when, and when a grasp is over. No threads, no clock, no pictures.

Time arrives as an argument, in seconds of the environment. Replies may arrive at any later moment: each request has a
serial number, and the reply to a request that events have overtaken is dropped.
"""

from dataclasses import dataclass, replace
from typing import Any

from envs.interface import DexClutterError
from policy.planner.gate import HandGate, LossTimer, has_passed
from policy.planner.interface import Box, Understanding
from policy.planner.transitions import ACTING, FINAL, TRANSITIONS, Event, State


class MonitorError(DexClutterError, RuntimeError):
    """The monitor was told something that cannot happen in its state: the caller is wrong."""


@dataclass(frozen=True)
class MonitorConfig:
    """When to check and when to stop. The stops are the published ones: success, three false verdicts, time-out."""

    period_s: float = 1.0
    """least time between two grasp verifications"""
    settle_s: float = 1.5
    """no verification before this time in a grasp: the hand is still on its way"""
    closed_below: float = 0.75
    """the four fingers count as closed when their mean opening is below this (demonstrations hold at 0.15 to 0.61)"""
    closed_for_s: float = 1.0
    """verify only when they have been closed this long: they close within 0.6 s, then the arm lifts"""
    true_verdicts: int = 1
    """verdicts "held" in a row that end a grasp"""
    false_verdicts: int = 3
    """verdicts "not held" in a row about one closing of the hand that end a grasp"""
    timeout_s: float = 100.0
    """longest grasp"""
    lost_s: float = 1.0
    """locate again when an open hand has had its target out of sight this long"""
    invisible: int = 3
    """boxes in a row that could not be had, after which the monitor gives up"""
    rounds: int = 20
    """grasps after which it gives up"""
    listing: bool = False
    """the older flow: understand the prompt first, and work through the objects that it names"""

    def __post_init__(self) -> None:
        for field in ("period_s", "timeout_s", "lost_s", "true_verdicts", "false_verdicts", "invisible", "rounds"):
            if getattr(self, field) <= 0:
                raise MonitorError(f"{field} must be positive, not {getattr(self, field)}")


@dataclass(frozen=True)
class Request:
    """Something to be done, once. `state` says what: a question for the planner, or the scripted way home (RETURNING).

    Each is to be answered with `Monitor.reply(serial, value, now_s)`; the values are those of the Planner's methods,
    and None for RETURNING.
    """

    serial: int
    state: State
    instruction: str = ""


@dataclass(frozen=True)
class Transition:
    """One line of the monitor's history."""

    time_s: float
    state: State
    event: Event
    after: State


class Monitor:
    """Start it, tick it at the control rate, carry out what it requests, reply.

    instruction, box: what is being grasped and where it was last located. grasp_end: the event that ended the last
    grasp (held, not held too often, time-out, operator stops). end: the event that led to DONE or FAILED.
    """

    def __init__(self, config: MonitorConfig | None = None) -> None:
        self.config = config or MonitorConfig()
        self.state = State.IDLE
        self.instruction = ""
        self.box: Box | None = None
        self.grasp_end: Event | None = None
        self.end: Event | None = None
        self.strikes = self.agreed = self.rounds = self.unseen = 0
        self.history: list[Transition] = []
        self._objects: tuple[str, ...] = ()
        self._serial = 0
        self._issued = True
        self._now_s = self._grasp_from_s = 0.0
        self._checked_s: float | None = None
        self._void = False
        self._gate = HandGate(self.config.closed_below)
        self._loss = LossTimer()

    @property
    def acting(self) -> bool:
        """Whether the controller is to act."""
        return self.state in ACTING

    @property
    def finished(self) -> bool:
        """Whether the prompt has come to its end, good (DONE) or bad (FAILED)."""
        return self.state in FINAL

    def start(self, now_s: float) -> None:
        """A new prompt. Raises MonitorError unless idle: one monitor serves one prompt."""
        self._now_s = now_s
        self._go(Event.START_LISTING if self.config.listing else Event.START)

    def stop(self, now_s: float) -> None:
        """The operator stops what is going on: a grasp ends in the way home, anything else ends the prompt."""
        self._at(now_s)
        self._go(Event.STOPPED)

    def tick(self, now_s: float, hand_opening: float | None = None, lost: bool = False) -> Request | None:
        """What is to be done now, or None: nothing new. Call it in every state, at any rate.

        hand_opening: mean opening of the four fingers, 1 open, 0 closed; None where it is not known.
        lost: whether the tracker has lost the target.
        """
        self._at(now_s)
        if self.acting:
            self._watch(hand_opening, lost)
        if self._issued:
            return None
        self._issued = True
        return Request(self._serial, self.state, self.instruction)

    def reply(self, serial: int, value: Any, now_s: float) -> bool:
        """The answer to a request; False if events had overtaken it, so that it was dropped."""
        if not self._is_awaited(serial, now_s):
            return False
        self._go(self._meaning(value))
        return True

    def fail(self, serial: int, now_s: float) -> bool:
        """The planner could not answer. A grasp goes on without the answer; anything else is the prompt's end."""
        if not self._is_awaited(serial, now_s):
            return False
        self._go(Event.ERROR)
        return True

    def _watch(self, hand_opening: float | None, lost: bool) -> None:
        """The events that time brings while the controller acts."""
        reopened = self._gate.see(self._now_s, hand_opening)
        if reopened:
            self.strikes = self.agreed = 0  # a new try of the hand: what is said of the last one is void
            self._void = self.state is State.VERIFYING
        self._loss.see(self._now_s, lost)
        if has_passed(self._grasp_from_s, self._now_s, self.config.timeout_s):
            self._go(Event.TIME_OUT)
        elif self.state is State.GRASPING and self._check_is_due(hand_opening):
            self._go(Event.CHECK_DUE)
        elif self.state is State.GRASPING and not self._gate.closed and self._loss.lasted(self.config.lost_s):
            self._loss = LossTimer()
            self._go(Event.TARGET_LOST)

    def _check_is_due(self, hand_opening: float | None) -> bool:
        settled = has_passed(self._grasp_from_s, self._now_s, self.config.settle_s)
        rested = self._checked_s is None or has_passed(self._checked_s, self._now_s, self.config.period_s)
        return settled and rested and (hand_opening is None or self._gate.closed_for(self.config.closed_for_s))

    def _meaning(self, value: Any) -> Event:
        """Which event a reply is, in this state; counts what is counted."""
        if self.state is State.UNDERSTANDING:
            return self._understood(value)
        if self.state is State.CHECKING:
            return Event.FULFILLED if value else self._unless_out_of_rounds(Event.UNFULFILLED)
        if self.state is State.PROPOSING:
            self.instruction = value or ""
            return Event.PROPOSED if value else Event.NOTHING_LEFT
        if self.state in (State.LOCATING, State.RELOCATING):
            return self._located(value)
        if self.state is State.VERIFYING:
            return self._verified(value)
        if self.state is State.RETURNING:
            return Event.RETURNED_LISTED if self._objects else Event.RETURNED
        return self._inspected(value)

    def _understood(self, value: Understanding) -> Event:
        if value.kind == "abstract":
            return Event.ABSTRACT
        self._objects = value.objects
        self.instruction = value.objects[0]
        return Event.LISTED

    def _located(self, box: Box | None) -> Event:
        if box is not None:
            self.box = box
            self.unseen = 0
            return Event.LOCATED
        if self.state is State.RELOCATING:
            return Event.NOT_VISIBLE
        self.unseen += 1
        if self.unseen >= self.config.invisible:
            return Event.INVISIBLE
        return Event.LOOK_AGAIN if self._objects else Event.NOT_VISIBLE

    def _verified(self, held: bool) -> Event:
        if self._void:
            return Event.NOT_HELD
        self.agreed = self.agreed + 1 if held else 0
        self.strikes = 0 if held else self.strikes + 1
        if held:
            return Event.HELD if self.agreed >= self.config.true_verdicts else Event.HELD_SO_FAR
        return Event.STRUCK_OUT if self.strikes >= self.config.false_verdicts else Event.NOT_HELD

    def _inspected(self, gone: bool) -> Event:
        if not gone:
            return self._unless_out_of_rounds(Event.SAME_OBJECT)
        self._objects = self._objects[1:]
        if not self._objects:
            return Event.LIST_EMPTY
        self.instruction = self._objects[0]
        return self._unless_out_of_rounds(Event.NEXT_OBJECT)

    def _unless_out_of_rounds(self, event: Event) -> Event:
        return Event.OUT_OF_ROUNDS if self.rounds >= self.config.rounds else event

    def _is_awaited(self, serial: int, now_s: float) -> bool:
        self._at(now_s)
        if not 1 <= serial <= self._serial or (serial == self._serial and not self._issued):
            raise MonitorError(f"reply to request {serial}, which was never made")
        return serial == self._serial and not self.finished and self.state is not State.GRASPING

    def _at(self, now_s: float) -> None:
        if now_s < self._now_s:
            raise MonitorError(f"time runs backwards: {now_s:g} s after {self._now_s:g} s")
        self._now_s = now_s

    def _go(self, event: Event) -> None:
        """The transition of the table, and what entering a state brings with it."""
        before = self.state
        if (before, event) not in TRANSITIONS:
            known = ", ".join(e for s, e in TRANSITIONS if s is before) or "nothing"
            raise MonitorError(f"{event!s} cannot happen while {before!s}; there can: {known}")
        self.state = TRANSITIONS[before, event]
        self.history.append(Transition(self._now_s, before, event, self.state))
        if before is State.LOCATING and self.state is State.GRASPING:
            self._begin_grasp()
        if before in ACTING and self.state is State.RETURNING:
            self.grasp_end = event
        if self.state is State.VERIFYING:
            self._checked_s, self._void = self._now_s, False
        if self.finished:
            self.end = event
        self._issued = self.state is State.GRASPING or self.finished
        self._serial += not self._issued

    def _begin_grasp(self) -> None:
        self.rounds += 1
        self.strikes = self.agreed = 0
        self.grasp_end = None
        self._grasp_from_s, self._checked_s = self._now_s, None
        self._gate = HandGate(self.config.closed_below)
        self._loss = LossTimer()


def ungated(config: MonitorConfig) -> MonitorConfig:
    """The same with checks from the first moment on, whatever the hand does, as the published system makes them."""
    return replace(config, settle_s=0.0, closed_below=float("inf"), closed_for_s=0.0)
