"""A monitor on a clock of our own, and ways to bring it into any of its states."""

from envs import spec
from policy.planner.interface import Understanding
from policy.planner.monitor import Monitor, MonitorConfig, Request
from policy.planner.transitions import State

BOX = (1.0, 2.0, 3.0, 4.0)
DT = spec.CONTROL_PERIOD_S
OPEN, CLOSED = 1.0, 0.4
ABSTRACT = Understanding("abstract")


class Played:
    """A monitor with a clock; `say` ticks until something is asked, checks what, and replies."""

    def __init__(self, **settings):
        self.monitor = Monitor(MonitorConfig(**settings))
        self.now = 0.0
        self.monitor.start(self.now)

    def ask(self, opening=None, lost=False) -> Request | None:
        return self.monitor.tick(self.now, opening, lost)

    def say(self, state: State, value=None, opening=CLOSED, fail=False) -> Request:
        for _ in range(10_000):
            request = self.ask(opening)
            if request is not None:
                break
            self.now += DT
        assert request is not None, f"nothing is asked while {self.monitor.state}"
        assert request.state is state
        taken = (
            self.monitor.fail(request.serial, self.now) if fail else self.monitor.reply(request.serial, value, self.now)
        )
        assert taken
        return request

    def wait(self, seconds, opening=None, lost=False) -> list[tuple[float, Request]]:
        """Tick at the control rate; what is asked meanwhile, and when."""
        began, asked = self.now, []
        for step in range(1, round(seconds / DT) + 1):
            self.now = began + step * DT
            request = self.ask(opening, lost)
            if request is not None:
                asked.append((round(self.now, 6), request))
        return asked

    def to_grasp(self):
        self.say(State.CHECKING, False)
        self.say(State.PROPOSING, "Grasp the mug")
        self.say(State.LOCATING, BOX)
        assert self.monitor.state is State.GRASPING
        return self


def listing(*objects: str) -> Played:
    play = Played(listing=True, rounds=2)
    play.say(State.UNDERSTANDING, Understanding("objects", objects))
    return play


def home(play: Played) -> Played:
    """From LOCATING through a grasp to the question after it."""
    play.say(State.LOCATING, BOX)
    play.say(State.VERIFYING, True)
    play.say(State.RETURNING)
    return play


def verifying(**settings) -> Played:
    play = Played(**settings).to_grasp()
    play.pending = next(iter(play.wait(3.0, CLOSED)))[1]
    assert play.monitor.state is State.VERIFYING
    return play


def relocating() -> Played:
    play = Played().to_grasp()
    play.pending = next(iter(play.wait(1.5, OPEN, lost=True)))[1]
    assert play.monitor.state is State.RELOCATING
    return play


def pending(play: Played, value=None, fail=False) -> Played:
    monitor = play.monitor
    (monitor.fail(play.pending.serial, play.now) if fail else monitor.reply(play.pending.serial, value, play.now))
    return play


def said(play: Played, *args, **kwargs) -> Played:
    play.say(*args, **kwargs)
    return play


def stopped(play: Played) -> Played:
    play.monitor.stop(play.now)
    return play


def late(play: Played) -> Played:
    play.now += 100.0
    play.ask(OPEN)
    return play


def rounds_over(play: Played) -> Played:
    play.to_grasp()
    play.say(State.VERIFYING, True)
    play.say(State.RETURNING)
    return said(play, State.CHECKING, False)


def to_proposing() -> Played:
    return said(Played(), State.CHECKING, False)


def to_locating(**settings) -> Played:
    return said(said(Played(**settings), State.CHECKING, False), State.PROPOSING, "x")


def to_returning() -> Played:
    return pending(verifying(), True)


def struck_out() -> Played:
    play = Played().to_grasp()
    for _ in range(3):
        play.say(State.VERIFYING, False)
    return play
