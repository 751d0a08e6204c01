"""Chunks of a finished checkpoint beside those of demonstrations, for whoever wants to measure or draw them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from policy.controller import checkpoint
from policy.training.demos import tracks
from policy.training.errors import TrainingError
from policy.training.extract import extract, make_towers
from policy.training.features import FeatureStore, Plan, data_hash
from policy.training.validation import Foretold, chosen, foretell
from policy.training.windows import WindowSet


def foretold(
    path: Path,
    data: Sequence[Path],
    subset: str,
    cache: Path,
    *,
    windows: int,
    stride: int = 1,
    weights: Mapping[str, str] | None = None,
) -> tuple[Foretold, int]:
    """Sampled and true chunks of `windows` windows of a subset, and how many steps of a chunk are carried out.

    cache: where features lie, or are made. Raises CheckpointError, StorageError or TrainingError.
    """
    controller, _ = checkpoint.load(path)
    config = controller.config
    plans, digests = [], {}
    for file in data:
        plan = Plan(
            path=file, data_hash=data_hash(file, cache), config=config, tracks=tuple(tracks(file, subset)),
            stride=stride, jitter_views=0, seed=0, digests=digests, weights=dict(weights or {}),
        )  # fmt: skip
        digests.update(digests or {name: tower.digest() for name, tower in make_towers(plan).items()})
        plans.append(plan)
    plans = [plan for plan in plans if plan.frames()]
    if not plans:
        raise TrainingError(f"the data hold no step in subset {subset!r}")
    extract(cache, plans, 1, lambda done, total: None)
    found = WindowSet(config, [FeatureStore(cache, plan) for plan in plans])
    return foretell(controller, found, torch.device("cpu"), len(chosen(found, windows))), config.execute
