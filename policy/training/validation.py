"""How well a controller foretells demonstrations that it was not trained on: per joint, per phase and at the grasp."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from envs import spec
from policy.controller.controller import Controller
from policy.training.windows import Batch, WindowSet

PHASES = ("reach", "pregrasp", "close", "lift")
LOSS_WINDOWS, SAMPLED_WINDOWS = 512, 128
_BATCH = 64
_SEED = 20_250_320
# Action numbers to radians for the arm; the hand's are shares of its opening.
UNITS = np.concatenate([spec.ARM_SCALE_RAD, np.ones(spec.HAND_DOF)])


@dataclass(frozen=True, eq=False)
class Foretold:
    """Chunks of N windows, true and sampled, in action numbers.

    true, sampled (N, horizon, 13); padded (N, horizon); phase (N,); state (N, 13); goal, goal_sampled (N, 13) and
    (N, 7): the command at the grasp and the guess of the arm's part of it, None where no hints are trained.
    """

    true: np.ndarray
    sampled: np.ndarray
    padded: np.ndarray
    phase: np.ndarray
    state: np.ndarray
    goal: np.ndarray
    goal_sampled: np.ndarray | None


def chosen(windows: WindowSet, count: int) -> np.ndarray:
    """At most `count` windows, evenly over the set: always the same ones."""
    return np.unique(np.linspace(0, len(windows) - 1, min(count, len(windows))).round().astype(np.int64))


@torch.no_grad()
def losses(controller: Controller, windows: WindowSet, device: torch.device) -> dict[str, float]:
    """Mean losses over a fixed subset with fixed noise: total, chunk, goal, phase."""
    sums, count = np.zeros(4), 0
    generator = torch.Generator().manual_seed(_SEED)
    for inputs, targets in _batches(windows, chosen(windows, LOSS_WINDOWS), device):
        found = controller.losses(inputs, targets, generator)
        sums += len(inputs["state"]) * np.array([float(v) for v in (found.total, found.chunk, found.goal, found.phase)])
        count += len(inputs["state"])
    return dict(zip(("total", "chunk", "goal", "phase"), (sums / count).tolist(), strict=True))


@torch.no_grad()
def foretell(
    controller: Controller, windows: WindowSet, device: torch.device, count: int = SAMPLED_WINDOWS
) -> Foretold:
    """Sampled chunks of a fixed subset, beside the true ones."""
    generator = torch.Generator().manual_seed(_SEED)
    picked = chosen(windows, count)
    sampled, guessed = [], []
    for inputs, _ in _batches(windows, picked, device):
        sampled.append(controller.sample(inputs, generator).cpu().numpy())
        if controller.hints is not None:
            guessed.append(_goal(controller, inputs))
    return Foretold(
        true=windows.actions[picked],
        sampled=np.concatenate(sampled),
        padded=windows.padded[picked],
        phase=windows.phase[picked],
        state=windows.state[picked],
        goal=windows.goal[picked],
        goal_sampled=np.concatenate(guessed) if guessed else None,
    )


def errors(found: Foretold) -> dict[str, float]:
    """Mean absolute errors: "arm_rad", "hand", "first_arm_rad" (of the steps that are carried out first), one for each

    joint ("joint/arm/joint1", ...), for each phase ("phase/reach", arm in rad) and at the grasp ("goal_rad").
    """
    error = np.abs(found.sampled - found.true) * UNITS
    real = ~found.padded
    joints = error[real].mean(axis=0)
    arm = error[..., spec.ARM].mean(axis=-1)
    values = {
        "arm_rad": float(arm[real].mean()),
        "hand": float(error[..., spec.HAND][real].mean()),
        "first_arm_rad": float(arm[:, 0].mean()),
    }
    values |= {f"joint/{name}": float(value) for name, value in zip(spec.ACTION_NAMES, joints, strict=True)}
    for number, name in enumerate(PHASES):
        rows = found.phase == number
        if rows.any():
            values[f"phase/{name}"] = float(arm[rows][real[rows]].mean())
    if found.goal_sampled is not None:
        values["goal_rad"] = float((np.abs(found.goal_sampled - found.goal[:, spec.ARM]) * UNITS[spec.ARM]).mean())
    return values


def _goal(controller: Controller, inputs: Batch) -> np.ndarray:
    """(B, 7) the arm's command at the grasp as the hint foretells it, in action numbers."""
    return controller.observe(inputs)[1][0].cpu().numpy()


def _batches(windows: WindowSet, picked: np.ndarray, device: torch.device) -> Iterator[tuple[Batch, Batch]]:
    for k in range(0, len(picked), _BATCH):
        inputs, targets = windows.batch(picked[k : k + _BATCH])
        yield windows.seen(_moved(inputs, device)), _moved(targets, device)


def _moved(batch: Batch, device: torch.device) -> dict[str, Tensor]:
    return {key: value.to(device) for key, value in batch.items()}
