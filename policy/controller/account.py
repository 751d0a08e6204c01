"""What a controller costs, counted on shapes alone: no weights, no numbers, no time."""

import weakref
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from policy.controller.config import ControllerConfig
from policy.controller.controller import Controller
from policy.controller.encoder import Inputs
from policy.controller.towers import get_tower

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Stage:
    """One step on the way to a chunk: what comes out of it, and how many multiplications and additions it takes."""

    name: str
    shape: tuple[int, ...]
    flops: int = 0
    note: str = ""


@dataclass(frozen=True)
class Account:
    """A controller in numbers, for a batch of one.

    stages: in the order in which they happen; those of a denoising step once. trainable, frozen: parameters.
    tower_flops, observe_flops, remember_flops, step_flops: of all towers, of encoder and hints, of keys and values, of
    one denoising step. memory_bytes: keys and values. peak_bytes: the most that lives at once beside the weights.
    All bytes are those of float32.
    """

    config: ControllerConfig
    stages: tuple[Stage, ...]
    trainable: int
    frozen: int
    tower_flops: int
    observe_flops: int
    remember_flops: int
    step_flops: int
    memory_bytes: int
    peak_bytes: int

    @property
    def chunk_flops(self) -> int:
        """Of one chunk, towers included, keys and values computed once."""
        denoising = self.config.inference_steps * self.step_flops
        return self.tower_flops + self.observe_flops + self.remember_flops + denoising

    @property
    def recomputed_flops(self) -> int:
        """Of one chunk if every denoising step computed keys and values again, as published."""
        return self.chunk_flops + (self.config.inference_steps - 1) * self.remember_flops


def account(config: ControllerConfig) -> Account:
    """Counts a controller of that configuration."""
    with torch.device("meta"):
        controller = Controller(config).eval()
        trainable = controller.trainable_parameters()
        controller.requires_grad_(False)  # or the counter wants to follow gradients
        towers = {view.tower: get_tower(view.tower).blank() for view in config.views.values()}
        frozen = sum(value.numel() for tower in towers.values() for value in tower.parameters())
        peak = LivePeak(controller, *towers.values())
        with torch.no_grad(), peak:
            inputs, stages = _looked(config, towers)
            tower_flops = sum(stage.flops for stage in stages)
            (tokens, observed), observe_flops = _observed(controller, inputs)
            memory, remember_flops = counted(lambda: controller.transformer.remember(tokens))
            pairs, (denoised, step_flops) = _denoised(controller, memory)
    return Account(
        config=config,
        stages=(*stages, *observed, _memory_stage(config, pairs, remember_flops), *denoised),
        trainable=trainable,
        frozen=frozen,
        tower_flops=tower_flops,
        observe_flops=observe_flops,
        remember_flops=remember_flops,
        step_flops=step_flops,
        memory_bytes=sum(value.numel() * FLOAT_BYTES for pair in pairs for value in pair),
        peak_bytes=peak.peak,
    )


class LivePeak(TorchDispatchMode):
    """While it is active: the most bytes that lived at once in tensors made since, the weights of `modules` apart."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.peak = self._now = 0
        kept = [value for module in modules for value in (*module.parameters(), *module.buffers())]
        self._live = {value.untyped_storage()._cdata for value in kept}

    def __torch_dispatch__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in tree_leaves(made):
            if isinstance(value, Tensor):
                self._note(value.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self._live:
            return
        self._live.add(storage._cdata)
        self._now += storage.nbytes()
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._gone, storage._cdata, storage.nbytes())

    def _gone(self, key: int, size: int) -> None:
        self._live.discard(key)
        self._now -= size


def counted(work: Callable[[], Any]) -> tuple[Any, int]:
    """What `work` returns, and the multiplications and additions of its matrix products and convolutions."""
    counter = FlopCounterMode(display=False)
    with counter:
        made = work()
    return made, counter.get_total_flops()


def _looked(config: ControllerConfig, towers: dict[str, nn.Module]) -> tuple[Inputs, list[Stage]]:
    inputs, stages = {}, []
    for name, view in config.views.items():
        width, height = view.size
        images = torch.empty(1, 3, height, width)
        inputs[name], flops = counted(lambda tower=towers[view.tower], images=images: tower(images))
        once = "once per attempt" if name == "target" else ""
        stages.append(Stage(f"{name} picture", tuple(images.shape), note=once))
        stages.append(Stage(f"{name}: {view.tower}", tuple(inputs[name].shape), flops, once))
    width, height = config.head.size
    inputs["mask"] = inputs["start_mask"] = torch.empty(1, 1, height, width)
    inputs["state"] = torch.empty(1, config.action_dim)
    return inputs, stages


def _observed(controller: Controller, inputs: Inputs) -> tuple[tuple[Tensor, list[Stage]], int]:
    modules = {"mask transformer": controller.encoder.mask_process_net}
    names = (*controller.encoder.layout, "goal")
    modules.update({f"{name} projector": getattr(controller.encoder, f"{name}_net", None) for name in names})
    if controller.hints is not None:
        modules["goal head"], modules["phase head"] = controller.hints.goal, controller.hints.phase
        modules["goal projector"] = controller.hints.embed
    stages = [Stage("mask", tuple(inputs["mask"].shape))]
    (tokens, _), flops = _traced({k: m for k, m in modules.items() if m is not None}, stages,
                                 lambda: controller.observe(inputs))  # fmt: skip
    stages.append(Stage("observation tokens", tuple(tokens.shape), note=_parts(controller)))
    return (tokens, stages), flops


def _denoised(controller: Controller, memory: Any) -> tuple[tuple, tuple[list[Stage], int]]:
    config, transformer = controller.config, controller.transformer
    rehearsal = transformer.rehearse(memory, torch.empty(config.inference_steps, dtype=torch.int64))
    noisy, block = torch.empty(1, config.horizon, config.action_dim), transformer.blocks[0]
    stages = [Stage("noisy actions", tuple(noisy.shape), note=f"{config.inference_steps} times from here on")]
    modules = {
        "embedded actions": transformer.input_emb,
        "self-attention": block.attn,
        "cross-attention": block.cross_attn,
        "feed-forward": block.ffn,
        "predicted " + config.predicts: transformer.head,
    }
    _, flops = _traced(
        modules, stages, lambda: transformer.denoise(noisy, rehearsal.pairs, rehearsal.moments[0]), config.depth
    )
    return rehearsal.pairs, (stages, flops)


def _traced(
    modules: dict[str, nn.Module], stages: list[Stage], work: Callable[[], Any], depth: int = 0
) -> tuple[Any, int]:
    """What `work` returns and its operations; output and operations of each module go to `stages` as they happen."""
    with ExitStack() as hooks:
        for name, module in modules.items():
            counter = FlopCounterMode(display=False)

            def before(*_: Any, counter: FlopCounterMode = counter) -> None:
                counter.__enter__()

            def after(
                module: nn.Module, given: Any, made: Tensor, name: str = name, counter: FlopCounterMode = counter
            ) -> None:
                counter.__exit__(None, None, None)
                inner = f"in each of {depth} blocks" if depth and "-" in name else ""
                stages.append(Stage(name, tuple(made.shape), counter.get_total_flops(), inner))

            hooks.callback(module.register_forward_pre_hook(before).remove)
            hooks.callback(module.register_forward_hook(after).remove)
        return counted(work)


def _memory_stage(config: ControllerConfig, pairs: tuple, flops: int) -> Stage:
    return Stage("keys, values", tuple(pairs[0][0].shape), flops, f"a pair for each of {config.depth} blocks")


def _parts(controller: Controller) -> str:
    sizes = {name: part.stop - part.start for name, part in controller.layout.items()}
    return ", ".join(f"{name} {size}" for name, size in sizes.items() if name != "time") + "; later time 1"
