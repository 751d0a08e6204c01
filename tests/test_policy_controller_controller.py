"""The controller as a whole: losses, gradients, sampling; action space and noise assignment."""

# ruff: noqa: E402 (what needs torch is imported once torch is known to be there)

import warnings
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

from envs import spec
from policy.controller.actions import ActionSpace
from policy.controller.config import ABSOLUTE, BATCH, NOISE, RELATIVE, SAMPLE, SAMPLES, View, get_config
from policy.controller.controller import BatchError, Controller, nearest_noise
from tests.controller_factory import batch_of, inputs, made, tiny

PLAIN = {"target": None, "geometry": False, "goal_token": False, "goal_weight": 0.0, "phase_weight": 0.0}
VARIANTS = {
    "small": tiny(),
    "as published": tiny(
        **PLAIN, predicts=NOISE, arm=ABSOLUTE, noise_levels=1, ignore_padding=False, hide=(0.0, 0.0, 0.0)
    ),
    "no goal token": tiny(goal_token=False),
    "hiding": tiny(hide=(0.3, 0.3, 0.3), hide_per=SAMPLES),
    "dropout": tiny(dropout=0.1, noise_levels=3),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def optimised(controller: Controller, steps: int) -> list[float]:
    """The chunk losses of training on one batch again and again."""
    config, losses = controller.config, []
    given, batch = inputs(config, 4), batch_of(config, 4)
    optimiser, generator = torch.optim.AdamW(controller.parameters(), 3e-3), seeded()
    controller.train()
    for _ in range(steps):
        optimiser.zero_grad()
        loss = controller.losses(given, batch, generator)
        loss.total.backward()
        optimiser.step()
        losses.append(float(loss.total.detach()))
    return losses


@pytest.mark.parametrize("name", VARIANTS)
def test_thirty_steps_on_one_batch_learn_it(name):
    losses = optimised(made(VARIANTS[name]), 30)
    assert np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:3])


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_reach_every_parameter(name):
    controller = made(VARIANTS[name]).train()
    controller.losses(inputs(controller.config, 4), batch_of(controller.config, 4), seeded()).total.backward()
    unused = [name for name, value in controller.named_parameters() if value.grad is None or not value.grad.any()]
    assert unused == []


def test_a_whole_training_step_is_clean_under_bfloat16():
    controller, found = made(tiny(goal_token=True)).train(), []
    for half in (False, True):
        with warnings.catch_warnings(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            warnings.simplefilter("error")
            loss = controller.losses(inputs(controller.config, 4), batch_of(controller.config, 4), seeded())
            loss.total.backward()
        assert all(value.grad.dtype == torch.float32 for value in controller.parameters())
        found.append(float(loss.total.detach()))
    assert found[0] == pytest.approx(found[1], rel=0.03)


def test_padded_actions_stay_out_of_the_loss_where_that_is_configured():
    for ignore in (True, False):
        controller = made(tiny(ignore_padding=ignore, predicts=SAMPLE)).eval()
        given, batch = inputs(controller.config, 2), batch_of(controller.config, 2)
        other = {**batch, "actions": batch["actions"].clone()}
        other["actions"][batch["padded"]] += 1.0
        # The noise that is matched to the actions may change with them: one sample leaves no choice.
        parts = [{k: v[:1] for k, v in b.items()} for b in (given, batch, other)]
        clean = [controller.losses(parts[0], part, seeded()).chunk for part in parts[1:]]
        noisy_tail_only = controller.config.ignore_padding
        assert (abs(clean[0] - clean[1]) < 0.05) == noisy_tail_only


def test_hiding_draws_once_per_batch_or_for_each_sample():
    for per, patterns in ((BATCH, 1), (SAMPLES, 4)):
        controller = made(tiny(hide=(0.25, 0.25, 0.25), hide_per=per)).train()
        layout, found = controller.layout, set()
        for seed in range(20):
            seen = controller._seen(8, seeded(seed), torch.device("cpu"))
            rows = {(bool(row[layout["head"]].all()), bool(row[layout["wrist"]].all())) for row in seen}
            found |= rows
            assert len(seen) == (1 if per == BATCH else 8)
            assert len(rows) <= patterns
            assert torch.equal(seen[:, layout["head"]].any(1), seen[:, layout["target"]].all(1))
            assert seen[:, layout["state"]].all()
        assert found == {(a, b) for a in (True, False) for b in (True, False)}
        assert controller.eval()._seen(8, seeded(), torch.device("cpu")) is None


def test_chances_of_hiding_are_the_configured_ones():
    controller = made(tiny(hide=(0.1, 0.1, 0.1), hide_per=SAMPLES)).train()
    seen = controller._seen(20_000, seeded(), torch.device("cpu"))
    head, wrist = (~seen[:, controller.layout[name]].all(1) for name in ("head", "wrist"))
    shares = [(head & ~wrist), (wrist & ~head), (head & wrist)]
    assert [float(share.float().mean()) for share in shares] == pytest.approx([0.1, 0.1, 0.1], abs=0.01)


@pytest.mark.parametrize("name", VARIANTS)
def test_remembered_keys_and_values_change_nothing(name):
    controller = made(VARIANTS[name]).eval()
    given = inputs(controller.config, 2)
    cached = controller.sample(given, seeded())
    assert cached.shape == (2, controller.config.horizon, spec.ACTION_DIM)
    torch.testing.assert_close(cached, controller.sample(given, seeded(), cached=False), atol=1e-5, rtol=0)


def test_samples_follow_their_seed_and_nothing_else():
    controller = made(tiny()).eval()
    given = inputs(controller.config, 2)
    first = controller.sample(given, seeded())
    torch.manual_seed(123)
    assert torch.equal(first, controller.sample(given, seeded()))
    assert (first - controller.sample(given, seeded(1))).abs().max() > 1e-3


def test_the_schedule_is_the_published_one():
    controller = made(get_config("small"))
    controller.schedule.set_timesteps(16)
    assert controller.schedule.timesteps.tolist() == list(range(45, -1, -3))
    assert float(controller.schedule.alphas_cumprod[45]) == pytest.approx(0.0155, abs=5e-5)


def test_a_perfect_denoiser_is_followed_to_the_wanted_chunk(monkeypatch):
    """With a denoiser that knows the answer the sampler ends there, whichever of the two it predicts."""
    for predicts in (NOISE, SAMPLE):
        controller = made(tiny(predicts=predicts, inference_steps=16)).eval()
        given, wanted = inputs(controller.config, 1), torch.rand(1, 8, 13, generator=seeded()) * 1.6 - 0.8
        alphas, steps = controller.schedule.alphas_cumprod, iter(range(45, -1, -3))

        def knowing(noisy, *_, predicts=predicts, alphas=alphas, steps=steps, wanted=wanted):
            alpha = alphas[next(steps)]
            return wanted if predicts == SAMPLE else (noisy - alpha.sqrt() * wanted) / (1 - alpha).sqrt()

        monkeypatch.setattr(controller.transformer, "denoise", knowing)
        expected = controller.actions.restored(wanted, given["state"])
        torch.testing.assert_close(controller.sample(given, seeded()), expected, atol=1e-4, rtol=0)


def test_nan_in_a_batch_is_refused_and_in_weights_is_nan_in_the_loss():
    controller = made(tiny()).train()
    given, batch = inputs(controller.config, 2), batch_of(controller.config, 2)
    for part in (given["state"], batch["actions"]):
        kept = part.clone()
        part.view(-1)[0] = torch.nan
        with pytest.raises(BatchError, match="no finite numbers"):
            controller.losses(given, batch, seeded())
        part.copy_(kept)
    with torch.no_grad():
        controller.transformer.blocks[0].ffn.fc1.bias[0] = torch.nan
    assert controller.losses(given, batch, seeded()).total.isnan()


@pytest.mark.parametrize("arm", [ABSOLUTE, RELATIVE])
def test_the_action_space_has_an_inverse(arm):
    space = ActionSpace(arm)
    low, high = -torch.rand(13, generator=seeded()), torch.rand(13, generator=seeded(1))
    high[3] = low[3]  # a joint that never moves
    space.fit(low, high)
    state = torch.rand(4, 13, generator=seeded(2)) - 0.5
    actions = torch.rand(4, 6, 13, generator=seeded(3)) * 2 - 1
    normalised = space.normalised(actions, state)
    torch.testing.assert_close(space.restored(normalised, state), actions, atol=1e-5, rtol=0)
    torch.testing.assert_close(space.represented(actions, state)[..., spec.HAND], actions[..., spec.HAND])
    bounds = torch.stack([low, high])[:, None]
    zero = torch.zeros(2, 13)
    edges = space.normalised(bounds, zero)[:, 0]
    moving = torch.arange(13) != 3
    torch.testing.assert_close(edges[:, moving], torch.tensor([[-1.0], [1.0]]).expand(2, 12), atol=1e-5, rtol=0)
    assert edges[:, 3].abs().max() < 1e-5
    shifted = space.normalised(actions + 0.1, state + 0.1) - normalised
    assert bool((shifted[..., spec.ARM].abs() < 1e-5).all()) == (arm == RELATIVE)


def test_the_assignment_is_a_permutation_that_shortens_the_way():
    actions, noise = torch.randn((2, 24, 104), generator=seeded())
    chosen = nearest_noise(actions, noise)
    assert sorted(chosen) == list(range(24))
    before, after = ((actions - n).norm(dim=1).sum() for n in (noise, noise[chosen]))
    assert after < before
    swapped = chosen.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert after <= (actions - noise[swapped]).norm(dim=1).sum()
    assert nearest_noise(noise[chosen], noise).tolist() == chosen.tolist()


def test_views_that_cells_do_not_fill_are_refused():
    with pytest.raises(Exception, match="not a multiple of 32"):
        Controller(replace(tiny(), wrist=View("efficientnet_lite0", (70, 64))))
