"""Invariants of pictures: each holds of good ones and breaks on the fault it is meant to find."""

import numpy as np
import pytest

from datagen import sight

PICTURE = np.random.default_rng(0).integers(0, 200, (48, 64, 3), dtype=np.uint8)


def mask(x0=10, y0=5, x1=20, y1=12, shape=(48, 64)):
    drawn = np.zeros(shape, np.uint8)
    drawn[y0:y1, x0:x1] = 1
    return drawn


def test_bounds_enclose_the_mask_and_nothing_more():
    np.testing.assert_array_equal(sight.bounds(mask()), [10, 5, 20, 12])
    np.testing.assert_array_equal(sight.bounds(mask(3, 4, 4, 5)), [3, 4, 4, 5])
    np.testing.assert_array_equal(sight.bounds(np.zeros((48, 64), np.uint8)), [-1, -1, -1, -1])
    assert sight.bounds(mask()).dtype == np.float32


def test_each_box_must_bound_its_mask():
    masks = [mask(), np.zeros((48, 64), np.uint8), mask(1, 2, 3, 4)]
    boxes = np.stack([sight.bounds(m) for m in masks])
    assert sight.box_fault(masks, boxes) == ""
    for step, corner in ((0, 2), (1, 0), (2, 3)):
        wrong = boxes.copy()
        wrong[step, corner] += 1
        assert sight.box_fault(masks, wrong).startswith(f"obs/box at step {step} is ")
    assert sight.box_fault([m * 255 for m in masks], boxes) == "obs/mask holds 255 at step 0, should be 0 or 1"


@pytest.mark.parametrize(("shape", "least"), [((480, 640), 200), ((240, 320), 50), ((120, 160), 12.5)])
def test_the_target_shows_enough_pixels_for_the_size_of_the_picture(shape, least):
    assert sight.least_visible_px(shape) == least
    seen = np.zeros(shape, np.uint8)
    seen.flat[: int(np.ceil(least))] = 1
    assert sight.target_hidden(seen) == ""
    seen.flat[int(np.ceil(least)) - 1] = 0
    assert "pixels of the target are visible" in sight.target_hidden(seen)


def test_signal_to_noise_is_that_of_the_textbook():
    assert sight.psnr_db(PICTURE, PICTURE) == np.inf
    assert sight.psnr_db(PICTURE, PICTURE + np.uint8(1)) == pytest.approx(20 * np.log10(255))


def test_exact_frames_must_be_equal_and_others_nearly():
    near, far = PICTURE + np.uint8(2), PICTURE[::-1]
    assert sight.frame_fault("head", 3, PICTURE, PICTURE.copy(), sight.EQUAL_DB) == ""
    assert sight.frame_fault("head", 3, PICTURE, near, sight.MIN_PSNR_DB) == ""
    assert sight.frame_fault("head", 3, PICTURE, near, sight.EQUAL_DB) == (
        "obs/head at step 3 is not what its state shows (42.1 dB, should be equal)"
    )
    assert "at least 30 wanted" in sight.frame_fault("wrist", 3, PICTURE, far, sight.MIN_PSNR_DB)
    assert "has shape" in sight.frame_fault("wrist", 3, PICTURE, PICTURE[:-1], sight.MIN_PSNR_DB)


def test_masks_cover_the_targets_pixels():
    good, one_less, shifted = mask(), mask(x1=20), mask(11, 5, 21, 12)
    one_less[5, 10] = 0
    assert sight.mask_fault(2, good, good.copy(), True) == ""
    assert sight.mask_fault(2, one_less, good, True) == "obs/mask at step 2 differs from the target's pixels in 1 of 70"
    assert sight.mask_fault(2, one_less, good, False) == ""
    assert "differs" in sight.mask_fault(2, shifted, good, False)
    assert "has shape" in sight.mask_fault(2, good[:-1], good, False)
