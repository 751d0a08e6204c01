"""Normalisation, attention and the two ways through the denoiser."""

# ruff: noqa: E402 (what needs torch is imported once torch is known to be there)

import warnings

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

from policy.controller.norms import RmsNorm
from tests.controller_factory import inputs, made, tiny


@pytest.fixture(scope="module")
def controller():
    return made(tiny()).eval()


def observed(controller, batch):
    with torch.no_grad():
        return controller.observe(inputs(controller.config, batch))[0]


@pytest.mark.parametrize("shape", [(3, 5, 16), (2, 4, 3, 8)])
def test_the_norm_and_its_gradients_are_those_of_torch(shape):
    generator = torch.Generator().manual_seed(0)
    ours, theirs = RmsNorm(shape[-1], 1e-6), torch.nn.RMSNorm(shape[-1], 1e-6)
    with torch.no_grad():
        ours.weight.copy_(torch.rand(shape[-1], generator=generator))
        theirs.weight.copy_(ours.weight)
    given, outer = torch.randn((2, *shape), generator=generator)
    outputs, gradients = [], []
    for norm in (ours, theirs):
        x = given.clone().transpose(0, 1).requires_grad_()
        y = norm(x)
        gradients.append(torch.autograd.grad(y, (x, norm.weight), outer.transpose(0, 1)))
        outputs.append(y)
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(ours(given), outputs[1].detach().transpose(0, 1))


def test_the_norm_keeps_bfloat16_and_sums_its_gradient_in_float32():
    norm, x = RmsNorm(32, 1e-6), torch.randn(4000, 32, generator=torch.Generator().manual_seed(0))
    exact = torch.autograd.grad(norm(x.requires_grad_()).square().sum(), norm.weight)[0]
    half = x.detach().bfloat16().requires_grad_()
    assert norm(half).dtype == torch.bfloat16
    coarse = torch.autograd.grad(norm(half).float().square().sum(), norm.weight)[0]
    assert coarse.dtype == torch.float32
    torch.testing.assert_close(coarse, exact, rtol=2e-3, atol=0)


def test_the_norm_of_zeros_is_zero_and_so_is_its_gradient_finite():
    x = torch.zeros(2, 8, requires_grad=True)
    y = RmsNorm(8, 1e-6)(x)
    y.sum().backward()
    assert not y.any()
    assert x.grad.isfinite().all()


def test_rehearsed_steps_are_plain_steps(controller):
    tokens, steps = observed(controller, 3), torch.tensor([45, 21, 0])
    transformer, noisy = controller.transformer, torch.randn(3, 8, 13, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        memory = transformer.remember(tokens)
        rehearsal = transformer.rehearse(memory, steps)
        for index in (0, 2, 1, 0):  # any order: each writes its own time token
            found = transformer.denoise(noisy, rehearsal.pairs, rehearsal.moments[index])
            expected = transformer(noisy, steps[index].repeat(3), memory)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("levels", [2, 3])
def test_noise_levels_of_one_observation_do_not_see_one_another(controller, levels):
    tokens = observed(controller, 2)
    generator = torch.Generator().manual_seed(2)
    noisy = torch.randn(2 * levels, 8, 13, generator=generator)
    steps = torch.randint(50, (2 * levels,), generator=generator)
    with torch.no_grad():
        together = controller.transformer(noisy, steps, controller.transformer.remember(tokens))
        for k in range(2 * levels):
            memory = controller.transformer.remember(tokens[k // levels, None])
            alone = controller.transformer(noisy[k, None], steps[k, None], memory)
            torch.testing.assert_close(together[k, None], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("levels", [1, 2])
def test_hidden_tokens_have_no_influence_and_no_weight(controller, levels):
    tokens, layout = observed(controller, 2), controller.layout
    seen = torch.ones(2, tokens.shape[1], dtype=torch.bool)
    seen[1, layout["head"]] = False
    changed = tokens.clone()
    changed[:, layout["head"]] += 1.0
    noisy = torch.randn(2 * levels, 8, 13, generator=torch.Generator().manual_seed(3))
    steps, maps = torch.full((2 * levels,), 7), []
    with torch.no_grad():
        a, b = (controller.transformer(noisy, steps, controller.transformer.remember(t), seen=seen)
                for t in (tokens, changed))  # fmt: skip
        by_hand = controller.transformer(noisy, steps, controller.transformer.remember(tokens), seen=seen, maps=maps)
    assert (a[:levels] - b[:levels]).abs().max() > 1e-4
    assert torch.equal(a[levels:], b[levels:])
    torch.testing.assert_close(by_hand, a, atol=1e-5, rtol=1e-5)
    assert len(maps) == controller.config.depth
    for weights in maps:
        assert not weights[1, :, :, layout["head"]].any()
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


def test_training_under_bfloat16_is_without_warnings_and_close(controller):
    tokens, noisy = observed(controller, 2), torch.randn(2, 8, 13)
    steps, results = torch.tensor([3, 40]), []
    for half in (False, True):
        with warnings.catch_warnings(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            warnings.simplefilter("error")
            y = controller.transformer(noisy, steps, controller.transformer.remember(tokens)).float()
        results.append((y, *torch.autograd.grad(y.square().mean(), list(controller.transformer.parameters()))))
    for exact, coarse in zip(*results, strict=True):
        assert coarse.dtype == torch.float32
        assert (exact - coarse).norm() < 0.05 * exact.norm() + 1e-4
