"""Pictures, masks and their geometry, against the same computed with plain numpy."""

# ruff: noqa: E402 (what needs torch is imported once torch is known to be there)

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

from policy.controller.config import View, get_config
from policy.controller.geometry import GEOMETRY, mask_geometry
from policy.controller.views import LEAST_ZOOM, ZOOM, mask_picture, observed, picture, zoomed
from tests.controller_factory import pictures, tiny


def reference(mask: np.ndarray) -> np.ndarray:
    """What `mask_geometry` should say of a (H, W) mask of zeros and ones, pixel by pixel."""
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    if len(rows) < 4:
        return np.zeros(GEOMETRY)
    x, y = columns / (width - 1) * 2 - 1, rows / (height - 1) * 2 - 1
    xy = np.cov(np.stack([x, y]), bias=True)
    moments = [10 * xy[0, 0], 10 * xy[1, 1], 10 * xy[0, 1]]
    return np.array([1, x.mean(), y.mean(), np.sqrt(mask.mean()), *moments, x.min(), y.min(), x.max(), y.max()])


@pytest.mark.parametrize("seed", range(6))
def test_geometry_is_what_numpy_says(seed):
    rng = np.random.default_rng(seed)
    masks = np.zeros((3, 40, 56), np.float32)
    for mask in masks:
        x, y = rng.integers(0, 40), rng.integers(0, 30)
        mask[y : y + rng.integers(1, 20), x : x + rng.integers(1, 30)] = rng.random() < 0.9
        mask[rng.random(mask.shape) < 0.01] = 1
    found = mask_geometry(torch.from_numpy(masks)[:, None])
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), [reference(mask) for mask in masks], atol=2e-5)


@pytest.mark.parametrize("pixels", [0, 3])
def test_geometry_of_what_is_hidden_is_zero(pixels):
    mask = torch.zeros(1, 1, 20, 30)
    mask.view(-1)[:pixels] = 1
    assert not mask_geometry(mask).any()


def test_the_crop_is_cut_out_before_it_is_resized():
    image = np.zeros((480, 640, 3), np.uint8)
    image[:, 64:] = (200, 10, 30)
    image[384:] = 255
    seen = picture(image, View("efficientnet_lite0", (96, 64), crop=(0.1, 0.0, 1.0, 0.8)), antialias=True)
    assert seen.shape == (3, 64, 96)
    assert seen.dtype == torch.uint8
    assert (seen == torch.tensor([200, 10, 30], dtype=torch.uint8)[:, None, None]).all()


def test_resizing_without_antialias_is_bilinear_between_pixel_centres():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    seen = picture(image, View("x", (3, 2)), antialias=False).permute(1, 2, 0).numpy()
    expected = image.reshape(2, 2, 3, 2, 3).astype(float).mean((1, 3))  # a halved picture: means of four
    assert np.abs(seen - expected).max() <= 0.5


@pytest.mark.parametrize("antialias", [True, False])
def test_masks_are_cropped_as_the_head_picture_is(antialias):
    mask = np.zeros((480, 640), np.uint8)
    mask[:384, 64:352] = 1  # the left half of the crop
    seen = mask_picture(mask, View("x", (96, 64), crop=(0.1, 0.0, 1.0, 0.8)), antialias=antialias)
    assert seen.shape == (1, 64, 96)
    assert seen.dtype == torch.float32
    assert seen[:, :, :46].min() == pytest.approx(1.0)
    assert not seen[:, :, 50:].any()
    assert set(np.unique(mask_picture(mask, View("x", (96, 64)), antialias=False))) == {0.0, 1.0}


ZOOMED = {
    "middle": (200, 300, 40, 60), "upper left": (0, 0, 30, 30), "lower right": (450, 600, 30, 40),
    "tall": (10, 300, 460, 20), "dot": (100, 100, 1, 1), "everything": (0, 0, 480, 640),
}  # fmt: skip


@pytest.mark.parametrize("where", ZOOMED)
def test_the_zoom_holds_the_whole_mask_also_at_the_border(where):
    top, left, height, width = ZOOMED[where]
    mask = np.zeros((480, 640), np.uint8)
    mask[top : top + height, left : left + width] = 1
    seen = zoomed(mask[..., None].repeat(3, 2) * 255, mask, View("x", (64, 64)))
    assert seen.shape == (3, 64, 64)
    side = min(max(ZOOM * max(height, width), LEAST_ZOOM * 640), 480)
    shown = (seen[0].double() / 255).mean() * side**2
    assert shown == pytest.approx(height * min(width, 480), rel=0.1)


def test_the_zoom_of_an_empty_mask_is_the_middle_of_the_picture():
    head, _, mask, _ = pictures()
    head[:, :80] = head[:, 560:] = 0
    seen = zoomed(head, np.zeros_like(mask), View("x", (48, 48)))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(head[:, 80:560].copy()).permute(2, 0, 1)[None], (48, 48), mode="bilinear", antialias=True
    )[0]
    assert torch.equal(seen, expected)


@pytest.mark.parametrize("config", [tiny(), get_config("paper")], ids=lambda config: config.name)
def test_a_moment_is_seen_in_the_sizes_of_the_configuration(config):
    head, wrist, mask, _ = pictures()
    seen = observed(config, head, wrist, mask)
    sizes = [(config.head, 3), (config.wrist, 3), (config.head, 1)]
    assert [tuple(view.shape) for view in seen] == [(c, v.size[1], v.size[0]) for v, c in sizes]
