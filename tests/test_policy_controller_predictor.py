"""Pictures in, actions out: the predictor, and where it looked."""

# ruff: noqa: E402 (what needs torch is imported once torch is known to be there)

import shutil
from dataclasses import replace

import numpy as np
import pytest
from fresh import in_a_fresh_process

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

from envs import spec
from policy.controller.attention import WeightSum, attention_of
from policy.controller.predictor import BFLOAT16, Predictor, PredictorError
from policy.controller.tower import Tower
from policy.controller.views import observed, zoomed
from tests.controller_factory import inputs, made, pictures, tiny


@pytest.fixture(scope="module")
def predictor():
    return Predictor(made(tiny()))


@pytest.fixture
def begun(predictor):
    head, _, mask, _ = pictures()
    predictor.begin(head, mask)
    return predictor


def test_a_chunk_is_a_function_of_what_is_seen_and_of_the_seed(begun):
    head, wrist, mask, state = pictures(1)
    chunk = begun.predict(head, wrist, mask, state, seed=4)
    assert chunk.shape == (begun.config.horizon, spec.ACTION_DIM)
    assert chunk.dtype == np.float32
    assert (chunk >= spec.ACTION_LOW).all()
    assert (chunk <= spec.ACTION_HIGH).all()
    np.testing.assert_array_equal(chunk, begun.predict(head, wrist, mask, state, seed=4))
    others = [
        begun.predict(head, wrist, mask, state, seed=5), begun.predict(255 - head, wrist, mask, state, seed=4),
        begun.predict(head, 255 - wrist, mask, state, seed=4), begun.predict(head, wrist, 1 - mask, state, seed=4),
        begun.predict(head, wrist, mask, -state, seed=4),
    ]  # fmt: skip
    begun.begin(255 - head, mask)
    others.append(begun.predict(head, wrist, mask, state, seed=4))
    for other in others:
        assert np.abs(chunk - other).max() > 1e-4


def test_the_chunk_is_that_of_the_controller_fed_by_hand(begun):
    head, wrist, mask, state = pictures()
    config, towers = begun.config, begun.towers
    views = [view.float()[None] for view in observed(config, head, wrist, mask)]
    given = {
        "head": towers["head"](views[0] / 255), "wrist": towers["wrist"](views[1] / 255), "mask": views[2],
        "start_mask": views[2], "state": torch.from_numpy(state)[None],
        "target": towers["target"](zoomed(head, mask, config.target).float()[None] / 255),
    }  # fmt: skip
    expected = begun.controller.sample(given, torch.Generator().manual_seed(7))[0].numpy()
    found = begun.predict(head, wrist, mask, state, seed=7)
    np.testing.assert_allclose(found, np.clip(expected, spec.ACTION_LOW, spec.ACTION_HIGH), atol=1e-6)


def test_a_target_out_of_sight_still_gives_actions(begun):
    head, wrist, mask, state = pictures()
    begun.begin(head, np.zeros_like(mask))
    assert np.isfinite(begun.predict(head, wrist, np.zeros_like(mask), state, seed=0)).all()


BAD_STATES = [np.full(13, np.nan), np.r_[np.zeros(12), np.inf], np.zeros(12), np.zeros((1, 13))]


@pytest.mark.parametrize("state", BAD_STATES, ids=["nan", "inf", "short", "batch"])
def test_a_state_that_is_none_is_refused(begun, state):
    with pytest.raises(PredictorError, match="13 finite numbers"):
        begun.predict(*pictures()[:3], state, seed=0)


def test_an_attempt_has_to_begin():
    with pytest.raises(PredictorError, match="begin"):
        Predictor(made(tiny())).predict(*pictures(), seed=0)


def test_damaged_weights_never_reach_the_robot():
    controller = made(tiny())
    with torch.no_grad():
        controller.transformer.head.bias[0] = torch.nan
    predictor, (head, wrist, mask, state) = Predictor(controller), pictures()
    predictor.begin(head, mask)
    with pytest.raises(PredictorError, match="damaged"):
        predictor.predict(head, wrist, mask, state, seed=0)


def test_half_precision_is_close_and_an_unknown_one_is_refused(begun):
    half = Predictor(begun.controller, precision=BFLOAT16)
    head, wrist, mask, state = pictures()
    half.begin(head, mask)
    exact, coarse = (p.predict(head, wrist, mask, state, seed=0) for p in (begun, half))
    assert 0 < np.abs(exact - coarse).max() < 0.05
    with pytest.raises(PredictorError, match="float8"):
        Predictor(begun.controller, precision="float8")


def test_attention_is_one_picture_for_each_view_and_action(begun):
    scene = pictures()
    chunk, attention = begun.predict_with_attention(*scene, seed=3)
    np.testing.assert_allclose(chunk, begun.predict(*scene, seed=3), atol=1e-5)
    horizon = begun.config.horizon
    shapes = {"head": (2, 3), "wrist": (2, 2), "target": (1, 1)}
    assert {name: tuple(m.shape) for name, m in attention.maps.items()} == {
        name: (1, horizon, *grid) for name, grid in shapes.items()
    }
    for maps in attention.maps.values():
        torch.testing.assert_close(maps.sum((-2, -1)), torch.ones(1, horizon))
    assert list(attention.shares) == ["head", "wrist", "target", "geometry", "state", "goal", "time"]
    torch.testing.assert_close(sum(attention.shares.values()), torch.ones(1, horizon))
    for name, whole in attention.over_actions().items():
        assert whole.shape == (1, *shapes[name])
        torch.testing.assert_close(whole.sum((-2, -1)), torch.ones(1))


def test_attention_is_the_sum_over_steps_layers_and_heads():
    controller = made(tiny()).eval()
    given, pieces, summed = inputs(controller.config, 2), [], WeightSum()
    for sink in (pieces, summed):
        controller.sample(given, torch.Generator().manual_seed(0), maps=sink)
    config = controller.config
    assert len(pieces) == config.inference_steps * config.depth
    total = torch.stack(pieces).sum((0, 2))
    torch.testing.assert_close(total, summed.total)
    torch.testing.assert_close(total.sum(-1), torch.full((2, config.horizon), float(len(pieces) * config.heads)))
    attention = attention_of(config, controller.layout, summed.total)
    weighted = attention.weighted()["head"].flatten(2)
    torch.testing.assert_close(weighted, total[..., controller.layout["head"]] / total.sum(-1, keepdim=True))


def test_attention_lands_where_it_is_pulled():
    """Weights made by hand: all of it on the head view's second row, third column."""
    controller = made(replace(tiny(), horizon=2, execute=1))
    weights = torch.zeros(1, 2, controller.layout["time"].stop)
    weights[:, :, controller.layout["head"].start + 1 * 3 + 2] = 5.0
    attention = attention_of(controller.config, controller.layout, weights)
    assert torch.equal(attention.maps["head"], torch.tensor([[0.0, 0, 0], [0, 0, 1]]).expand(1, 2, 2, 3))
    assert attention.shares["head"].tolist() == [[1.0, 1.0]]
    assert not attention.maps["wrist"].any()


class Grey(Tower):
    """A tower that compiles in no time: the mean of each cell, as often as a token is wide."""

    cell, channels = 32, 448

    def __init__(self) -> None:
        super().__init__((0.5,) * 3, (0.5,) * 3)
        self.freeze()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        cells = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), self.cell)
        return cells.flatten(2).transpose(1, 2).expand(-1, -1, self.channels)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@in_a_fresh_process
def test_a_compiled_predictor_says_the_same():
    config, scene = tiny(depth=1, inference_steps=2), pictures()
    towers, chunks = dict.fromkeys(config.views, Grey()), []
    for compiled in (False, True):
        predictor = Predictor(made(config), towers=towers, compiled=compiled)
        predictor.begin(scene[0], scene[2])
        chunks.append(predictor.predict(*scene, seed=1))
    np.testing.assert_allclose(*chunks, atol=1e-4)
