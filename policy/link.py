"""One connection to a policy server, kept alive in the background: questions go out one by one, answers come back."""

import logging
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from envs.interface import DexClutterError
from policy import wire
from policy.wire import Message, WireError

OPEN_S = 3.0  # longest time for one try to connect
PING_S, DEAD_S = 1.0, 3.0  # a connection without a sign of life for this long is given up
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0  # between two tries; doubles each time

# What websockets has to say of broken connections goes to whoever listens to this logger, and not to the screen: that
# connections break is expected here, and `trouble` says it.
LOG = logging.getLogger(__name__)
LOG.addHandler(logging.NullHandler())


class RemoteError(DexClutterError, RuntimeError):
    """There is no server, or one that does not fit; the message says what to do."""


class Refused(RemoteError):
    """The server's own words for why it does not serve this client. passing: it may do so later."""

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


class Call:
    """One question. `wait` gives its answer; `lost` once the connection has ended without one."""

    def __init__(self, question: Message, generation: int) -> None:
        self.question, self.generation = question, generation
        self.lost = False
        self._answer: Message | None = None
        self._done = threading.Event()

    def wait(self, deadline: float | None) -> Message | None:
        """The answer, or None: it is not there by `deadline` (time.monotonic; None: wait for it), or is lost."""
        self._done.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return self._answer

    def finish(self, answer: Message | None) -> None:
        """The answer has come; None: it never will."""
        self._answer, self.lost = answer, answer is None
        self._done.set()


class Link:
    """Connects, introduces itself, asks; after a failure again, with growing pauses, until `close`.

    generation: how many connections have been made. trouble: the latest failure in words. refusal: why the server will
    never serve this client, or "".
    """

    def __init__(self, url: str, session: str, pictures: str) -> None:
        self.url, self._session, self._pictures = url, session, pictures
        self.generation = 0
        self.trouble = self.refusal = ""
        self._welcome: dict[str, Any] | None = None
        self._identity: tuple[Any, ...] | None = None
        self._changed = threading.Condition()
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"link to {url}", daemon=True)
        self._thread.start()

    @staticmethod
    def deadline(timeout_s: float | None) -> float | None:
        """The moment `timeout_s` from now on the clock that calls use; None: never."""
        return None if timeout_s is None else time.monotonic() + timeout_s

    def first_welcome(self, timeout_s: float) -> Mapping[str, Any]:
        """What the server says of itself. Raises RemoteError if it does not within `timeout_s`, or refuses."""
        welcome = self.connected(self.deadline(timeout_s))
        if welcome is None:
            raise RemoteError(
                self.refusal
                or f"no policy answers at {self.url} within {timeout_s:g} s ({self.trouble or 'no connection'}); "
                "start one with `python -m policy.serve`, or correct the address"
            )
        return welcome

    def connected(self, deadline: float | None) -> Mapping[str, Any] | None:
        """The server's welcome on the present connection; None where there is none by `deadline`."""
        with self._changed:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._changed.wait_for(lambda: self._welcome or self.refusal or self._closing.is_set(), left)
            return self._welcome

    def ask(self, question: Message) -> Call:
        """Hand over a question for the present connection."""
        call = Call(question, self.generation)
        self._calls.put(call)
        return call

    def close(self) -> None:
        """End the connection and the thread behind it. May be called twice."""
        self._closing.set()
        self._calls.put(None)
        with self._changed:
            self._changed.notify_all()
        self._thread.join(OPEN_S + DEAD_S)

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._closing.is_set():
            before = self.generation
            try:
                with self._connection() as socket:
                    self._greet(socket)
                    self._converse(socket)
            except Refused as fault:
                self._lose(str(fault), refused=not fault.passing)
                if not fault.passing:
                    return
            except (OSError, WebSocketException, WireError) as fault:
                self._lose(f"{type(fault).__name__}: {fault}")
            pause_s = FIRST_PAUSE_S if self.generation > before else min(2 * pause_s, LONGEST_PAUSE_S)
            self._closing.wait(pause_s)

    def _connection(self) -> ClientConnection:
        return connect(
            self.url, compression=None, proxy=None, max_size=wire.MAX_BYTES,
            open_timeout=OPEN_S, close_timeout=1.0, ping_interval=PING_S, ping_timeout=DEAD_S, logger=LOG,
        )  # fmt: skip

    def _greet(self, socket: ClientConnection) -> None:
        hello = Message(wire.HELLO, {"protocol": wire.PROTOCOL, "session": self._session})
        welcome = _exchange(socket, hello, self._pictures, OPEN_S)
        identity = tuple(welcome.values.get(key) for key in ("protocol", "name", "fingerprint", "cameras"))
        if identity[0] != wire.PROTOCOL:
            raise Refused(
                f"the server at {self.url} speaks {identity[0]!r}, this robot {wire.PROTOCOL!r}: install the same "
                "version of this project on both machines",
                passing=False,
            )
        if self._identity not in (None, identity):
            raise Refused(
                f"the server at {self.url} came back with another policy ({identity[1]} {identity[2]} instead of "
                f"{self._identity[1]} {self._identity[2]}): connect anew to use it",
                passing=False,
            )
        with self._changed:
            self._identity, self._welcome = identity, dict(welcome.values)
            self.generation += 1
            self._changed.notify_all()

    def _converse(self, socket: ClientConnection) -> None:
        while (call := self._calls.get()) is not None and not self._closing.is_set():
            if call.generation != self.generation:
                call.finish(None)
                continue
            try:
                answer = _exchange(socket, call.question, self._pictures, None)
            except BaseException:
                self._lose("the connection broke")  # before the call ends, so that nobody asks on a dead connection
                call.finish(None)
                raise
            call.finish(answer)

    def _lose(self, trouble: str, *, refused: bool = False) -> None:
        with self._changed:
            self._welcome, self.trouble = None, trouble
            self.refusal = trouble if refused else ""
            self._changed.notify_all()


def _exchange(socket: ClientConnection, question: Message, pictures: str, timeout_s: float | None) -> Message:
    """One question and its answer. Raises Refused for a refusal, ConnectionClosed, TimeoutError or WireError."""
    socket.send(wire.pack(question, pictures))
    answer = wire.unpack(socket.recv(timeout_s))
    if answer.kind == wire.REFUSED:
        reason = str(answer.values.get("reason", "the server gives no reason"))
        raise Refused(reason, passing=bool(answer.values.get("passing")))
    return answer
