"""The controller: encoder, denoiser and action space, with the loss that trains them and the sampler that uses them."""

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDIMScheduler
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional

from envs import spec
from envs.interface import DexClutterError
from policy.controller.actions import ActionSpace
from policy.controller.config import BATCH, NOISE, SAMPLE, ControllerConfig
from policy.controller.encoder import Hints, Inputs, ObservationEncoder, slices
from policy.controller.reach import hand_points
from policy.controller.towers import get_tower
from policy.controller.transformer import ActionTransformer, Sink

PHASES = 4  # reach, pregrasp, close, lift
UNKNOWN_PHASE = -1
REACH_UNIT_M, GOAL_UNIT_M = 0.25, 0.1  # distances that weigh as much as one unit of the other losses
GOAL_BETA = 0.1


class BatchError(DexClutterError, ValueError):
    """A batch that nothing can be learned from."""


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
        self.hints = Hints(config, self.encoder.layout, spec.ARM_DOF, PHASES) if config.hinted else None
        self.actions = ActionSpace(config.arm)
        with torch.device("cpu"):  # its numbers are no parameters: they exist also where those do not, on "meta"
            self.schedule = DDIMScheduler(
                num_train_timesteps=config.train_steps,
                beta_schedule="squaredcos_cap_v2",
                clip_sample=True,
                set_alpha_to_one=True,
                steps_offset=0,
                prediction_type="epsilon" if config.predicts == NOISE else "sample",
            )

    def losses(self, inputs: Inputs, batch: dict[str, Tensor], generator: torch.Generator) -> Losses:
        """Losses of a batch; in training mode with what the configuration hides.

        batch: actions (B, T, 13) of the environment, padded (B, T) bool; where hints are trained also goal (B, 13), the
        command at the grasp, and phase (B,) int64, -1 where unknown. generator: noise and diffusion steps, on the CPU.
        Raises BatchError for actions or states that are no finite numbers.
        """
        state, levels = inputs["state"], self.config.noise_levels
        wanted = self.actions.normalised(batch["actions"], state)
        tokens, hints = self.observe(inputs)
        memory = self.transformer.remember(tokens)
        clean = wanted.repeat_interleave(levels, 0)
        steps = torch.randint(self.config.train_steps, (len(clean),), generator=generator).to(clean.device)
        noise = self._noise_for(wanted, generator)
        noisy = self.schedule.add_noise(clean, noise, steps)
        seen = self._seen(len(tokens), generator, tokens.device)
        predicted = self.transformer(noisy, steps, memory, seen=seen)
        error = (predicted.float() - (noise if self.config.predicts == NOISE else clean)).square()
        padded = batch["padded"].repeat_interleave(levels, 0)
        chunk = _mean_of_real(error, padded, self.config.ignore_padding)
        if self.config.reach_weight and self.config.predicts == SAMPLE:
            chunk = chunk + self.config.reach_weight * self._astray(predicted.float(), batch, state, padded)
        goal, phase = self._hint_losses(hints, batch)
        total = chunk + self.config.goal_weight * goal + self.config.phase_weight * phase
        return Losses(total, chunk.detach(), goal.detach(), phase.detach())

    def observe(self, inputs: Inputs) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Condition tokens (B, N, width), and the hints where there are any: goal (B, 7) and phase logits (B, 4).

        The goal is in action numbers, absolute: it stays the same while the arm approaches. The denoiser learns to
        follow the goal that is predicted, but does not bend it: no gradient goes that way.
        """
        tokens = self.encoder(inputs)
        if self.hints is None:
            return tokens, None
        goal, phase = self.hints(tokens)
        if self.config.goal_token:
            hand = goal.new_zeros(len(goal), spec.HAND_DOF)
            ahead = self.actions.normalised(torch.cat([goal.detach(), hand], dim=-1)[:, None], inputs["state"])
            told = self.hints.token(goal.detach(), ahead[:, 0, spec.ARM], phase.detach())
            tokens = torch.cat([tokens, told], dim=1)
        return tokens, (goal, phase)

    @torch.no_grad()
    def sample(
        self,
        inputs: Inputs,
        generator: torch.Generator,
        *,
        cached: bool = True,
        maps: Sink | None = None,
    ) -> Tensor:
        """Chunks (B, horizon, 13) of environment actions for tower features `inputs` of batch size B.

        cached: keys and values of the observation once per chunk; False recomputes them at each step, to the same
        numbers. maps: collects for each denoising step the attention weights of one block after the other, each
        (B, heads, T, M), its columns as `layout` says.
        """
        tokens, _ = self.observe(inputs)
        return self.chunks(tokens, inputs["state"], generator, cached=cached, maps=maps)

    @torch.no_grad()
    def chunks(
        self,
        tokens: Tensor,
        state: Tensor,
        generator: torch.Generator,
        *,
        cached: bool = True,
        maps: Sink | None = None,
    ) -> Tensor:
        """The second half of `sample`: out of condition tokens (B, N, width) and states (B, 13)."""
        noisy = torch.randn((len(state), self.config.horizon, self.config.action_dim), generator=generator)
        noisy = noisy.to(tokens.device)
        self.schedule.set_timesteps(self.config.inference_steps)
        rehearsal = None
        if cached:
            times = self.schedule.timesteps.to(tokens.device)
            rehearsal = self.transformer.rehearse(self.transformer.remember(tokens), times)
        for index, step in enumerate(self.schedule.timesteps.tolist()):
            if rehearsal is not None:
                predicted = self.transformer.denoise(noisy, rehearsal.pairs, rehearsal.moments[index], maps)
            else:
                steps = torch.full((len(state),), step, device=tokens.device)
                predicted = self.transformer(noisy, steps, self.transformer.remember(tokens), maps=maps)
            noisy = self.schedule.step(predicted.float(), step, noisy, eta=0.0).prev_sample
        return self.actions.restored(noisy, state)

    @property
    def layout(self) -> dict[str, slice]:
        """Which columns of the attention weights are whose: the encoder's parts, then goal where there is one, time."""
        sizes = {name: part.stop - part.start for name, part in self.encoder.layout.items()}
        return slices({**sizes, **({"goal": 1} if self.config.goal_token else {}), "time": 1})

    def trainable_parameters(self) -> int:
        """Number of parameters that training changes."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def _seen(self, batch: int, generator: torch.Generator, device: torch.device) -> Tensor | None:
        """(B or 1, N) bool: the tokens that are not hidden from the denoiser. One draw per batch, or one per sample."""
        if not self.training or not any(self.config.hide):
            return None
        head, wrist, both = self.config.hide
        draws = torch.rand((1 if self.config.hide_per == BATCH else batch, 1), generator=generator)
        seen = torch.ones(len(draws), self.layout["time"].start, dtype=torch.bool)
        no_head = (draws < head) | ((draws >= head + wrist) & (draws < head + wrist + both))
        no_wrist = (draws >= head) & (draws < head + wrist + both)
        for name, hidden in (("head", no_head), ("target", no_head), ("wrist", no_wrist)):
            if name in self.layout:
                seen[:, self.layout[name]] = ~hidden
        return seen.to(device)

    def _noise_for(self, wanted: Tensor, generator: torch.Generator) -> Tensor:
        """Noise (B * levels, T, 13), each draw given to the action sequence that lies nearest, batch by batch."""
        draws = torch.randn((self.config.noise_levels, *wanted.shape), generator=generator)
        flat = wanted.detach().float().cpu().flatten(1)
        if not flat.isfinite().all():
            raise BatchError("a batch holds actions or states that are no finite numbers; check the data")
        assigned = [draw[nearest_noise(flat, draw.flatten(1))] for draw in draws]
        return torch.stack(assigned, dim=1).flatten(0, 1).to(wanted)

    def _astray(self, predicted: Tensor, batch: dict[str, Tensor], state: Tensor, padded: Tensor) -> Tensor:
        """Mean squared distance, in units of REACH_UNIT_M, of the hand where predicted chunks put it."""
        levels = self.config.noise_levels
        found = self.actions.restored(predicted, state.repeat_interleave(levels, 0))[..., spec.ARM]
        there = hand_points(batch["actions"][..., spec.ARM]).repeat_interleave(levels, 0)
        distance = (hand_points(found) - there).square().sum(-1) / REACH_UNIT_M**2
        return _mean_of_real(distance, padded, self.config.ignore_padding)

    def _hint_losses(self, hints: tuple[Tensor, Tensor] | None, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        if hints is None:
            zero = batch["actions"].new_zeros(())
            return zero, zero
        goal, phase = hints
        wanted = batch["goal"][:, spec.ARM]
        # Not squared: where the same sight was grasped in two ways, a goal between them is the worst of all.
        away = functional.smooth_l1_loss(goal / self.hints.spread, wanted / self.hints.spread, beta=GOAL_BETA)
        if self.config.reach_weight:
            distance = (hand_points(goal) - hand_points(wanted)).square().sum(-1).add(1e-8).sqrt().mean()
            away = away + self.config.reach_weight * distance / GOAL_UNIT_M
        phases = functional.cross_entropy(
            phase.float(), batch["phase"], ignore_index=UNKNOWN_PHASE, reduction="sum"
        ) / (batch["phase"] != UNKNOWN_PHASE).sum().clamp(min=1)
        return away, phases


def nearest_noise(actions: Tensor, noise: Tensor) -> np.ndarray:
    """For each row of `actions` (B, D) the row of `noise` (B, D) of the matching with the least total distance."""
    _, columns = linear_sum_assignment(torch.cdist(actions, noise).numpy())
    return columns


def _mean_of_real(error: Tensor, padded: Tensor, ignore: bool) -> Tensor:
    if not ignore:
        return error.mean()
    real = (~padded).to(error)[..., None].expand_as(error)
    return (error * real).sum() / real.sum().clamp(min=1)
