"""Counting a controller: shapes, parameters, operations and memory, without weights."""

# ruff: noqa: E402 (what needs torch is imported once torch is known to be there)

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

from policy import info
from policy.controller import checkpoint
from policy.controller.account import LivePeak, account
from policy.controller.config import CONFIGS, get_config
from tests.controller_factory import inputs, made, tiny

GIGA = 1e9


@pytest.fixture(scope="module")
def accounts():
    return {name: account(get_config(name)) for name in CONFIGS}


@pytest.fixture(scope="module")
def paper(accounts):
    return accounts["paper"]


def shape_of(counted, name):
    (stage,) = [stage for stage in counted.stages if stage.name == name]
    return stage.shape


def test_paper_has_the_published_shapes_and_parameters(paper):
    shapes = {
        "head picture": (1, 3, 518, 518), "head: dinov2_vitb14": (1, 1369, 768),
        "wrist: dinov2_vitl14": (1, 1369, 1024), "mask transformer": (1, 1369, 768),
        "head projector": (1, 1369, 1024), "state projector": (1, 1024), "observation tokens": (1, 2739, 1024),
        "keys, values": (1, 8, 2740, 128), "noisy actions": (1, 64, 13), "cross-attention": (1, 64, 1024),
        "predicted noise": (1, 64, 13),
    }  # fmt: skip
    assert {name: shape_of(paper, name) for name in shapes} == shapes
    assert paper.trainable == 163_712_269
    assert paper.frozen == 86_579_712 + 304_367_616


def test_operations_of_paper_are_those_of_a_calculation_by_hand(paper):
    tokens, width, horizon, depth = 2739, 1024, 64, 12
    keys_values = 2 * tokens * width * 2 * width * depth
    assert paper.remember_flops == keys_values
    attention = 2 * 2 * horizon * (horizon + tokens + 1) * width
    products = 2 * horizon * width * width * (4 + 2 + 2)
    assert paper.step_flops == pytest.approx(depth * (attention + products) + 2 * 2 * horizon * width * 13, rel=1e-9)
    assert paper.recomputed_flops - paper.chunk_flops == 15 * keys_values
    assert paper.memory_bytes == 2 * depth * (tokens + 1) * width * 4
    patches = 1370
    vit_b = 12 * (2 * patches * 768 * 768 * 12 + 4 * patches * patches * 768) + 2 * 1369 * 768 * 588
    (head,) = [stage.flops for stage in paper.stages if stage.name == "head: dinov2_vitb14"]
    assert head == pytest.approx(vit_b, rel=1e-3)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_prints(name, accounts, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(info, "account", lambda config: accounts[config.name])
    info.main(info.Options(name))
    printed, counted = capsys.readouterr().out, accounts[name]
    assert printed.startswith(f"{name} (configuration)")
    assert f"{counted.trainable:,}" in printed
    assert f"{counted.frozen:,}" in printed
    assert all(stage.name in printed for stage in counted.stages)
    assert "keys and values kept" in printed


def test_a_checkpoint_is_counted_with_its_origin(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    controller, path = made(tiny()), tmp_path / "controller.safetensors"
    checkpoint.save(path, controller, checkpoint.Origin(data=("abc",), updates=1234))
    info.main(info.Options(str(path)))
    printed = capsys.readouterr().out
    assert printed.startswith("tiny (checkpoint after 1,234 updates, data abc)")
    assert f"{controller.trainable_parameters():,}" in printed


@pytest.mark.parametrize(("what", "words"), [("large", "choose from"), ("no/such.safetensors", "does not exist")])
def test_what_is_no_controller_ends_with_a_message(what, words, capsys):
    with pytest.raises(SystemExit) as ended:
        info.main(info.Options(what))
    assert ended.value.code == 2
    assert words in capsys.readouterr().out


def test_counted_shapes_are_those_of_a_real_chunk():
    controller = made(tiny()).eval()
    counted, given = account(controller.config), inputs(controller.config, 1)
    for name, view in controller.config.views.items():
        assert shape_of(counted, f"{name}: {view.tower}") == tuple(given[name].shape)
    tokens, _ = controller.observe(given)
    assert shape_of(counted, "observation tokens") == tuple(tokens.shape)
    pair = controller.transformer.rehearse(controller.transformer.remember(tokens), torch.tensor([3])).pairs[0]
    assert shape_of(counted, "keys, values") == tuple(pair[0].shape)


def test_the_peak_is_the_most_that_lives_at_once():
    weights = torch.nn.Linear(256, 256, bias=False)
    with torch.no_grad(), LivePeak(weights) as peak:
        x = torch.zeros(1, 256)  # 1 KiB
        for _ in range(5):
            x = weights(x)  # two at a time
        assert peak.peak == 2 * 1024
        wide = torch.zeros(1000, 256)
        view = wide[3:].t()
        assert peak.peak == 1024 + 1000 * 1024
        del wide, view, x
        torch.zeros(10, 256)
    assert peak.peak == 1024 + 1000 * 1024
