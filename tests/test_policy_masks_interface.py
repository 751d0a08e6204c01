"""What all masks share: names, checks of pictures and boxes, what is privileged."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from envs.interface import DexClutterError, Truth
from policy.masks import interface
from policy.masks.interface import MaskError, Tracker, box_of, check_box
from policy.masks.sources import MASKS, make_masks

HEAD = np.zeros((48, 64, 3), np.uint8)
BOX = (10.0, 10.0, 30.0, 25.0)


class Echo(Tracker):
    """Fills the box, once; then nothing."""

    name = "echo"

    def _start(self, head, box):
        mask = np.zeros(head.shape[:2], np.uint8)
        mask[box[1] : box[3], box[0] : box[2]] = 1
        return mask

    def _track(self, head):
        return np.zeros(head.shape[:2], np.uint8)


class World:
    """Stands for an environment; its truth is a square."""

    def __init__(self, shape=(48, 64), truth=True):
        self.truth = FakeTruth(shape) if truth else None


class FakeTruth(Truth):
    def __init__(self, shape):
        self.mask = np.zeros(shape, np.uint8)
        self.mask[5:9, 6:12] = 1

    def target_mask(self):
        return self.mask.copy()

    def target_height_m(self):
        return 0.0

    def target_touched(self):
        return False


def test_the_three_names():
    assert set(MASKS) == {"privileged", "classic", "sam2"}
    with pytest.raises(MaskError, match="unknown masks 'sam9'; choose from: classic, privileged, sam2"):
        make_masks("sam9")
    with pytest.raises(MaskError, match=r"'privileged' do not take these settings .*speed"):
        make_masks("privileged", speed=1)
    assert issubclass(MaskError, DexClutterError)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    for module in [name for name in sys.modules if name.startswith("policy.masks.") and name != interface.__name__]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(MaskError, match=r"'classic' need the package 'cv2': install .* extra `policy`"):
        make_masks("classic")


def test_only_privileged_masks_say_so():
    assert make_masks("privileged").privileged == ("masks",)
    assert Tracker.privileged == ()


@pytest.mark.parametrize(
    ("box", "covered"),
    [
        ((10, 10, 30, 25), (10, 10, 30, 25)),
        ((10.2, 10.9, 29.1, 24.01), (10, 10, 30, 25)),
        ((-5, -3, 20, 20), (0, 0, 20, 20)),
        ((50, 40, 90.5, 70), (50, 40, 64, 48)),
        (np.array([1.0, 2, 9, 9]), (1, 2, 9, 9)),
    ],
)
def test_a_box_is_covered_by_whole_pixels_and_clipped(box, covered):
    assert check_box(box, 64, 48) == covered


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((30, 10, 10, 25), "ends before it begins"),
        ((10, 10, 30, 10), "ends before it begins"),
        ((70, 10, 90, 25), "leaves 0x15 pixels of a picture of 64x48"),
        ((10, 10, 12, 25), "leaves 2x15 pixels"),
        ((0.1, 0.2, 0.5, 0.6), "in pixels?"),
        ((10, 10, float("nan"), 25), "four finite numbers"),
        ((10, 10, 30), "four finite numbers"),
        ("box!", "four numbers"),
        (None, "four numbers"),
    ],
)
def test_a_bad_box_is_refused_with_words(box, words):
    with pytest.raises(MaskError, match=words.replace("?", r"\?")):
        Echo().start(HEAD, box)


@pytest.mark.parametrize("head", [HEAD[..., 0], HEAD.astype(float), np.zeros((48, 64, 4), np.uint8), [[1]]])
def test_a_bad_picture_is_refused(head):
    with pytest.raises(MaskError, match="uint8 RGB of shape"):
        Echo().start(head, BOX)


def test_lost_follows_the_mask_and_begin_forgets():
    masks = Echo()
    assert masks.lost
    masks.start(HEAD, BOX)
    assert not masks.lost
    masks.track(HEAD)
    assert masks.lost
    with pytest.raises(MaskError, match="64x48 pixels and goes on with 32x24"):
        masks.track(HEAD[::2, ::2])
    masks.begin(World())
    with pytest.raises(MaskError, match=r"call start\(\) with a box first"):
        masks.track(HEAD)


def test_box_of_a_mask():
    mask = np.zeros((48, 64), np.uint8)
    assert box_of(mask) is None
    mask[3, 7] = mask[9, 20] = 1
    assert box_of(mask) == (7.0, 3.0, 21.0, 10.0)


def test_privileged_masks_are_the_truth_of_the_moment():
    world, masks = World(), make_masks("privileged")
    with pytest.raises(MaskError, match=r"begin\(env\) before start"):
        masks.start(HEAD, BOX)
    masks.begin(world)
    np.testing.assert_array_equal(masks.start(HEAD, BOX), world.truth.mask)
    world.truth.mask = np.roll(world.truth.mask, 9)
    np.testing.assert_array_equal(masks.track(HEAD), world.truth.mask)
    assert not masks.lost
    world.truth.mask[:] = 0
    assert not masks.track(HEAD).any()
    assert masks.lost


def test_privileged_masks_need_a_simulation_and_its_size():
    masks = make_masks("privileged")
    with pytest.raises(MaskError, match="no truth"):
        masks.begin(World(truth=False))
    masks.begin(World(shape=(24, 32)))
    with pytest.raises(MaskError, match=r"\(24, 32\), the head picture \(48, 64\)"):
        masks.start(HEAD, BOX)


def test_names_and_checks_load_neither_opencv_nor_torch():
    code = (
        "import sys; from policy.masks.sources import make_masks; import policy.masks.noise;"
        "make_masks('privileged');"
        "sys.exit(', '.join({'mujoco', 'torch', 'cv2', 'transformers'} & sys.modules.keys()) or None)"
    )
    root = Path(__file__).parent.parent
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
