"""A planner whose answers come from a vision-language model, wherever it runs: ask, read, ask again, log."""

import dataclasses
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from envs.interface import GraspEnv
from policy.planner import prompts
from policy.planner.boxes import parse_box
from policy.planner.config import PlannerConfig
from policy.planner.families import Family, get_family
from policy.planner.interface import Box, Planner, PlannerError, Understanding, UnreadableReply
from policy.planner.log import ExchangeLog, png
from policy.planner.parsing import parse_proposal, parse_understanding, parse_verdict
from policy.planner.prompts import Request
from policy.planner.workspace import crop

Answer = TypeVar("Answer")
NO_FALLBACK = object()


@dataclass(frozen=True)
class Question:
    """What one call of a model gets: labelled `pictures` (H, W, 3) uint8 RGB, and the same as PNG `files`."""

    text: str
    labels: tuple[str, ...]
    pictures: tuple[np.ndarray, ...]
    files: tuple[bytes, ...]


@dataclass(frozen=True)
class Completion:
    """What came back. cut: stopped by the limit of tokens. troubles: failed tries before it, in words."""

    text: str
    cut: bool = False
    troubles: tuple[str, ...] = ()


class VlmPlanner(Planner):
    """Asks in the words of prompts.py, reads with parsing.py and boxes.py, keeps a log.

    A reply that cannot be read is answered with a second question that ends in a reminder. If that fails too, a verdict
    is False (not held, not completed: never silently True), a prompt counts as abstract, and a proposal or a box raises
    PlannerError.
    """

    def __init__(self, config: PlannerConfig) -> None:
        self.config = config
        self._log = ExchangeLog(config.log)

    @property
    @abstractmethod
    def model(self) -> str:
        """The model's name; may ask the server for it."""

    @property
    def title(self) -> str:
        """How a report names this planner."""
        return f"{self.name} ({self.model})"

    @property
    def family(self) -> Family:
        """How the model writes coordinates; raises PlannerError where that is not known."""
        return get_family(self.config.family, self.model)

    @abstractmethod
    def complete(self, question: Question) -> Completion:
        """One reply of the model; raises PlannerError where none is to be had."""

    def begin(self, env: GraspEnv) -> None:
        """Nothing to do: each question stands for itself."""

    def propose(self, initial: np.ndarray, head: np.ndarray, prompt: str) -> str | None:
        """One instruction; None: nothing is left. Raises PlannerError after unreadable replies."""
        return self._ask(
            prompts.PROPOSE,
            prompt,
            {"initial": initial, "head": head},
            lambda reply: parse_proposal(reply.text, reply.cut),
        )

    def locate(self, head: np.ndarray, instruction: str) -> Box | None:
        """The object's box; None: not visible. Raises PlannerError after unreadable replies."""
        family, (height, width) = self.family, head.shape[:2]
        return self._ask(
            prompts.LOCATE,
            instruction,
            {"head": head},
            lambda reply: parse_box(reply.text, family, width, height),
            frame=family.words(*map(round, family.seen_size(width, height))),
        )

    def verify(self, head: np.ndarray, wrist: np.ndarray, instruction: str) -> bool:
        """Whether the object is held; False also after unreadable replies."""
        return self._verdict(prompts.VERIFY, instruction, {"head": head, "wrist": wrist})

    def completed(self, initial: np.ndarray, head: np.ndarray, prompt: str) -> bool:
        """Whether the prompt is fulfilled; False also after unreadable replies."""
        return self._verdict(prompts.COMPLETED, prompt, {"initial": initial, "head": head})

    def understand(self, head: np.ndarray, prompt: str) -> Understanding:
        """The prompt's kind; abstract also after unreadable replies, because that presumes nothing."""
        views, fallback = {"head": head}, Understanding("abstract")
        return self._ask(prompts.UNDERSTAND, prompt, views, lambda reply: parse_understanding(reply.text), fallback)

    def instruction_completed(self, head: np.ndarray, instruction: str) -> bool:
        """Whether the object is gone; False also after unreadable replies."""
        return self._verdict(prompts.INSTRUCTION_COMPLETED, instruction, {"head": head})

    def _verdict(self, request: Request, words: str, views: dict[str, np.ndarray]) -> bool:
        return self._ask(request, words, views, lambda reply: parse_verdict(reply.text), fallback=False)

    def _ask(
        self,
        request: Request,
        words: str,
        views: dict[str, np.ndarray],
        read: Callable[[Completion], Answer],
        fallback: object = NO_FALLBACK,
        frame: str = "",
    ) -> Answer:
        shown = tuple(
            crop(views[name], self.config.window) if request.cropped and name != "wrist" else views[name]
            for name in request.pictures
        )
        files = tuple(png(picture) for picture in shown)
        labels = tuple(prompts.LABELS[name] for name in request.pictures)
        problem = ""
        for turn in range(1 + self.config.reasks):
            question = Question(request.question(words, frame, again=turn > 0), labels, shown, files)
            record = {"request": request.name, "turn": turn, "system": prompts.SYSTEM, "prompt": question.text}
            try:
                completion = self._complete(question, record)
                answer = read(completion)
                record["meaning"] = dataclasses.asdict(answer) if dataclasses.is_dataclass(answer) else answer
                return answer
            except UnreadableReply as unreadable:
                record["unreadable"] = problem = str(unreadable)
            except PlannerError as error:
                record["error"] = str(error)
                raise
            finally:
                self._log.write(files, planner=self.name, **record)
        self.unread += 1
        if fallback is NO_FALLBACK:
            raise PlannerError(f"{request.name}: {1 + self.config.reasks} replies without an answer; {problem}")
        return fallback

    def _complete(self, question: Question, record: dict[str, object]) -> Completion:
        """One reply, entered into the record with the time that it took (s)."""
        began = time.monotonic()
        try:
            completion = self.complete(question)
            record |= {"model": self.model, "reply": completion.text, "cut": completion.cut}
            record["troubles"] = completion.troubles
            return completion
        finally:
            record["seconds"] = round(time.monotonic() - began, 3)
