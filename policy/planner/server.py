"""A planner on any OpenAI-compatible server (vLLM, SGLang, llama.cpp, a vendor's cloud)."""

import base64
import os
import time
from collections.abc import Callable
from typing import Any

import openai

from policy.planner import prompts
from policy.planner.config import PlannerConfig
from policy.planner.interface import PlannerError
from policy.planner.retrying import asked_wait_s, is_worth_another_try, wait_s
from policy.planner.vlm import Completion, Question, VlmPlanner

NO_KEY = "none"  # the client insists on one; a server of one's own asks for none


class ServerPlanner(VlmPlanner):
    """Speaks to `config.url`. Nothing is sent before the first question; `sleep` waits between tries."""

    name = "server"

    def __init__(self, config: PlannerConfig, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(config)
        self._model = config.model
        self._sleep = sleep
        self._client = openai.OpenAI(
            base_url=config.url,
            api_key=os.environ.get(config.api_key_env) or NO_KEY,
            max_retries=0,  # ours are counted, logged and bounded by the configuration
            timeout=openai.Timeout(config.read_s, connect=config.connect_s),
        )

    @property
    def model(self) -> str:
        """The configured model, or the first that the server lists. Raises PlannerError where it lists none."""
        if not self._model:
            listed, _ = self._persistently("listing the models", self._list_models)
            self._model = listed[0]
        return self._model

    def complete(self, question: Question) -> Completion:
        """One chat completion. Raises PlannerError when no try succeeded."""
        content: list[dict[str, Any]] = []
        for label, file in zip(question.labels, question.files, strict=True):
            url = "data:image/png;base64," + base64.b64encode(file).decode("ascii")
            content += [{"type": "text", "text": label}, {"type": "image_url", "image_url": {"url": url}}]
        content.append({"type": "text", "text": question.text})
        messages = [{"role": "system", "content": prompts.SYSTEM}, {"role": "user", "content": content}]
        model = self.model
        (text, cut), troubles = self._persistently("a completion", lambda: self._chat(model, messages))
        return Completion(text, cut, troubles)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _list_models(self) -> list[str]:
        page = self._client.models.list()
        names = [model.id for model in page.data or []]
        if not names:
            raise PlannerError(f"{self.config.url} lists no model; name one (--planner-model)")
        return names

    def _chat(self, model: str, messages: list[dict[str, Any]]) -> tuple[str, bool]:
        reply = self._client.chat.completions.create(
            model=model,
            messages=messages,
            max_tokens=self.config.max_tokens,
            temperature=self.config.temperature,
            seed=self.config.seed,
        )
        choice = reply.choices[0]
        return choice.message.content or "", choice.finish_reason == "length"

    def _persistently(self, what: str, call: Callable[[], Any]) -> tuple[Any, tuple[str, ...]]:
        """What `call` returns, and in words every try before that failed."""
        troubles: list[str] = []
        while True:
            asked_s = None
            try:
                return call(), tuple(troubles)
            except openai.APIStatusError as error:
                troubles.append(f"HTTP {error.status_code}: {error.message[:200]}")
                if not is_worth_another_try(error.status_code):
                    raise self._given_up(what, troubles) from error
                asked_s, cause = asked_wait_s(error.response.headers), error
            except openai.APITimeoutError as error:
                troubles.append(
                    f"no answer within {self.config.read_s:g} s (or no connection in {self.config.connect_s:g} s)"
                )
                cause = error
            except openai.APIConnectionError as error:
                troubles.append(f"connection failed: {error.__cause__ or error}")
                cause = error
            except (openai.OpenAIError, ValueError, AttributeError, TypeError, IndexError) as error:
                # What answers is no such server, or something between cut its reply: not JSON, or of another shape.
                troubles.append(f"malformed reply: {type(error).__name__}: {error}"[:200])
                cause = error
            pause_s = wait_s(len(troubles), asked_s, self.config.backoff_s, self.config.longest_wait_s)
            if pause_s is None:
                troubles.append(f"it asks to wait {asked_s:g} s, more than longest_wait_s")
            if pause_s is None or len(troubles) > self.config.retries:
                raise self._given_up(what, troubles) from cause
            self._sleep(pause_s)

    def _given_up(self, what: str, troubles: list[str]) -> PlannerError:
        return PlannerError(f"{what} from {self.config.url} failed: {'; '.join(troubles)}")
