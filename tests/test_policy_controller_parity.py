"""Our networks against numbers that the published ones gave, with weights made up from the parameters' names."""

# ruff: noqa: E402 (what needs torch is imported once torch is known to be there)

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

from policy.controller.config import get_config
from policy.controller.controller import Controller
from policy.controller.encoder import projector
from policy.controller.published import our_name
from policy.controller.transformer import ActionTransformer

DATA = Path(__file__).parent / "data" / "parity"
NAMED = json.loads((DATA / "dexgraspvla_state_dict.json").read_text())
PUBLISHED = {name: tuple(shape) for part in NAMED.values() for name, shape in part.items()}
NORMS = ("norm", "ln_f")
TOLERANCE = 1e-4


def made_up(name: str, shape: tuple[int, ...], norm: bool) -> torch.Tensor:
    """The weights that the cases were computed with; norm: the weight of a normalisation layer."""
    draw = np.random.Generator(np.random.Philox(zlib.crc32(name.encode()))).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(1 + np.float32(0.1) * draw if norm else np.float32(0.05) * draw)


def filled(network: torch.nn.Module, prefix: str) -> torch.nn.Module:
    with torch.no_grad():
        for name, value in network.named_parameters():
            norm = any(word in name for word in NORMS) or name in ("1.weight", "5.weight")
            value.copy_(made_up(prefix + name, tuple(value.shape), norm))
    return network.eval()


@pytest.fixture(scope="module")
def transformer():
    network = ActionTransformer(
        tokens=11, horizon=16, action_dim=13, width=64, depth=2, heads=4, feedforward=64, dropout=0.1,
        time_channels=256,
    )  # fmt: skip
    return filled(network, "model.")


@pytest.mark.parametrize("path", ["forward", "denoise", "with maps", "with gradients"])
def test_the_transformer_predicts_what_the_published_one_predicted(transformer, path):
    case = np.load(DATA / "dit_small.npz")
    noisy, condition = torch.from_numpy(case["x"]), torch.from_numpy(case["cond"])
    steps = torch.full((len(noisy),), int(case["t"]))
    with torch.set_grad_enabled(path == "with gradients"):
        memory = transformer.remember(condition)
        if path == "denoise":
            rehearsal = transformer.rehearse(memory, torch.tensor([49, int(case["t"]), 0]))
            found = transformer.denoise(noisy, rehearsal.pairs, rehearsal.moments[1])
        else:
            found = transformer(noisy, steps, memory, maps=[] if path == "with maps" else None)
    np.testing.assert_allclose(found.detach().numpy(), case["y"], atol=TOLERANCE, rtol=0)


def test_the_state_token_is_the_published_one():
    case = np.load(DATA / "state_net.npz")
    network = filled(projector(13, 256, 1024, 0.1), "obs_encoder.state_net.")
    with torch.no_grad():
        found = network(torch.from_numpy(case["s"]))
    np.testing.assert_allclose(found.numpy(), case["y"], atol=TOLERANCE, rtol=0)


@pytest.fixture(scope="module")
def paper_parameters():
    with torch.device("meta"):
        controller = Controller(get_config("paper"))
    return {name: tuple(value.shape) for name, value in controller.named_parameters()}


def test_every_published_parameter_has_its_place_and_there_are_no_others(paper_parameters):
    translated = {our_name(name): shape for name, shape in PUBLISHED.items() if our_name(name)}
    assert translated == paper_parameters
    left_over = [name for name in PUBLISHED if not our_name(name)]
    assert all(name.endswith("_dummy_variable") for name in left_over)
    assert len(translated) + len(left_over) == len(PUBLISHED)


@pytest.mark.parametrize(("name", "count"), [("paper", 163_712_269), ("nonprehensile", 105_559_565)])
def test_trainable_parameters_are_counted_as_published(name, count):
    with torch.device("meta"):
        assert Controller(get_config(name)).trainable_parameters() == count
