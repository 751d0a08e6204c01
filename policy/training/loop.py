"""The training loop: updates, averages, saves, validations. What an update does depends on (seed, update) alone."""

import math
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from policy.controller import checkpoint
from policy.controller.checkpoint import Origin
from policy.controller.controller import Controller
from policy.training import schedule, state, validation
from policy.training.errors import TrainingError
from policy.training.journal import Journal
from policy.training.prepare import Prepared
from policy.training.rollouts import Score, rollout
from policy.training.settings import Options, Recipe
from policy.training.state import TrainingState
from policy.training.windows import Augmentation, Batch

STATE, LATEST, BEST = "state.pt", "controller.safetensors", "best.safetensors"
_AGREE_EVERY = 10  # updates between two questions among processes whether to stop
_NOISE = 7  # what the random numbers of an update are for; see the streams of `WindowSet`


class Objective(nn.Module):
    """The losses as a forward pass, which is what a distributed wrapper takes."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller

    def forward(
        self, inputs: dict[str, Tensor], targets: dict[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Total, chunk, goal and phase loss."""
        found = self.controller.losses(inputs, targets, generator)
        return found.total, found.chunk, found.goal, found.phase


class Trainer:
    """One run. `run` begins it or goes on with it, and returns False if it was asked to stop before the end."""

    def __init__(
        self,
        options: Options,
        recipe: Recipe,
        data: Prepared,
        controller: Controller,
        accelerator: Accelerator,
        identity: Mapping[str, Any],
        versions: Mapping[str, str],
    ) -> None:
        self.options, self.recipe, self.data, self.accelerator = options, recipe, data, accelerator
        self.identity, self.versions = dict(identity), dict(versions)
        self.controller, self.config = controller.train(), controller.config
        if recipe.batch % accelerator.num_processes:
            raise TrainingError(f"a batch of {recipe.batch} cannot be shared by {accelerator.num_processes} processes")
        part = recipe.batch // accelerator.num_processes
        self.share = slice(accelerator.process_index * part, (accelerator.process_index + 1) * part)
        self.augmentation = Augmentation(self.config.state_noise, self.config.mask_noise)
        self.optimiser = schedule.optimiser(controller, recipe.learning_rate)
        self.objective, self._stepper = accelerator.prepare(Objective(controller), self.optimiser)
        self.averaged = _twin(controller) if options.ema else None
        self.update, self.best = 0, math.inf
        self.stop_wanted = False
        self._reader = ThreadPoolExecutor(1)
        self._ahead: tuple[int, Future] | None = None
        self.journal = Journal()
        self._began = time.monotonic()

    def resume(self) -> None:
        """Take up the state in the folder. Raises TrainingError where that is another run's."""
        found = state.load(self.options.out / STATE, self.identity)
        self.controller.load_state_dict(found.model)
        if self.averaged is not None:
            self.averaged.load_state_dict(found.averaged)
        self.optimiser.load_state_dict(found.optimiser)
        self.update, self.best = found.update, found.best

    def run(self, journal: Journal) -> bool:
        """Carry out what is left of the schedule. Raises TrainingError where losses are no numbers."""
        self.journal, self._began = journal, time.monotonic()
        options = self.options
        while self.update < self.recipe.updates:
            self.step(journal)
            last = self.update == self.recipe.updates
            if last or (options.validate_every and self.update % options.validate_every == 0):
                self._on_main(self._validate)
            if options.rollout_every and (last or self.update % options.rollout_every == 0):
                self._on_main(self._roll_out)
            stopping = not last and self._asked_to_stop()
            if last or stopping or self.update % options.save_every == 0:
                self._on_main(self._save)
            if stopping:
                return False
        return True

    def step(self, journal: Journal) -> None:
        """One update. Raises TrainingError where losses are no numbers."""
        losses = self._updated()
        journal.updated(self.update, losses)

    def exported(self) -> Controller:
        """The controller that is handed out: averaged weights where they are wanted."""
        return self.controller if self.averaged is None else self.averaged

    def _updated(self) -> dict[str, float]:
        update, recipe = self.update, self.recipe
        rate = schedule.learning_rate(recipe.learning_rate, update, recipe.warmup, recipe.updates)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        inputs, targets = self._loaded(update)
        generator = self._generators(update)
        self._stepper.zero_grad()
        words = (self.options.seed, update, self.accelerator.process_index)
        seen = self.data.train.seen(self._moved(inputs), words)
        total, chunk, goal, phase = self.objective(seen, self._moved(targets), generator)
        self.accelerator.backward(total)
        norm = float(self.accelerator.clip_grad_norm_(self.objective.parameters(), schedule.CLIP))
        if not math.isfinite(norm) or not math.isfinite(float(total.detach())):
            raise TrainingError(
                f"the loss of update {update} is {float(total.detach())} (gradient {norm}); nothing was saved since "
                f"the last state in {self.options.out}. Try a lower --learning-rate, a longer --warmup, or fp32."
            )
        self._stepper.step()
        if self.averaged is not None:
            schedule.average(self.averaged.state_dict(), self.controller, update)
        self.update += 1
        names = ("total", "chunk", "goal", "phase")
        found = {name: float(value.detach()) for name, value in zip(names, (total, chunk, goal, phase), strict=True)}
        return found | {"gradient": norm, "rate": rate}

    def _loaded(self, update: int) -> tuple[Batch, Batch]:
        """The batch of an update. A GPU does not wait for it: the next one is read while it works."""
        if self.accelerator.device.type == "cpu":
            return self._batch(update)
        if self._ahead is None or self._ahead[0] != update:
            self._ahead = (update, self._reader.submit(self._batch, update))
        found = self._ahead[1].result()
        self._ahead = (update + 1, self._reader.submit(self._batch, update + 1))
        return found

    def _batch(self, update: int) -> tuple[Batch, Batch]:
        seed, size = self.options.seed, self.recipe.batch
        return self.data.train.training_batch(seed, update, size, self.augmentation, self.share)

    def _generators(self, update: int) -> torch.Generator:
        """Noise of an update; dropout draws from torch's own stream, which is set here as well."""
        words = [self.options.seed, _NOISE, update, self.accelerator.process_index]
        seed = int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> np.uint64(1))
        torch.manual_seed(seed)
        return torch.Generator().manual_seed(seed)

    def _validate(self) -> None:
        controller = self.exported().eval()
        try:
            sets = {"valid": self.data.valid} if self.data.valid is not None else {}
            for name, windows in {"train": self.data.train, **sets}.items():
                found = validation.foretell(controller, windows, self.accelerator.device)
                measured = validation.losses(controller, windows, self.accelerator.device)
                self.journal.validated(self.update, name, measured, found)
                error = validation.errors(found)["arm_rad"]
                if name == ("valid" if sets else "train") and error < self.best:
                    self.best = error
                    self._export(BEST)
        finally:
            self.controller.train()

    def _roll_out(self) -> None:
        path = self._export(LATEST)
        out = self.options.out / "rollouts" / f"update_{self.update:07d}"
        found = rollout(path, self.options.rollout_suite, self.options.rollout_episodes, out)
        if isinstance(found, Score):
            self.journal.rolled_out(self.update, found)
        else:
            self.journal.warn(f"{found}; training goes on")

    def _save(self) -> None:
        self._check_weights()
        averaged = {} if self.averaged is None else self.averaged.state_dict()
        now = TrainingState(
            update=self.update,
            model=self.controller.state_dict(),
            averaged=averaged,
            optimiser=self.optimiser.state_dict(),
            identity=self.identity,
            best=self.best,
        )
        state.save(self.options.out / STATE, now)
        self._export(LATEST)

    def _check_weights(self) -> None:
        for name, value in self.controller.state_dict().items():
            if not bool(value.isfinite().all()):
                raise TrainingError(
                    f"after update {self.update} weights of {name} are no numbers; the last state in "
                    f"{self.options.out} stays. Try a lower --learning-rate or a longer --warmup."
                )

    def _export(self, name: str) -> Path:
        path = self.options.out / name
        notes = {key: value for key, value in self.identity.items() if key != "config"}
        checkpoint.save(path, self.exported(), Origin(self.data.hashes, self.update, self.versions, notes))
        return path

    def _asked_to_stop(self) -> bool:
        minutes = self.options.stop_after_minutes
        late = minutes is not None and time.monotonic() - self._began > 60.0 * minutes
        wanted = self.stop_wanted or late
        if self.accelerator.num_processes == 1:
            return wanted
        if self.update % _AGREE_EVERY:
            return False
        votes = torch.tensor(float(wanted), device=self.accelerator.device)
        return bool(self.accelerator.reduce(votes, "sum") > 0)

    def _on_main(self, work: Any) -> None:
        """Work of the main process alone; the others wait."""
        if self.accelerator.is_main_process:
            work()
        self.accelerator.wait_for_everyone()

    def _moved(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {key: value.to(self.accelerator.device, non_blocking=True) for key, value in batch.items()}


def _twin(controller: Controller) -> Controller:
    """A second controller with the same weights, that no gradient reaches."""
    twin = Controller(controller.config).to(next(controller.parameters()).device)
    twin.load_state_dict(controller.state_dict())
    return twin.requires_grad_(False).eval()
