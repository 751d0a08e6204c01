"""How fast a configuration trains from cached features, on features that are made up."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from envs import spec
from policy.controller.config import ControllerConfig
from policy.controller.controller import Controller
from policy.controller.towers import get_tower
from policy.training.demos import Track
from policy.training.features import FeatureStore, Plan, write_shard
from policy.training.journal import Journal
from policy.training.loop import Trainer
from policy.training.memory import keep_freed
from policy.training.prepare import Prepared
from policy.training.settings import Options, Recipe
from policy.training.windows import Augmentation, WindowSet

STEPS = 80  # of a made-up demonstration
_DEMOS = 16


@dataclass(frozen=True)
class Speed:
    """Windows per second of wall time and of CPU time, medians over updates; loader: its share of the CPU time."""

    windows_per_s: float
    windows_per_cpu_s: float
    loader: float
    parameters: int


class _Clock(Journal):
    """Notes when updates end."""

    def __init__(self) -> None:
        super().__init__()
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def updated(self, update: int, losses: Mapping[str, float]) -> None:
        """An update is done."""
        del update, losses  # Unused: only the time counts.
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())


def measure(config: ControllerConfig, folder: Path, *, batch: int, updates: int, threads: int, precision: str) -> Speed:
    """Train for some updates on made-up features in `folder`, the way `policy.train` does."""
    keep_freed()
    torch.set_num_threads(threads)
    windows = made_up(config, folder)
    torch.manual_seed(0)
    controller = Controller(config)
    windows.fit(controller.actions)
    accelerator = Accelerator(cpu=True, mixed_precision="no" if precision == "fp32" else precision)
    options = Options(data=(), out=folder / "run", validate_every=0, save_every=updates + 1)
    recipe = Recipe(1e-4, 0, batch, updates + 1)
    trainer = Trainer(options, recipe, Prepared(windows, None, ()), controller, accelerator, {}, {})
    clock = _Clock()
    for _ in range(updates):
        trainer.step(clock)
    loading = []
    for update in range(updates):
        began = time.process_time()
        windows.training_batch(0, update, batch, Augmentation(config.state_noise, config.mask_noise))
        loading.append(time.process_time() - began)
    wall, cpu = np.median(np.diff(clock.wall)), np.median(np.diff(clock.cpu))
    return Speed(
        batch / float(wall), batch / float(cpu), float(np.median(loading) / cpu), controller.trainable_parameters()
    )


def made_up(config: ControllerConfig, folder: Path) -> WindowSet:
    """Windows with random features, masks and motions of the sizes of a configuration, kept in `folder`."""
    rng = np.random.default_rng(0)
    tracks = tuple(_track(rng, k) for k in range(_DEMOS))
    plan = Plan(
        path=folder, data_hash="made up", config=config, tracks=tracks, stride=1, jitter_views=1, seed=0, digests={
            view.tower: "none" for view in config.views.values()
        }, weights={},
    )  # fmt: skip
    height, width = config.head.size[1], config.head.size[0]
    mask = np.zeros((height, width), np.uint8)
    mask[height // 3 : height // 2, width // 3 : width // 2] = 1
    packed = np.packbits(mask.ravel())
    for number, shard in enumerate(plan.shards):
        frames, demos = plan.frames(shard), len(shard)
        arrays = {
            name: rng.standard_normal((demos if name == "target" else frames, 1, *_tokens(config, name)), np.float32)
            for name in config.views
        }
        arrays = {name: values.astype(np.float16) for name, values in arrays.items()}
        arrays["mask"] = np.tile(packed, (frames, 1))
        if config.geometry:
            arrays["start_mask"] = np.tile(packed, (demos, 1))
        write_shard(plan.folder(folder), number, arrays)
    return WindowSet(config, [FeatureStore(folder, plan)])


def _tokens(config: ControllerConfig, name: str) -> tuple[int, int]:
    view = config.views[name]
    tower = get_tower(view.tower)
    return tower.tokens(view.size), tower.channels


def _track(rng: np.random.Generator, number: int) -> Track:
    moves = rng.standard_normal((STEPS, spec.ACTION_DIM)).astype(np.float32).cumsum(0) / 50
    phases = np.arange(STEPS) * 4 // STEPS
    return Track(f"demo_{number}", moves, moves, phases, np.ones(STEPS, bool), number * STEPS)
