"""Colour jitter: bounds, draws and types."""

# ruff: noqa: E402 (what needs torch is imported once torch is known to be there)

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

from policy.controller.config import BATCH, SAMPLES, ConfigError
from policy.controller.jitter import jittered

PAPER = (0.3, 0.3, 0.3, 0.1)


def same_pictures(count: int) -> torch.Tensor:
    picture = torch.randint(40, 200, (1, 3, 16, 24), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return picture.expand(count, -1, -1, -1).contiguous()


def changed(per: str, seed: int = 0, images: torch.Tensor | None = None, strengths=PAPER) -> torch.Tensor:
    images = same_pictures(6) if images is None else images
    return jittered(images, strengths, torch.Generator().manual_seed(seed), per=per)


@pytest.mark.parametrize("per", [BATCH, SAMPLES])
def test_the_same_seed_gives_the_same_pictures_and_another_gives_others(per):
    assert torch.equal(changed(per), changed(per))
    assert not torch.equal(changed(per), changed(per, seed=1))
    assert not torch.equal(changed(per), same_pictures(6))


def test_samples_differ_and_a_batch_does_not():
    samples, batch = changed(SAMPLES), changed(BATCH)
    assert (batch == batch[:1]).all()
    assert all(not torch.equal(samples[i], samples[j]) for i in range(6) for j in range(i))


@pytest.mark.parametrize("images", [same_pictures(2), same_pictures(2).float() / 255], ids=["uint8", "float"])
def test_type_shape_and_range_stay(images):
    found = changed(SAMPLES, images=images)
    assert (found.dtype, found.shape) == (images.dtype, images.shape)
    assert found.min() >= 0
    assert found.max() <= (255 if images.dtype == torch.uint8 else 1.0)


def test_nothing_changes_without_strength_and_nothing_of_nothing():
    assert torch.equal(changed(SAMPLES, strengths=(0.0, 0.0, 0.0, 0.0)), same_pictures(6))
    assert changed(SAMPLES, images=same_pictures(6)[:0]).shape == (0, 3, 16, 24)


def test_brightness_is_a_factor_within_its_strength_drawn_evenly():
    images = torch.full((400, 3, 2, 2), 0.5)
    factors = changed(SAMPLES, images=images, strengths=(0.3, 0.0, 0.0, 0.0))[:, 0, 0, 0] / 0.5
    assert factors.min() >= 0.7
    assert factors.max() <= 1.3
    assert float(factors.mean()) == pytest.approx(1.0, abs=0.02)
    assert float(factors.std()) == pytest.approx(0.6 / 12**0.5, abs=0.02)


def test_hue_turns_colours_and_leaves_grey_alone():
    red, grey = torch.tensor([0.8, 0.1, 0.1]).view(1, 3, 1, 1), torch.full((1, 3, 1, 1), 0.4)
    found = changed(SAMPLES, images=torch.cat([red, grey]).expand(-1, -1, 4, 4), strengths=(0.0, 0.0, 0.0, 0.1))
    assert (found[0, :, 0, 0] - red[0, :, 0, 0]).abs().max() > 0.005
    assert float(found[0].amax()) == pytest.approx(0.8)  # the value of a colour is no matter of its hue
    torch.testing.assert_close(found[1], grey[0].expand(-1, 4, 4))


def test_an_unknown_way_to_draw_is_refused():
    with pytest.raises(ConfigError, match="pixels"):
        changed("pixels")
