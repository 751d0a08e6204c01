"""The controller: encoder, denoiser and action space, with the loss that trains them and the sampler that uses them."""

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDIMScheduler
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional

from envs import spec
from policy.controller.actions import ActionSpace
from policy.controller.config import NOISE, ControllerConfig
from policy.controller.encoder import Hints, Inputs, ObservationEncoder
from policy.controller.towers import get_tower
from policy.controller.transformer import ActionTransformer

PHASES = 4  # reach, pregrasp, close, lift
UNKNOWN_PHASE = -1


@dataclass(frozen=True, eq=False)
class Losses:
    """Mean losses of a batch: the sum that is minimised, and its parts."""

    total: Tensor
    chunk: Tensor
    goal: Tensor
    phase: Tensor


class Controller(nn.Module):
    """Everything that is trained. The frozen towers stand outside, so that their features can be cached."""

    def __init__(self, config: ControllerConfig) -> None:
        super().__init__()
        self.config = config
        towers = {name: get_tower(view.tower) for name, view in config.views.items()}
        tokens = {name: tower.tokens(config.views[name].size) for name, tower in towers.items()}
        channels = {name: tower.channels for name, tower in towers.items()}
        self.encoder = ObservationEncoder(config, tokens, channels)
        self.transformer = ActionTransformer(
            tokens=self.encoder.tokens + int(config.goal_token),
            horizon=config.horizon,
            action_dim=config.action_dim,
            width=config.width,
            depth=config.depth,
            heads=config.heads,
            feedforward=config.feedforward,
            dropout=config.dropout,
            time_channels=config.time_channels,
        )
        self.hints = Hints(config.width, config.heads, spec.ARM_DOF, PHASES) if config.hinted else None
        self.actions = ActionSpace(config.arm)
        self.schedule = DDIMScheduler(
            num_train_timesteps=config.train_steps,
            beta_schedule="squaredcos_cap_v2",
            clip_sample=True,
            set_alpha_to_one=True,
            steps_offset=0,
            prediction_type="epsilon" if config.predicts == NOISE else "sample",
        )

    def losses(self, inputs: Inputs, batch: dict[str, Tensor], generator: torch.Generator) -> Losses:
        """Losses of a batch.

        batch: actions (B, T, 13) of the environment, padded (B, T) bool; where hints are trained also goal (B, 13), the
        command at the grasp, and phase (B,) int64, -1 where unknown. generator: noise and diffusion steps, on the CPU.
        """
        state, levels = inputs["state"], self.config.noise_levels
        wanted = self.actions.normalised(batch["actions"], state)
        tokens, hints = self.observe(inputs)
        memory = self.transformer.remember(tokens)
        clean = wanted.repeat_interleave(levels, 0)
        steps = torch.randint(self.config.train_steps, (len(clean),), generator=generator).to(clean.device)
        noise = self._noise_for(wanted, generator)
        noisy = self.schedule.add_noise(clean, noise, steps)
        predicted = self.transformer(noisy, steps, memory.repeated(levels))
        error = (predicted.float() - (noise if self.config.predicts == NOISE else clean)).square()
        chunk = _mean_of_real(error, batch["padded"].repeat_interleave(levels, 0), self.config.ignore_padding)
        goal, phase = self._hint_losses(hints, batch, state)
        total = chunk + self.config.goal_weight * goal + self.config.phase_weight * phase
        return Losses(total, chunk.detach(), goal.detach(), phase.detach())

    def observe(self, inputs: Inputs) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Condition tokens (B, N, width), and the hints where there are any: goal (B, 7) and phase logits (B, 4).

        The denoiser learns to follow the goal that is predicted, but does not bend it: no gradient goes that way.
        """
        tokens = self.encoder(inputs)
        if self.hints is None:
            return tokens, None
        goal, phase = self.hints(tokens)
        if self.config.goal_token:
            tokens = torch.cat([tokens, self.hints.token(goal.detach(), phase.detach())], dim=1)
        return tokens, (goal, phase)

    @torch.no_grad()
    def sample(
        self,
        inputs: Inputs,
        generator: torch.Generator,
        *,
        cached: bool = True,
        maps: list[list[Tensor]] | None = None,
    ) -> Tensor:
        """Chunks (B, horizon, 13) of environment actions for tower features `inputs` of batch size B.

        cached: keys and values of the observation once per chunk; False recomputes them at each step, to the same
        numbers. maps: collects for each denoising step the attention weights of each block, (B, heads, T, N + 1).
        """
        state = inputs["state"]
        tokens, _ = self.observe(inputs)
        memory = self.transformer.remember(tokens)
        shape = (len(state), self.config.horizon, self.config.action_dim)
        noisy = torch.randn(shape, generator=generator).to(tokens)
        self.schedule.set_timesteps(self.config.inference_steps)
        for step in self.schedule.timesteps.tolist():
            if not cached:
                memory = self.transformer.remember(tokens)
            blocks = None if maps is None else []
            steps = torch.full((len(state),), step, device=tokens.device)
            predicted = self.transformer(noisy, steps, memory, blocks)
            noisy = self.schedule.step(predicted, step, noisy, eta=0.0).prev_sample
            if maps is not None:
                maps.append(blocks)
        return self.actions.restored(noisy.float(), state)

    def trainable_parameters(self) -> int:
        """Number of parameters that training changes."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def _noise_for(self, wanted: Tensor, generator: torch.Generator) -> Tensor:
        """Noise (B * levels, T, 13), each draw given to the action sequence that lies nearest, batch by batch."""
        draws = torch.randn((self.config.noise_levels, *wanted.shape), generator=generator)
        flat = wanted.detach().float().cpu().flatten(1)
        assigned = [draw[nearest_noise(flat, draw.flatten(1))] for draw in draws]
        return torch.stack(assigned, dim=1).flatten(0, 1).to(wanted)

    def _hint_losses(
        self, hints: tuple[Tensor, Tensor] | None, batch: dict[str, Tensor], state: Tensor
    ) -> tuple[Tensor, Tensor]:
        if hints is None:
            zero = state.new_zeros(())
            return zero, zero
        goal, phase = hints
        wanted = self.actions.normalised(batch["goal"][:, None], state)[:, 0, spec.ARM]
        phases = functional.cross_entropy(
            phase.float(), batch["phase"], ignore_index=UNKNOWN_PHASE, reduction="sum"
        ) / (batch["phase"] != UNKNOWN_PHASE).sum().clamp(min=1)
        return (goal.float() - wanted).square().mean(), phases


def nearest_noise(actions: Tensor, noise: Tensor) -> np.ndarray:
    """For each row of `actions` (B, D) the row of `noise` (B, D) of the matching with the least total distance."""
    _, columns = linear_sum_assignment(torch.cdist(actions, noise).numpy())
    return columns


def _mean_of_real(error: Tensor, padded: Tensor, ignore: bool) -> Tensor:
    if not ignore:
        return error.mean()
    real = (~padded).to(error)[..., None].expand_as(error)
    return (error * real).sum() / real.sum().clamp(min=1)
