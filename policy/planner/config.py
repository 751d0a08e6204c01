"""All settings of a planner, as the command line names them. Another model is one value: `model`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from policy.planner.families import AUTO
from policy.planner.interface import PlannerError
from policy.planner.workspace import STATION_WINDOW


@dataclass(frozen=True)
class PlannerConfig:
    """Settings of every planner; each reads those that concern it. Raises PlannerError for impossible values."""

    name: Annotated[str, arg(name="planner")] = "privileged"
    """privileged (ground truth), server (an OpenAI-compatible endpoint) or local (transformers)"""
    url: Annotated[str, arg(name="planner-url")] = "http://localhost:8000/v1"
    """server: the endpoint's base address"""
    model: Annotated[str, arg(name="planner-model")] = ""
    """server: the model's name, empty: the first that the server lists; local: a folder or a name on the hub"""
    family: Annotated[str, arg(name="planner-family")] = AUTO
    """how the model writes coordinates; auto: by its name"""
    api_key_env: Annotated[str, arg(name="planner-api-key-env")] = "OPENAI_API_KEY"
    """server: the environment variable that holds the key"""
    connect_s: Annotated[float, arg(name="planner-connect-s")] = 5.0
    """server: time for reaching it (s)"""
    read_s: Annotated[float, arg(name="planner-read-s")] = 120.0
    """server: longest silence while it answers (s)"""
    retries: Annotated[int, arg(name="planner-retries")] = 4
    """server: further tries after a failed one"""
    backoff_s: Annotated[float, arg(name="planner-backoff-s")] = 0.5
    """server: wait before the first further try (s); doubles each time"""
    longest_wait_s: Annotated[float, arg(name="planner-longest-wait-s")] = 60.0
    """server: no wait is longer (s); a server that asks for more is given up"""
    reasks: Annotated[int, arg(name="planner-reasks")] = 1
    """further questions, with a reminder of the form, after a reply that cannot be read"""
    max_tokens: Annotated[int, arg(name="planner-max-tokens")] = 512
    """longest reply"""
    temperature: Annotated[float, arg(name="planner-temperature")] = 0.0
    """0: the likeliest reply"""
    seed: Annotated[int, arg(name="planner-seed")] = 42
    """for a temperature above 0"""
    device: Annotated[str, arg(name="planner-device")] = AUTO
    """local: cpu, cuda, ...; auto: spread over the GPUs if there are any"""
    dtype: Annotated[str, arg(name="planner-dtype")] = AUTO
    """local: float32, bfloat16, ...; auto: as stored"""
    window: Annotated[tuple[float, float, float, float], arg(name="planner-window")] = STATION_WINDOW
    """what of the head picture is shown: x0 y0 x1 y1 as shares of width and height; the rest is white"""
    log: Annotated[Path | None, arg(name="planner-log")] = None
    """folder for every prompt, picture and reply"""

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.window
        if not (0.0 <= x0 < x1 <= 1.0 and 0.0 <= y0 < y1 <= 1.0):
            raise PlannerError(f"window must be shares 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1, not {self.window}")
        for field in ("connect_s", "read_s", "max_tokens"):
            if getattr(self, field) <= 0:
                raise PlannerError(f"{field} must be positive, not {getattr(self, field)}")
        for field in ("retries", "reasks", "backoff_s", "longest_wait_s", "temperature"):
            if getattr(self, field) < 0:
                raise PlannerError(f"{field} must not be negative, but is {getattr(self, field)}")
