"""A policy that runs on another machine: for a robot without torch. The other end is `python -m policy.serve`.

The robot's loop is never kept waiting for more than `timeout_s`: until the next answer it gets the last command once
more, so that the arm stays where it is and the hand keeps its grip. A lost connection is made again in the background.
"""

import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import numpy as np

from envs import spec
from envs.interface import GAVE_UP, GraspEnv, Observation, Policy
from policy import wire
from policy.link import Call, Link, RemoteError

__all__ = ["RemoteError", "RemotePolicy"]


class RemotePolicy(Policy):
    """Asks the server at `url` (ws://host:port) for each action, in order and each one once.

    Name and cameras are the server's. A late answer is carried out late; the policy's clock counts the observations
    that reached it. After a lost connection the attempt goes on where it was, if the server still knows it, and begins
    anew from where the arm stands, if the server was started again. If the policy fails or the server refuses to go on,
    the command is held and `verdict` is GAVE_UP; `trouble` says why.

    held_steps, restarts: of the present attempt. connections: since the beginning.

    Args:
        timeout_s: longest time that `act` takes; None waits for every answer, for environments that wait too.
        connect_s: longest time for the first connection.
        pictures: wire.RAW, equal to the bit, or wire.JPEG.

    Raises RemoteError where no server answers, or one that does not fit.
    """

    def __init__(
        self, url: str, *, timeout_s: float | None = 0.5, connect_s: float = 10.0, pictures: str = wire.RAW
    ) -> None:
        if pictures not in wire.ENCODINGS:
            raise RemoteError(f"unknown encoding {pictures!r} of pictures; choose from: {', '.join(wire.ENCODINGS)}")
        self.timeout_s, self.pictures = timeout_s, pictures
        self._link = Link(url, uuid.uuid4().hex, pictures)
        self._attempt = 0
        self._begin(0, "")
        try:
            welcome = self._link.first_welcome(connect_s)
        except RemoteError:
            self.close()
            raise
        self.name, self.cameras = welcome["name"], tuple(welcome["cameras"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def trouble(self) -> str:
        """What is wrong with the connection at present, or was last; "" if nothing ever was."""
        return self._failure or self._link.trouble

    @property
    def connections(self) -> int:
        """How often a connection was made."""
        return self._link.generation

    def reset(self, env: GraspEnv, seed: int) -> None:
        """Begin an attempt; the server hears of it with the first observation."""
        self._attempt += 1
        self._begin(seed, env.instruction)

    def act(self, observation: Observation) -> np.ndarray:
        """The next action, shape (13,), or the last one again. The first command is the measured state."""
        if self._command is None:
            self._command = np.clip(observation[spec.STATE], spec.ACTION_LOW, spec.ACTION_HIGH).astype(np.float32)
        action = None if self._failure else self._answer(observation)
        if self._link.refusal:
            self.verdict = GAVE_UP
        if action is None:
            self.held_steps += 1
        else:
            self._command = action
        return self._command.copy()

    def close(self) -> None:
        """End the connection. Whoever controls the robot keeps the last command."""
        self._link.close()

    def _begin(self, seed: int, instruction: str) -> None:
        self._seed, self._instruction = seed, instruction
        self._step, self._told, self._late = 0, 0, False  # told: the connection on which the server knows the attempt
        self._call: Call | None = None
        self._command: np.ndarray | None = None
        self.verdict = self._failure = ""
        self.held_steps = self.restarts = 0

    def _answer(self, observation: Observation) -> np.ndarray | None:
        """The action for the present step, or None: there is no answer in time."""
        deadline = self._link.deadline(0.0 if self._late else self.timeout_s)
        while True:
            if self._call is None and not self._ask(observation, deadline):
                return None
            answer = self._call.wait(deadline)
            self._late = answer is None and not self._call.lost
            if self._late:
                return None
            self._call = None
            if answer is None:
                continue  # the connection was lost; ask again on the next one
            if answer.kind == wire.ACTION:
                self._step += 1
                self.verdict = str(answer.values.get("verdict", ""))
                return np.asarray(answer.arrays["action"], np.float32)
            if answer.kind == wire.FAILED:
                self.verdict, self._failure = GAVE_UP, str(answer.values.get("reason", "the policy failed"))
                return None

    def _ask(self, observation: Observation, deadline: float | None) -> bool:
        """Send what is to be said next; False if there is no connection in time."""
        welcome = self._link.connected(deadline)
        if welcome is None:
            return False
        if self._told != self._link.generation and not self._is_known(welcome):
            self.restarts += self._step > 0
            self._step, self._told = 0, self._link.generation
            values = {"attempt": self._attempt, "seed": self._seed, "instruction": self._instruction}
            self._call = self._link.ask(wire.Message(wire.RESET, values))
            return True
        self._told = self._link.generation
        arrays = {key: np.asarray(observation[key]) for key in (spec.STATE, *self.cameras)}
        values = {"attempt": self._attempt, "step": self._step, "instruction": self._instruction}
        self._call = self._link.ask(wire.Message(wire.OBSERVE, values, arrays))
        return True

    def _is_known(self, welcome: Mapping[str, object]) -> bool:
        return bool(self._told) and welcome.get("attempt") == self._attempt
