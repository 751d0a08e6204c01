"""Lets robots ask a policy over a websocket: `python -m policy.serve --policy PATH --planner server --masks classic`.

`python -m policy.serve --check ws://host:port` measures a server that runs. The robot's end is policy.remote.
"""

import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import tyro
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection
from websockets.sync.server import serve as listen

from envs import spec
from envs.interface import DexClutterError, GraspEnv, Policy
from policy import wire
from policy.build import DEFAULT, AgentOptions, make_policy
from policy.latency import check
from policy.link import DEAD_S, LOG, OPEN_S, PING_S
from policy.wire import Message, WireError

REHEARSALS = 4


class ServeError(DexClutterError, ValueError):
    """A policy that cannot be served, or an address that cannot be used."""


@dataclass(frozen=True)
class Options:
    """Serve a policy to robots, one at a time, or measure a server that runs."""

    policy: str = DEFAULT
    """Who acts: default (the shipped controller), a controller's file, or module:factory of your own policy."""
    agent: tyro.conf.OmitArgPrefixes[AgentOptions] = field(default_factory=AgentOptions)
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for robots on other machines. There is no password: trust your network."""
    port: int = wire.PORT
    """Port to listen on; 0 takes a free one."""
    check: str | None = None
    """Measure the server at this address (ws://host:port) instead of serving."""


class RobotScene(GraspEnv):
    """What a served policy may know of the robot's environment: the instruction, and no truth."""

    def __init__(self, instruction: str) -> None:
        self._instruction = instruction

    @property
    def instruction(self) -> str:
        """The words that name the target."""
        return self._instruction

    def retry(self) -> tuple[dict, dict]:
        """Not here: the robot's own environment goes home."""
        raise ServeError("a served policy cannot send the arm home; its robot can")


@dataclass(eq=False)
class _Session:
    """What the server remembers of a robot between two connections."""

    name: str
    connection: ServerConnection
    attempt: int = 0
    step: int = -1  # the latest one that was answered
    answer: Message | None = None  # to it, for a robot that did not hear it


class PolicyServer:
    """One policy, one robot at a time. Raises ServeError for a privileged policy and for an address in use.

    fingerprint: of the policy's weights; a robot does not go on with others.
    """

    def __init__(self, policy: Policy, host: str = "127.0.0.1", port: int = wire.PORT, fingerprint: str = "") -> None:
        if policy.privileged:
            raise ServeError(
                f"policy {policy.name!r} reads the simulation ({', '.join(policy.privileged)}), which no robot has: "
                "choose --planner server or local, and --masks classic or sam2"
            )
        self._policy, self._fingerprint = policy, fingerprint
        self._session: _Session | None = None
        self._thinking, self._choosing = threading.Lock(), threading.Lock()
        try:
            self._server: Server = listen(
                self._serve, host, port, compression=None, max_size=wire.MAX_BYTES,
                open_timeout=OPEN_S, close_timeout=1.0, ping_interval=PING_S, ping_timeout=DEAD_S, logger=LOG,
            )  # fmt: skip
        except OSError as fault:
            raise ServeError(f"cannot listen on {host}:{port} ({fault}); choose another --port") from fault
        self.port: int = self._server.socket.getsockname()[1]
        self.url = f"ws://{host}:{self.port}"

    def serve_forever(self) -> None:
        """Answer until `close` is called from elsewhere."""
        self._server.serve_forever()

    def close(self) -> None:
        """Stop listening and end the connection."""
        self._server.shutdown()
        with self._choosing:
            session = self._session
        if session is not None:
            session.connection.close()  # older websockets leave it open

    def _serve(self, connection: ServerConnection) -> None:
        """One connection, from hello to its end."""
        try:
            hello = wire.unpack(connection.recv(OPEN_S))
            session = self._admit(hello, connection)
            welcome = {
                "protocol": wire.PROTOCOL,
                "name": self._policy.name,
                "fingerprint": self._fingerprint,
                "cameras": list(self._policy.cameras),
                "attempt": session.attempt,
            }
            connection.send(wire.pack(Message(wire.WELCOME, welcome)))
            for frame in connection:
                connection.send(wire.pack(self._answered(session, wire.unpack(frame))))
        except (ConnectionClosed, TimeoutError):
            return
        except _Busy as fault:
            _refuse(connection, str(fault), passing=True)
        except (WireError, ServeError) as fault:
            _refuse(connection, str(fault), passing=False)

    def _admit(self, hello: Message, connection: ServerConnection) -> _Session:
        """The robot's session: the one that is there if it is its own, a new one if nobody is connected."""
        spoken = hello.values.get("protocol")
        if hello.kind != wire.HELLO or spoken != wire.PROTOCOL:
            raise WireError(
                f"the robot speaks {spoken!r}, this server {wire.PROTOCOL!r}: install the same version of this project "
                "on both machines"
            )
        name = hello.get("session", str)
        with self._choosing:
            present = self._session
            if present is not None and present.name == name:
                before, present.connection = present.connection, connection
            elif present is not None and present.connection.close_code is None:
                raise _Busy("another robot is connected to this server; it serves one at a time")
            else:
                before, self._session = None, _Session(name, connection)
            session = self._session
        if before is not None:
            before.close_socket()  # half dead: its robot has come back on a new one
        return session

    def _answered(self, session: _Session, question: Message) -> Message:
        began = time.perf_counter()
        if question.kind == wire.ECHO:
            return Message(wire.ECHOED)
        with self._thinking:
            if session is not self._session:
                raise _Busy("another robot has taken over")
            try:
                if question.kind == wire.RESET:
                    return self._reset(session, question)
                if question.kind == wire.OBSERVE:
                    return self._acted(session, question, began)
                if question.kind == wire.REHEARSE:
                    return self._rehearsed(session)
            except (WireError, ServeError):
                raise
            except Exception as fault:  # whatever the policy's fault is: the robot must hear of it, and stand still
                traceback.print_exc()
                session.attempt, session.answer = 0, None
                return Message(wire.FAILED, {"reason": f"{type(fault).__name__}: {fault}"})
        raise WireError(f"unknown question {question.kind!r}")

    def _reset(self, session: _Session, question: Message) -> Message:
        attempt = question.get("attempt", int)
        session.attempt, session.step, session.answer = 0, -1, None
        self._policy.reset(RobotScene(question.get("instruction", str)), question.get("seed", int))
        session.attempt = attempt
        return Message(wire.READY)

    def _acted(self, session: _Session, question: Message, began: float) -> Message:
        attempt, step = question.get("attempt", int), question.get("step", int)
        if attempt == session.attempt and step == session.step and session.answer is not None:
            return session.answer
        if attempt != session.attempt or step != session.step + 1:
            raise WireError(
                f"step {step} of attempt {attempt} was asked for; next is {session.step + 1} of {session.attempt}"
            )
        observation = {**_checked(question, self._policy.cameras), spec.INSTRUCTION: question.get("instruction", str)}
        action = self._policy.act(observation)
        values = {"verdict": self._policy.verdict, "compute_ms": round(1000 * (time.perf_counter() - began), 3)}
        session.step, session.answer = step, Message(wire.ACTION, values, {"action": np.asarray(action, np.float32)})
        return session.answer

    def _rehearsed(self, session: _Session) -> Message:
        if not hasattr(self._policy, "rehearse"):
            return Message(wire.REHEARSED, {"compute_ms": None})
        session.attempt, session.answer = 0, None  # it disturbs what the controller keeps in mind
        return Message(wire.REHEARSED, {"compute_ms": 1000 * self._policy.rehearse()})


class _Busy(ServeError):
    """Somebody else is being served."""


def _checked(question: Message, cameras: Sequence[str]) -> dict[str, np.ndarray]:
    arrays = dict(question.arrays)
    state = arrays.get(spec.STATE)
    if state is None or state.shape != (spec.ACTION_DIM,):
        raise WireError(f"an observation needs {spec.STATE!r} of {spec.ACTION_DIM} numbers")
    for camera in cameras:
        picture = arrays.get(camera)
        if picture is None or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise WireError(f"an observation needs {camera!r}, a picture of shape (height, width, 3) uint8")
    return arrays


def _refuse(connection: ServerConnection, reason: str, *, passing: bool) -> None:
    try:
        connection.send(wire.pack(Message(wire.REFUSED, {"reason": reason, "passing": passing})))
    except ConnectionClosed:
        return


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0 it ended well, 2 bad usage."""
    options = tyro.cli(Options, args=arguments, prog="python -m policy.serve", description=__doc__)
    try:
        if options.check is not None:
            print(check(options.check))
            return 0
        policy, fingerprint = make_policy(options.policy, options.agent)
        server = PolicyServer(policy, options.host, options.port, fingerprint)
    except DexClutterError as fault:
        print(f"policy.serve: {fault}", file=sys.stderr)
        return 2
    return _run(server, policy, fingerprint)


def _run(server: PolicyServer, policy: Policy, fingerprint: str) -> int:
    if hasattr(policy, "rehearse"):
        # The first chunks are slow; no robot shall wait for them.
        print(f"a chunk takes {1000 * min(policy.rehearse() for _ in range(REHEARSALS)):.0f} ms", flush=True)
    enough = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: enough.set())
    listening = threading.Thread(target=server.serve_forever, daemon=True)
    listening.start()
    print(f"{policy.name} {fingerprint}".strip() + f" at {server.url}", flush=True)
    enough.wait()
    server.close()
    listening.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
