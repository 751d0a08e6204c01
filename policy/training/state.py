"""The state of a training run on disk: whole or not there, and only for the run that wrote it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from policy.training.errors import TrainingError

FORMAT = "dexclutter-training/1"


@dataclass(frozen=True, eq=False)
class TrainingState:
    """Everything that the next update depends on; random numbers and learning rates are functions of `update`.

    update: how many are done; model, averaged: weights by name, averaged {} without an average; optimiser: its state;
    identity: what must be the same when the run goes on; best: the least validation error so far, infinity at first.
    """

    update: int
    model: Mapping[str, Tensor]
    averaged: Mapping[str, Tensor]
    optimiser: Mapping[str, Any]
    identity: Mapping[str, Any]
    best: float = float("inf")


def save(path: Path, state: TrainingState) -> None:
    """Write the state, at once or not at all; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            torch.save({"format": FORMAT} | {key: getattr(state, key) for key in state.__dataclass_fields__}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def load(path: Path, identity: Mapping[str, Any]) -> TrainingState:
    """The state of the run with this identity. Raises TrainingError for another run's, a damaged one or none."""
    if not path.exists():
        raise TrainingError(f"{path} does not exist; there is nothing to resume, start without --resume")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, UnpicklingError, EOFError) as fault:
        raise TrainingError(f"{path} is no training state, or a damaged one ({fault})") from fault
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise TrainingError(f"{path} is no training state that this version reads")
    state = TrainingState(**content)
    for key in sorted(set(identity) | set(state.identity)):
        if identity.get(key) != state.identity.get(key):
            raise TrainingError(
                f"{path} belongs to a run with {key} = {state.identity.get(key)!r}, and {identity.get(key)!r} is asked "
                "for; give the same options, or another --out"
            )
    return state
