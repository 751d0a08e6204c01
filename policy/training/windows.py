"""All windows of all data files as one indexed set, and the batches that training makes of them.

What a batch holds is a function of (seed, update) alone, and not of what was drawn before, of the number of processes
or of a restart: that is what makes a resumed run equal to an uninterrupted one.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from envs import spec
from policy.controller.actions import ActionSpace
from policy.controller.config import ControllerConfig
from policy.controller.encoder import Hints
from policy.masks.noise import noisy_mask
from policy.training.errors import TrainingError
from policy.training.features import FeatureStore
from policy.training.online import Eyes, PictureStore

_ORDER, _VIEW, _STATE, _MASK = range(4)  # what a random stream is for
_FIT_BATCH = 4096

Batch = dict[str, Tensor]
Store = FeatureStore | PictureStore


@dataclass(frozen=True)
class Augmentation:
    """What is disturbed in a training batch: state_noise is a standard deviation, mask_noise on or off."""

    state_noise: float = 0.0
    mask_noise: bool = False


class WindowSet:
    """Windows of several stores, one after the other. eyes: for stores of pictures; readers: threads that read those.

    Numbers lie in memory: actions (N, horizon, 13), padded (N, horizon), goal (N, 13), phase (N,), state (N, 13).
    """

    def __init__(
        self, config: ControllerConfig, stores: Sequence[Store], eyes: Eyes | None = None, readers: int = 1
    ) -> None:
        self.config, self.stores, self.eyes = config, list(stores), eyes
        self._pool = ThreadPoolExecutor(readers) if eyes is not None and readers > 1 else None
        self._ends = np.cumsum([len(store) for store in self.stores], dtype=np.int64)
        rows = [_numbers(config.horizon, store) for store in self.stores if len(store)]
        if not rows:
            raise TrainingError("the data hold no window to learn from")
        self.actions, self.padded, self.goal, self.phase, self.state = (
            np.concatenate(column) for column in zip(*rows, strict=True)
        )
        self.views = max(store.plan.views for store in self.stores)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def fit_goals(self, hints: Hints) -> None:
        """Fit the units of the predicted goals to all windows."""
        hints.fit(torch.from_numpy(self.goal[:, spec.ARM]))

    def fit(self, space: ActionSpace, quantile: float = 0.0) -> None:
        """Fit the limits of the action space to all windows, without what is padded.

        quantile: share of the values beyond either limit, 0 for minimum and maximum.
        """
        values = np.concatenate(
            [
                space.represented(
                    torch.from_numpy(self.actions[k : k + _FIT_BATCH]), torch.from_numpy(self.state[k : k + _FIT_BATCH])
                ).numpy()[~self.padded[k : k + _FIT_BATCH]]
                for k in range(0, len(self), _FIT_BATCH)
            ]
        )
        low, high = np.quantile(values, [quantile, 1.0 - quantile], axis=0)
        space.fit(torch.from_numpy(low).float(), torch.from_numpy(high).float())

    def order(self, seed: int, first: int, count: int) -> np.ndarray:
        """Windows at places `first` .. of an endless sequence in which every epoch is its own permutation."""
        places = np.arange(first, first + count)
        chosen = np.empty(count, np.int64)
        for epoch in np.unique(places // len(self)):
            here = places // len(self) == epoch
            permutation = np.random.default_rng([seed, _ORDER, int(epoch)]).permutation(len(self))
            chosen[here] = permutation[places[here] % len(self)]
        return chosen

    def batch(self, windows: np.ndarray, views: np.ndarray | None = None) -> tuple[Batch, Batch]:
        """Inputs and targets of some windows, undisturbed. views: (B,) which view of the pictures, the first if None.

        Inputs: head, wrist, target float32 (pictures uint8 where there are eyes, see `seen`); mask, start_mask float32
        of 0 and 1; state. Targets: see `Controller`.
        """
        views = np.zeros(len(windows), np.int64) if views is None else views
        reading = map if self._pool is None else self._pool.map
        rows = list(reading(self._read, windows.tolist(), views.tolist()))
        inputs = {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}
        pictures = () if self.eyes is None else self.config.views
        inputs = {key: value if key in pictures else value.float() for key, value in inputs.items()}
        inputs["state"] = torch.from_numpy(self.state[windows])
        targets = {key: torch.from_numpy(getattr(self, key)[windows]) for key in ("actions", "padded", "goal", "phase")}
        return inputs, targets

    def seen(self, inputs: Batch, words: tuple[int, ...] = ()) -> Batch:
        """Inputs on their device as the controller takes them. words: what the draws of colours hang on."""
        return inputs if self.eyes is None else self.eyes.see(inputs, words)

    def training_batch(
        self, seed: int, update: int, size: int, augmentation: Augmentation, share: slice = slice(None)
    ) -> tuple[Batch, Batch]:
        """The batch of an update: `size` windows over all processes, of which `share` is taken here."""
        windows = self.order(seed, update * size, size)
        views = np.random.default_rng([seed, _VIEW, update]).integers(self.views, size=size)
        inputs, targets = self.batch(windows[share], views[share])
        if augmentation.state_noise > 0:
            draws = np.random.default_rng([seed, _STATE, update]).standard_normal((size, self.state.shape[1]))
            inputs["state"] += torch.from_numpy(draws[share] * augmentation.state_noise).float()
        if augmentation.mask_noise:
            slots = range(size)[share]
            for key in ("mask", "start_mask"):
                if key in inputs:
                    masks = inputs[key][:, 0].to(torch.uint8).numpy()
                    for k, slot in enumerate(slots):
                        salt = [seed, _MASK, update, slot, int(key == "mask")]
                        noisy = noisy_mask(masks[k], np.random.default_rng(salt))
                        inputs[key][k, 0] = torch.from_numpy(noisy)
        return inputs, targets

    def _read(self, window: int, view: int) -> dict[str, np.ndarray]:
        k = int(np.searchsorted(self._ends, window, side="right"))
        store = self.stores[k]
        return store.read(window - int(self._ends[k]) + len(store), view % store.plan.views)


def _numbers(horizon: int, store: Store) -> tuple[np.ndarray, ...]:
    columns: list[list[np.ndarray]] = [[], [], [], [], []]
    for demo, step in zip(store.demos.tolist(), store.steps.tolist(), strict=True):
        track = store.plan.tracks[demo]
        actions, padded = track.chunk(step, horizon)
        row = (actions, padded, track.goal(step), track.phases[step], track.state[step])
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return tuple(np.stack(column) for column in columns)
