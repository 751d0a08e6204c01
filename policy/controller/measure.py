"""How long a chunk of actions takes, in processor time and by the clock, with made-up pictures and weights."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from envs import spec
from policy.controller.config import ControllerConfig
from policy.controller.controller import Controller
from policy.controller.predictor import BFLOAT16, Predictor

SEED = 0


@dataclass(frozen=True)
class Took:
    """One piece of work: processor time and time by the clock, in ms, each the least of its repetitions.

    On a machine with other work the first is what counts; the second is what a robot waits for.
    """

    name: str
    cpu_ms: float
    wall_ms: float


@dataclass(frozen=True)
class Remembering:
    """A chunk from tokens on, its keys and values computed once, and at each denoising step. difference: of actions."""

    cached: Took
    recomputed: Took
    difference: float

    @property
    def times_faster(self) -> float:
        """How many times less processor time it takes to remember."""
        return self.recomputed.cpu_ms / self.cached.cpu_ms


def remembering(config: ControllerConfig, *, threads: int, repeats: int, precision: str) -> Remembering:
    """Measures the transformer alone, in alternation."""
    torch.set_num_threads(threads)
    controller = Controller(config).eval()
    generator = torch.Generator().manual_seed(SEED)
    tokens = torch.randn(1, controller.layout["time"].start, config.width, generator=generator)
    state, made = torch.zeros(1, config.action_dim), {}

    def chunk(cached: bool) -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == BFLOAT16):
            made[cached] = controller.chunks(tokens, state, torch.Generator().manual_seed(SEED), cached=cached)

    took = timed({"remembered": lambda: chunk(True), "recomputed": lambda: chunk(False)}, repeats)
    return Remembering(*took, difference=float((made[True] - made[False]).abs().max()))


def answering(config: ControllerConfig, *, threads: int, repeats: int, precision: str) -> list[Took]:
    """Measures a whole chunk from pictures on, first, and its parts. Towers need their weights."""
    torch.set_num_threads(threads)
    predictor = Predictor(Controller(config), precision=precision)
    rng = np.random.default_rng(SEED)
    width, height = spec.IMAGE_SIZE
    head, wrist = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    mask, state = np.zeros((height, width), np.uint8), np.zeros(config.action_dim, np.float32)
    mask[height // 3 : height // 2, width // 3 : width // 2] = 1
    predictor.begin(head, mask)
    inputs = {**predictor.inputs(head, wrist, mask, state), **predictor.start_inputs(head, mask)}
    controller = predictor.controller
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == BFLOAT16):
        tokens, _ = controller.observe(inputs)
        generator = torch.Generator().manual_seed(SEED)
        return timed(
            {
                "chunk, towers included": lambda: predictor.predict(head, wrist, mask, state, SEED),
                "pictures and towers": lambda: predictor.inputs(head, wrist, mask, state),
                "encoder": lambda: controller.observe(inputs),
                "keys, values, denoising": lambda: controller.chunks(tokens, inputs["state"], generator),
            },
            repeats,
        )


def timed(work: Mapping[str, Callable[[], object]], repeats: int) -> list[Took]:
    """Every piece of work `repeats` times in alternation, after once for nothing where that is affordable."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for _ in range(repeats + (repeats > 1)):
        for name, run in work.items():
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            spent[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return [Took(name, *(1e3 * min(column) for column in zip(*times, strict=True))) for name, times in spent.items()]
