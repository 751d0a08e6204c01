"""The released weights by their published names: in full size without numbers, and in little with them."""

# ruff: noqa: E402 (what needs torch is imported once torch is known to be there)

import json
import pickle
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

from safetensors.torch import save_file

from envs import spec
from policy.controller import checkpoint, dinov2
from policy.controller.checkpoint import CheckpointError
from policy.controller.config import paper
from policy.controller.published import NORMALISER, TOWER_PREFIXES, config_of, from_state, load_published_checkpoint
from tests.controller_factory import pictures

NAMED = json.loads((Path(__file__).parent / "data" / "parity" / "dexgraspvla_state_dict.json").read_text())
RAN: list[str] = []  # what a checkpoint has made this process run


def full_size() -> dict[str, torch.Tensor]:
    """All names and shapes of the released file, without numbers."""
    with torch.device("meta"):
        state = {name: torch.empty(shape) for part in NAMED.values() for name, shape in part.items()}
        for view, size in (("head", dinov2.VIT_B), ("wrist", dinov2.VIT_L)):
            tower = {**dinov2.blank(size).network.state_dict(), "mask_token": torch.empty(1, size.width)}
            state.update({TOWER_PREFIXES[view] + name: value for name, value in tower.items()})
        for key in ("action", "right_state"):
            for part in ("scale", "offset", "input_stats.min", "input_stats.max", "input_stats.mean"):
                state[f"normalizer.params_dict.{key}.{part}"] = torch.empty(13)
    return state


@pytest.fixture(scope="module")
def little() -> dict[str, torch.Tensor]:
    """A made-up checkpoint of the same names: one block each, pictures of 28 pixels, numbers from a generator."""
    generator, state = torch.Generator().manual_seed(0), {}
    shapes = {name: list(shape) for part in NAMED.values() for name, shape in part.items()}
    sizes = {1024: 64, 3072: 96, 768: 32, 2048: 128, 2740: 10, 1536: 384 + 32, 128: 16, 256: 24, 2304: 96, 64: 8}
    kept = {name: shape for name, shape in shapes.items() if ".blocks." not in name and ".layers." not in name}
    kept.update({name: shape for name, shape in shapes.items() if ".blocks.0." in name or ".layers.0." in name})
    for name, shape in kept.items():
        small = [sizes.get(length, length) for length in shape]
        if name.endswith(("attn.qkv.weight", "attn.qkv.bias")):
            small[0] = 3 * 64
        if ".layers." in name and "linear" in name:
            small = [64 if length == 3072 else 32 for length in shape]
        if name == "obs_encoder.wrist_net.0.weight":
            small = [64, 384]
        state[name] = torch.randn(small, generator=generator) * 0.1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for prefix in TOWER_PREFIXES.values():
            tower = dinov2._network(384, 1, 2).state_dict()
            tower["mask_token"] = torch.zeros(1, 384)
            state.update({prefix + name: value for name, value in tower.items()})
    state[NORMALISER + "scale"] = torch.full((13,), 2.0)
    state[NORMALISER + "offset"] = torch.full((13,), 0.25)
    state[NORMALISER + "input_stats.max"] = torch.ones(13)
    return state


def test_the_released_file_is_read_whole():
    state = full_size()
    assert config_of(state, "a test") == paper()
    published = from_state(state, "a test")
    controller = published.controller
    assert controller.trainable_parameters() == 163_712_269
    ours = {id(value) for value in controller.state_dict(keep_vars=True).values()}
    assert len(ours) == len(controller.state_dict())
    assert {view: tower.channels for view, tower in published.towers.items()} == {"head": 768, "wrist": 1024}
    assert sum(v.numel() for v in published.towers["wrist"].parameters()) == 304_367_616


def test_numbers_arrive_under_their_own_names(little):
    published = from_state(little, "a test")
    controller = published.controller
    pairs = {
        "model.blocks.0.cross_attn.kv.weight": controller.transformer.blocks[0].cross_attn.kv.weight,
        "model.cond_pos_emb": controller.transformer.cond_pos_emb,
        "obs_encoder.head_net.4.bias": controller.encoder.head_net[4].bias,
        "obs_encoder.mask_process_net.patch_embed.0.weight": controller.encoder.mask_process_net.patch_embed[0].weight,
        "obs_encoder.dino_wrist.blocks.0.ls2.gamma": published.towers["wrist"].network.blocks[0].ls2.gamma,
        NORMALISER + "scale": controller.actions.scale,
        NORMALISER + "offset": controller.actions.offset,
    }
    for name, value in pairs.items():
        assert torch.equal(value, little[name]), name
    config = controller.config
    assert (config.width, config.depth, config.heads, config.horizon, config.feedforward) == (64, 1, 4, 8, 64)
    assert (config.head.size, config.mask.width, config.mask.depth, config.state_hidden) == ((28, 28), 32, 1, 24)
    assert (config.name, config.execute, config.jitter_per) == ("published", 6, "batch")


def test_it_runs_on_our_pictures(little):
    predictor, (head, wrist, mask, state) = from_state(little, "a test").predictor(), pictures()
    predictor.begin(head, mask)
    chunk = predictor.predict(head, wrist, mask, state, seed=0)
    assert chunk.shape == (8, spec.ACTION_DIM)
    _, attention = predictor.predict_with_attention(head, wrist, mask, state, seed=0)
    assert attention.maps["head"].shape == (1, 8, 2, 2)


def test_normalised_actions_come_back_in_the_units_of_the_file(little):
    space = from_state(little, "a test").controller.actions
    ones, state = torch.ones(1, 1, 13), torch.zeros(1, 13)
    torch.testing.assert_close(space.restored(ones, state), torch.full((1, 1, 13), (1 - 0.25) / 2))


def test_our_rgb_pictures_reach_the_tower_as_the_published_bgr_ones_do(little):
    """The published way, by hand: BGR, flipped, scaled, resized without antialias, ImageNet's mean and deviation."""
    published = from_state(little, "a test")
    predictor, (head, wrist, mask, state) = published.predictor(), pictures()
    head = head // 8 * 8
    bgr = torch.from_numpy(head[..., ::-1].copy())
    planes = bgr.permute(2, 0, 1).flip(0)[None].float() / 255
    planes = torch.nn.functional.interpolate(planes, (28, 28), mode="bilinear", align_corners=False)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = published.towers["head"].network.forward_features((planes - mean) / std)[:, 1:]
    found = predictor.inputs(head, wrist, mask, state)["head"]
    wrong = predictor.inputs(bgr.numpy(), wrist, mask, state)["head"]
    assert (found - expected).abs().max() < 0.05  # ours is rounded to bytes once it is small
    assert (wrong - expected).abs().max() > 0.5


class Settings:
    """What a workspace pickles beside its weights; a class that the reader does not know."""

    def __init__(self) -> None:
        self.values = [1, {"a": 2}]


def spring(word: str) -> None:
    RAN.append(word)


class Trap:
    """A pickle that runs something when it is loaded carelessly."""

    def __reduce__(self) -> tuple:
        return spring, ("ran",)


def workspace(state: dict, **more) -> dict:
    return {"cfg": Settings(), "state_dicts": {"model": state, **more}, "pickles": {"epoch": b"\x80\x04K\x01."}}


def test_every_wrapping_is_opened(little, tmp_path):
    other = {name: value + 1 for name, value in little.items()}
    wrapped = {
        "plain.pt": little,
        "model.pt": {"model": little, "epoch": 3},
        "parallel.pt": {f"module.{name}": value for name, value in little.items()},
        "workspace.ckpt": workspace(little),
        "average.ckpt": workspace(other, ema_model=little),
        "trapped.ckpt": {**workspace(little), "hook": Trap()},
        "parameters.ckpt": workspace({name: torch.nn.Parameter(value) for name, value in little.items()}),
    }
    for name, content in wrapped.items():
        torch.save(content, tmp_path / name)
    torch.save(workspace(little), tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    save_file(little, tmp_path / "weights.safetensors")
    for path in sorted(tmp_path.iterdir()):
        bias = load_published_checkpoint(path).controller.transformer.head.bias
        assert torch.equal(bias, little["model.head.bias"]), path.name
    assert RAN == []
    pickle.loads(pickle.dumps(Trap()))
    assert RAN == ["ran"]  # the trap works
    RAN.clear()


REMOVED = {
    "model.blocks.0.attn.qkv.bias": "missing transformer.blocks.0.attn.qkv.bias",
    NORMALISER + "scale": "missing actions.scale",
    "model.cond_pos_emb": "missing model.cond_pos_emb",
    "obs_encoder.dino_head.norm.bias": r"dino_head.*missing norm.bias",
    "obs_encoder.dino_wrist.pos_embed": "missing obs_encoder.dino_wrist.pos_embed",
}


@pytest.mark.parametrize("name", REMOVED)
def test_what_is_missing_is_named(little, name):
    with pytest.raises(CheckpointError, match=REMOVED[name]):
        from_state({key: value for key, value in little.items() if key != name}, "a test")


ODD = {
    "model.cond_pos_emb": (torch.zeros(1, 11, 64), "11 condition tokens"),
    "model.extra.weight": (torch.zeros(2), "unknown transformer.extra.weight"),
    "model.head.weight": (torch.zeros(7, 64), "size mismatch"),
    "obs_encoder.dino_head.pos_embed": (torch.zeros(1, 5, 320), "tower of width 320"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_does_not_fit_is_named(little, name):
    value, words = ODD[name]
    with pytest.raises(CheckpointError, match=words):
        from_state({**little, name: value}, "a test")


def test_files_that_are_none_say_what_to_do(tmp_path):
    damaged, listing, foreign = (tmp_path / name for name in ("damaged.ckpt", "list.pt", "foreign.pt"))
    damaged.write_bytes(b"\x80\x04 nothing")
    torch.save([1, 2], listing)
    torch.save({"weight": torch.zeros(2)}, foreign)
    for path, words in (
        (tmp_path / "absent", "does not exist"), (damaged, "safetensors.torch.save_file"),
        (listing, "holds a list"), (foreign, "no published controller"),
    ):  # fmt: skip
        with pytest.raises(CheckpointError, match=words) as refusal:
            load_published_checkpoint(path)
        assert str(path) in str(refusal.value)


def test_the_loaded_controller_is_one_of_ours(little, tmp_path):
    """It can be kept in our own format: the configuration says all that the file said."""
    controller = from_state(little, "a test").controller
    checkpoint.save(tmp_path / "ours.safetensors", controller, checkpoint.Origin())
    again, _ = checkpoint.load(tmp_path / "ours.safetensors")
    for (name, value), loaded in zip(controller.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(value, loaded), name
