"""Classic masks on pictures whose masks are known exactly, and on one real episode."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")

from policy.masks.classic import ClassicMasks
from policy.masks.first_mask import first_mask
from policy.masks.interface import box_of
from policy.masks.sources import make_masks

WIDTH, HEIGHT = 640, 480
ROWS, COLUMNS = np.ogrid[:HEIGHT, :WIDTH]
RED, GREEN, TABLE, ROBOT = (190, 40, 30), (30, 150, 50), (205, 205, 200), (150, 152, 155)
BACKGROUND = (np.array(TABLE) + 6 * (np.sin(COLUMNS / 9.0) * np.sin(ROWS / 13.0))[..., None]).astype(np.uint8)


@dataclass(frozen=True)
class Moment:
    """What a synthetic picture shows: a disc with a stripe, a neighbour of the same colour, and an arm over both."""

    centre: tuple[float, float] = (300.0, 200.0)  # x, y
    radius: float = 35.0
    arm: float | None = None  # x of the arm's tip; it comes from the right
    arm_row: float = 200.0
    arm_width: float = 25.0  # half of it
    colour: tuple[int, int, int] = RED
    present: bool = True
    light: float = 1.0

    def truth(self):
        return (self._disc() & ~self._arm()).astype(np.uint8)

    def picture(self, rng=None, noise=0.0):
        picture = BACKGROUND.copy()
        picture[170:230, 170:220] = self.colour
        disc = self._disc()
        picture[disc] = self.colour
        picture[disc & (np.abs(ROWS - self.centre[1] - 0.3 * self.radius) < 0.15 * self.radius)] = (240, 230, 60)
        if self.arm is not None:
            top, bottom = int(self.arm_row - self.arm_width), int(self.arm_row + self.arm_width)
            shade = 25 * np.sin((np.arange(WIDTH) - self.arm) / 17.0)
            painted = np.clip(np.array(ROBOT) + shade[:, None], 0, 255).astype(np.uint8)
            picture[max(top, 0) : bottom, int(self.arm) :] = painted[int(self.arm) :]
        if rng is None:
            return picture
        wide = picture * np.float32(self.light) + noise * rng.standard_normal(picture.shape, dtype=np.float32)
        return np.clip(wide, 0, 255).astype(np.uint8)

    def _disc(self):
        inside = (COLUMNS - self.centre[0]) ** 2 + (ROWS - self.centre[1]) ** 2 <= self.radius**2
        return inside if self.present else np.zeros_like(inside)

    def _arm(self):
        if self.arm is None:
            return np.zeros((HEIGHT, WIDTH), bool)
        top, bottom = int(self.arm_row - self.arm_width), int(self.arm_row + self.arm_width)
        return (int(self.arm) <= COLUMNS) & (top <= ROWS) & (bottom > ROWS)


def play(moments, masks=None, **noise):
    masks = masks or ClassicMasks()
    found = [masks.start(moments[0].picture(**noise), box_of(moments[0].truth()))]
    found += [masks.track(moment.picture(**noise)) for moment in moments[1:]]
    return found, masks


def iou(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def approach(tip, steps=12, **changes):
    """The arm comes in from the right until its tip is at x = tip."""
    return [Moment(**changes)] * 2 + [Moment(arm=x, **changes) for x in np.linspace(620, tip, steps)]


def test_what_does_not_move_is_found_to_the_pixel():
    moments = [Moment()] * 4
    for mask, moment in zip(play(moments)[0], moments, strict=True):
        assert mask.dtype == np.uint8
        assert iou(mask, moment.truth()) > 0.98


@pytest.mark.parametrize("change", [{"centre": (312.0, 203.0)}, {"radius": 39.0}, {"colour": GREEN}])
def test_the_first_mask_stands_a_box_that_is_off(change):
    moment = Moment(**change)
    x0, y0, x1, y1 = box_of(moment.truth())
    for box in (
        (x0 - 8, y0 + 8, x1 - 8, y1 + 8),
        (x0 + 8, y0 + 8, x1 - 8, y1 - 8),
        (x0 - 10, y0 - 10, x1 + 10, y1 + 10),
    ):
        assert iou(first_mask(moment.picture(), tuple(map(int, box))), moment.truth()) > 0.95


def test_an_object_of_the_tables_own_colour_gets_a_mask_all_the_same():
    plain = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    mask = ClassicMasks().start(plain, (100, 100, 160, 140))
    outside = mask.copy()
    outside[100:140, 100:160] = 0
    assert mask.sum() > 0.6 * 60 * 40
    assert not outside.any()


def test_an_arm_over_the_target_is_cut_out_of_the_mask():
    moments = approach(300.0)
    found, _ = play(moments)
    assert moments[-1].truth().sum() < 0.75 * moments[0].truth().sum()
    assert min(iou(mask, m.truth()) for mask, m in zip(found, moments, strict=True)) > 0.95


def test_a_lifted_target_is_followed_with_the_arm_on_it():
    moments = approach(315.0)
    for step in range(1, 16):
        x, y = 300.0 + 4 * step, 200.0 - 6 * step
        moments.append(Moment(centre=(x, y), radius=35 + 0.4 * step, arm=x + 15, arm_row=y))
    found, masks = play(moments)
    scores = [iou(mask, m.truth()) for mask, m in zip(found, moments, strict=True)]
    assert min(scores) > 0.75
    assert np.mean(scores) > 0.9
    assert not masks.lost


def test_a_hidden_target_is_lost_and_found_again_where_it_was():
    wide = {"arm_width": 45.0}
    moments = approach(250.0, 10, **wide) + [Moment(arm=250.0, **wide)] * 8
    moments += [Moment(arm=x, **wide) for x in np.linspace(260, 600, 8)]
    found, masks = play(moments)
    hidden = [k for k, m in enumerate(moments) if m.truth().sum() == 0]
    assert len(hidden) >= 8
    assert not any(found[k].any() for k in hidden)
    assert iou(found[-1], moments[-1].truth()) > 0.95
    assert not masks.lost


def test_a_target_that_comes_out_elsewhere_is_found_again():
    wide, away = {"arm_width": 45.0}, {"centre": (430.0, 330.0)}
    moments = approach(250.0, **wide) + [Moment(arm=250.0, **wide)] * 6 + [Moment(arm=250.0, **wide, **away)] * 20
    found, masks = play(moments)
    assert not masks.lost
    assert iou(found[-1], moments[-1].truth()) > 0.8


def test_a_target_that_leaves_is_lost_although_its_twin_stays():
    gone = [Moment(centre=(300.0 + 45 * k, 200.0)) for k in range(1, 9)]
    moments = [Moment()] * 3 + gone + [Moment(present=False)] * 6
    found, masks = play(moments)
    assert masks.lost
    assert not any(mask.any() for mask in found[-5:])


def test_camera_noise_and_a_drifting_lamp_are_stood():
    rng = np.random.default_rng(0)
    moments = [replace(m, light=1 - 0.004 * k) for k, m in enumerate(approach(300.0))]
    found, _ = play(moments, rng=rng, noise=3.0)
    assert min(iou(mask, m.truth()) for mask, m in zip(found, moments, strict=True)) > 0.9


def test_the_same_pictures_give_the_same_masks_whatever_the_tracker_did_before():
    moments = approach(310.0) + [
        Moment(centre=(300.0, 200.0 - 5 * k), arm=310.0, arm_row=200.0 - 5 * k) for k in range(6)
    ]
    first, masks = play(moments)
    play([replace(m, colour=GREEN, centre=(400.0, 300.0)) for m in moments[:3]], masks)
    again, _ = play(moments, masks)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_smaller_picture_works_too():
    moments = approach(300.0)
    masks = ClassicMasks()
    small = [(m.picture()[::2, ::2], m.truth()[::2, ::2]) for m in moments]
    found = [masks.start(small[0][0], box_of(small[0][1]))] + [masks.track(p) for p, _ in small[1:]]
    assert min(iou(mask, truth) for mask, (_, truth) in zip(found, small, strict=True)) > 0.9


def test_masks_handed_out_belong_to_the_caller():
    masks = ClassicMasks()
    moments = approach(300.0)
    mask = masks.start(moments[0].picture(), box_of(moments[0].truth()))
    mask[:] = 1
    later = masks.track(moments[1].picture())
    assert iou(later, moments[1].truth()) > 0.98


def test_nothing_heavy_is_loaded():
    code = (
        "import sys; from policy.masks.sources import make_masks; make_masks('classic');"
        "sys.exit(', '.join({'mujoco', 'torch', 'transformers'} & sys.modules.keys()) or None)"
    )
    root = Path(__file__).parent.parent
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.slow
def test_a_real_episode():
    from benchmarks.masks import Scorer
    from datagen.expert import Expert
    from envs.episode import make_episode
    from envs.rollout import run_episode
    from envs.sim import SimEnv

    env = SimEnv("unseen_objects", obs_mode="rgb")
    scorer = Scorer(make_masks("classic"), np.random.default_rng(0), camera_noise=0.0, box_error=0.0)
    run_episode(env, Expert(), make_episode("unseen_objects", 1009), observers=[scorer])
    env.close()
    scores = [frame.iou for frame in scorer.frames if frame.iou is not None]
    assert len(scores) > 40
    assert np.mean(scores) > 0.95
    assert not any(frame.lost for frame in scorer.frames if frame.iou is not None)
