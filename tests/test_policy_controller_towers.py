"""Frozen towers: the real ones of the package, and DINOv2 in little."""

# ruff: noqa: E402 (what needs torch is imported once torch is known to be there)

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

import timm
from safetensors.torch import save_file

from policy.controller import dinov2, lite0
from policy.controller.tower import TowerError
from policy.controller.towers import TOWERS, get_tower

TINY = {"embed_dim": 64, "depth": 2, "num_heads": 1}


@pytest.fixture(scope="module")
def lite():
    return get_tower("efficientnet_lite0").make(None)


@pytest.fixture(scope="module")
def vit():
    """A little DINOv2 of timm's own making, with weights that tell one token from another."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = timm.create_model(
            "vit_small_patch14_dinov2", num_classes=0, img_size=56, dynamic_img_size=True, **TINY
        )
        for value in network.parameters():
            torch.nn.init.normal_(value, std=0.2)
    return network.eval()


@pytest.mark.parametrize("name", TOWERS)
def test_a_tower_is_as_wide_as_it_says_and_folds_as_many_tokens(name):
    kind = TOWERS[name]
    with torch.device("meta"):
        tower = kind.blank()
    assert (tower.channels, tower.cell) == (kind.channels, kind.cell)
    size = (kind.cell * 3, kind.cell * 2)
    assert kind.tokens(size) == tower.tokens(size) == 6
    assert kind.grid(size) == (2, 3)
    with pytest.raises(TowerError, match="not a multiple"):
        kind.tokens((kind.cell * 3 + 1, kind.cell))


@pytest.mark.parametrize(("name", "parameters"), [("dinov2_vitb14", 86_579_712), ("dinov2_vitl14", 304_367_616)])
def test_the_towers_of_the_paper_have_their_size(name, parameters):
    with torch.device("meta"):
        assert sum(value.numel() for value in TOWERS[name].blank().parameters()) == parameters


def test_unknown_towers_list_the_choices():
    with pytest.raises(TowerError, match="dinov2_vitl14, dinov2_vits14, efficientnet_lite0"):
        get_tower("resnet")


def test_normalisations_are_folded_into_convolutions_without_a_difference(lite):
    plain = lite0.blank_network()
    plain.load_state_dict(lite0._state(lite0._packaged()), strict=False)
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = plain.eval()((images - lite.mean) / lite.std)[-1]
    expected = torch.nn.functional.pixel_unshuffle(features, 2).flatten(2).transpose(1, 2)
    found = lite(images)
    assert found.shape == (2, lite.tokens((96, 64)), lite.channels)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in lite.modules())


PING_PONG_BALL, WINDOW_SCREEN = 722, 904  # of the thousand classes that the whole network tells apart


def test_the_weights_of_the_package_know_pictures(lite):
    network = timm.create_model(lite0.MODEL).eval()
    network.load_state_dict(lite0._state(lite0._packaged()))
    rows, columns = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    ball = torch.where((rows - 112) ** 2 + (columns - 112) ** 2 < 70**2, 1.0, 0.15)
    screen = (rows // 4 + columns // 4) % 2
    pictures = torch.stack([ball, screen])[:, None].expand(-1, 3, -1, -1)
    with torch.no_grad():
        chances = network((pictures - lite.mean) / lite.std).softmax(-1)
    assert chances.argmax(-1).tolist() == [PING_PONG_BALL, WINDOW_SCREEN]
    assert chances.amax(-1).min() > 0.1


@pytest.mark.parametrize("place", [(0, 0), (0, 2), (1, 1)])
def test_tokens_come_row_by_row_from_the_upper_left(lite, place):
    """A bright patch changes its own token most: token row * columns + column."""
    images = torch.full((1, 3, 64, 96), 0.3)
    patched = images.clone()
    row, column = place
    patched[:, :, row * 32 + 8 : row * 32 + 24, column * 32 + 8 : column * 32 + 24] = 1.0
    change = (lite(patched) - lite(images)).norm(dim=-1)[0]
    assert change.argmax() == row * 3 + column


def test_a_tower_stays_frozen(lite):
    lite.train()
    assert not any(module.training for module in lite.modules())
    assert not any(value.requires_grad for value in lite.parameters())
    assert lite.digest() == get_tower("efficientnet_lite0").make(None).digest()
    assert lite.digest() != lite0.blank().digest()


def test_dinov2_gives_the_patch_tokens_of_timm(vit):
    tower = dinov2.from_state(vit.state_dict(), "a test")
    images = torch.rand(1, 3, 28, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = vit.forward_features((images - tower.mean) / tower.std)[:, 1:]
    torch.testing.assert_close(tower(images), expected, atol=0, rtol=0)
    patched = images.clone()
    patched[:, :, 14:28, 42:56] += 1.0
    # Attention spreads the change; without it the patch would stay where it is.
    assert (tower(patched) - tower(images)).norm(dim=-1)[0].argmax() == 7


def official(vit: torch.nn.Module, chunk: str) -> dict[str, torch.Tensor]:
    state = {name.replace("blocks.", chunk): value for name, value in vit.state_dict().items()}
    return {**state, "mask_token": torch.zeros(1, 64)}


@pytest.mark.parametrize("chunk", ["blocks.", "blocks.0."])
def test_official_names_load_as_timm_names_do(vit, chunk):
    tower, images = dinov2.from_state(official(vit, chunk), "a test"), torch.rand(1, 3, 28, 28)
    assert torch.equal(tower(images), dinov2.from_state(vit.state_dict(), "a test")(images))


DAMAGED = {
    "blocks.1.attn.qkv.weight": "missing blocks.1.attn.qkv.weight",
    "pos_embed": "pos_embed is missing",
    "norm.weight": "missing norm.weight",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_weights_that_are_incomplete_are_named(vit, name):
    state = vit.state_dict()
    del state[name]
    with pytest.raises(TowerError, match=DAMAGED[name]):
        dinov2.from_state(state, "a test")
    with pytest.raises(TowerError, match="unknown fc"):
        dinov2.from_state({**vit.state_dict(), "fc": torch.zeros(1)}, "a test")


def test_dinov2_loads_from_file_and_folder(vit, tmp_path):
    size = dinov2.Size("somebody/tiny", 64, 2)
    state = {name: value.contiguous() for name, value in vit.state_dict().items()}
    save_file(state, tmp_path / "model.safetensors")
    torch.save(state, tmp_path / "tiny.pth")
    digests = {dinov2.load(size, str(tmp_path / name)).digest() for name in ("", "model.safetensors", "tiny.pth")}
    assert len(digests) == 1
    with pytest.raises(TowerError, match="width 64"):
        get_tower("dinov2_vitb14").make(str(tmp_path))


@pytest.mark.parametrize("name", ["dinov2_vitb14", "efficientnet_lite0"])
def test_files_that_are_none_are_refused(name, tmp_path):
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(b"PK\x03\x04 nothing")
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, other)
    for path in (tmp_path / "absent.pth", damaged, other, tmp_path):
        with pytest.raises(TowerError, match=path.name):
            get_tower(name).make(str(path))


def test_weights_that_cannot_be_fetched_are_asked_for(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", "nowhere")
    with pytest.raises(TowerError, match="hf download somebody/none"):
        dinov2.load(dinov2.Size("somebody/none", 64, 2), None)
