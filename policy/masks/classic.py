"""Masks by classic vision: GrabCut, then flow, colours and the memory of the scene as it stood at the start.

The head camera does not move and the scene is still until the hand arrives. So a pixel that looks as it did at the
start shows what it showed then: the target if it was target, and otherwise anything but the target, however alike a
neighbour may be. What changed is robot, uncovered table or the target on its way. While the target rests, what covers
it is robot and teaches the robot's colours. Once it moves, the mask travels with the flow and colours correct it.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from policy.masks.colour import ColourModel, bins_of, neutral_bins
from policy.masks.first_mask import filled, first_mask
from policy.masks.interface import Tracker
from policy.masks.motion import STILL, UNKNOWN, Motion, estimate


@dataclass(frozen=True)
class ClassicSettings:
    """What the classic masks may be tuned by; pixels are those of a picture 640 wide."""

    changed: float = 8.0  # grey levels by which a pixel of a noiseless picture has changed
    colour_limit: float = 4.0  # the most that one pixel's colour may say (log of likelihoods)
    rest_bias: float = 2.5  # a changed pixel is robot while the target rests, unless its colour says more than this
    prior: float = 2.5  # weight of where the mask was, moved with the flow
    fixed: float = 0.6  # share of the target's visible edges that stay unchanged while it rests
    least_part: float = 0.01  # of the first area: fewer pixels are a glimpse, not a sighting
    sure_colour: float = 1.5  # mean of log likelihoods over a part that makes it target wherever it appears beside it
    patience: int = 3  # frames hidden before the search goes beyond the last place


@dataclass(frozen=True)
class Crop:
    """A rectangle of the picture, in pixels."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, picture: np.ndarray) -> np.ndarray:
        """A view of this part of a picture (H, W, ...)."""
        return picture[self.top : self.bottom, self.left : self.right]

    def copy_of(self, picture: np.ndarray) -> np.ndarray:
        """The same as a compact array, which OpenCV reads faster."""
        return np.ascontiguousarray(self.of(picture))


@dataclass(frozen=True, eq=False)
class Look:
    """One picture in the crop: what changed since the start and what the colours say."""

    crop: Crop
    changed: np.ndarray  # (h, w) bool
    home: np.ndarray  # (h, w) bool: target in the first picture
    bins: np.ndarray  # (h, w) int32: colours, see policy.masks.colour
    colour: np.ndarray  # (h, w) float32: log of how much likelier this colour is on the target than on anything else


class ClassicMasks(Tracker):
    """Needs OpenCV alone, no weights. Deterministic: the same pictures and box give the same masks."""

    name = "classic"

    def __init__(self, settings: ClassicSettings | None = None) -> None:
        self._settings = settings or ClassicSettings()

    def _start(self, head: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        mask = first_mask(head, box)
        self._first, self._first_grey = head.copy(), cv2.cvtColor(head, cv2.COLOR_RGB2GRAY)
        self._grey = self._first_grey
        self._home, self._area = mask, int(mask.sum())
        slope = cv2.morphologyEx(head, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
        self._edges = ((slope > 25) & (mask == 1)).astype(np.uint8)
        self._scale = head.shape[1] / 640.0
        self._presence = mask.astype(np.float32)  # where the target is, seen or covered
        self._shown = mask.astype(np.float32)  # where it is seen
        self._resting, self._hidden, self._frames = True, 0, 0
        self._target, self._around, self._robot = ColourModel(), ColourModel(), ColourModel()
        bins = bins_of(head)
        self._target.learn(bins[mask == 1])
        self._around.learn(bins[(_grown(mask, self._px(25)) == 1) & (mask == 0)])
        self._robot.learn(np.repeat(neutral_bins(), 3))
        return mask.copy()

    def _track(self, head: np.ndarray) -> np.ndarray:
        grey = cv2.cvtColor(head, cv2.COLOR_RGB2GRAY)
        threshold = self._learn_robot(head)
        look = self._look(head, self._crop(), threshold)
        self._follow(grey, look)
        part = self._decide(look)
        self._remember(part, look)
        self._grey, self._frames = grey, self._frames + 1
        mask = np.zeros(grey.shape, np.uint8)
        look.crop.of(mask)[:] = part
        return mask

    def _px(self, pixels: float) -> int:
        return max(1, round(pixels * self._scale))

    # What there is to see.

    def _learn_robot(self, head: np.ndarray) -> float:
        """Learn the robot from what changed far from the target; returns by how much a pixel must differ to count."""
        every = 4
        small = np.ascontiguousarray(head[::every, ::every])
        difference = cv2.absdiff(small, np.ascontiguousarray(self._first[::every, ::every])).max(axis=2)
        # The stillest third of the picture is scene: its differences are the camera's noise and the lamp's drift.
        threshold = max(self._settings.changed, 4.0 * float(np.percentile(difference, 30)))
        if self._frames % 3 == 0:
            own = (self._presence[::every, ::every] > 0.3) | (self._home[::every, ::every] == 1)
            robot = (difference > threshold) & (_grown(own.astype(np.uint8), 5) == 0)
            if np.count_nonzero(robot) > 50:
                self._robot.learn(bins_of(small)[robot], keep=0.8)
        return threshold

    def _crop(self) -> Crop:
        height, width = self._presence.shape
        there = self._presence > 0.3
        rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
        if len(rows) == 0:
            return Crop(0, height, 0, width)
        margin = self._px(28 + 8 * self._hidden)  # the longer it was not seen, the wider the search
        return Crop(
            max(int(rows[0]) - margin, 0),
            min(int(rows[-1]) + 1 + margin, height),
            max(int(columns[0]) - margin, 0),
            min(int(columns[-1]) + 1 + margin, width),
        )

    def _look(self, head: np.ndarray, crop: Crop, threshold: float) -> Look:
        view = crop.copy_of(head)
        changed = cv2.absdiff(view, crop.copy_of(self._first)).max(axis=2) > threshold
        bins = bins_of(view)
        other = np.logaddexp(self._robot.log_likelihood - 0.5, self._around.log_likelihood - 1.0)
        limit = self._settings.colour_limit
        ratio = np.clip(self._target.log_likelihood - other, -limit, limit)
        return Look(crop, changed, crop.of(self._home) == 1, bins, ratio[bins])

    # Where it went.

    def _follow(self, grey: np.ndarray, look: Look) -> None:
        """Notice when the target leaves its place or stands in it again, and move the two maps with the flow."""
        fixed = self._share_of_edges_unchanged(look)
        if self._resting:
            if fixed >= self._settings.fixed:
                return
            motion = self._flow(self._first_grey, grey, look.crop, look.crop.of(self._shown) > 0.5)
            slid = motion.known and motion.agreeing >= 0.5 and motion.matrix is not STILL
            near = _grown(look.crop.of(self._home), self._px(7)) == 1
            strays = np.count_nonzero(look.changed & ~look.home & near & (look.colour > 1))
            if not slid and strays <= 0.03 * self._area:
                return
            self._resting = False
            if not slid:
                return
        elif fixed > 0.85 and self._back_home(look):
            self._resting, self._presence = True, self._home.astype(np.float32)
            return
        else:
            seen = look.crop.of(self._shown) > 0.5
            motion = self._flow(self._grey, grey, look.crop, seen)
            if motion.points * motion.agreeing < 8:  # too little is seen of it: the hand that holds it moves with it
                motion = self._flow(self._grey, grey, look.crop, seen | (look.crop.of(self._presence) > 0.5))
        if motion.known and motion.matrix is not STILL:
            for level in (self._presence, self._shown):
                part = look.crop.of(level)
                part[:] = cv2.warpAffine(part.copy(), motion.matrix, part.shape[::-1], flags=cv2.INTER_LINEAR)

    def _back_home(self, look: Look) -> bool:
        """Whether most of what is seen of the target lies where it first lay and looks as it did there."""
        still, seen = look.home & ~look.changed, look.crop.of(self._shown) > 0.5
        return np.count_nonzero(still & seen) > 0.8 * max(np.count_nonzero(still), np.count_nonzero(seen))

    def _flow(self, before: np.ndarray, after: np.ndarray, crop: Crop, where: np.ndarray) -> Motion:
        if not where.any():
            return UNKNOWN
        return estimate(crop.copy_of(before), crop.copy_of(after), where.astype(np.uint8))

    def _share_of_edges_unchanged(self, look: Look) -> float:
        """Of the target's edges where something of it still looks as at the start: how many do so themselves.

        Near 1 for a target in its place, however much is covered; small for one that moved, whose plain inside may
        still look the same but whose edges do not. 0 where too few edges are seen.
        """
        still = (look.home & ~look.changed).astype(np.uint8)
        reach = _grown(still, self._px(3)) & look.crop.of(self._edges)
        count = np.count_nonzero(reach)
        return np.count_nonzero(reach & still) / count if count > 0.2 * np.sqrt(self._area) else 0.0

    # What is target.

    def _decide(self, look: Look) -> np.ndarray:
        options = self._settings
        if self._resting:
            score = look.colour - options.rest_bias
        else:
            blur = 2.5 * self._scale
            shown = cv2.GaussianBlur(look.crop.of(self._shown), (0, 0), blur)
            presence = cv2.GaussianBlur(look.crop.of(self._presence), (0, 0), blur)
            trust = options.prior * np.exp(-self._hidden / 10)
            score = look.colour + trust * np.maximum(2 * shown - 1, 0.6 * presence - 1)
        score = cv2.GaussianBlur(score.astype(np.float32), (5, 5), 1.0)
        score[~look.changed & ~look.home] = -options.colour_limit
        if self._resting:
            score[~look.changed & look.home] = options.colour_limit
        return self._parts(score, look)

    def _parts(self, score: np.ndarray, look: Look) -> np.ndarray:
        """Connected parts that lie where the target is expected; after a time out of sight the best one anywhere."""
        positive = (score > 0).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(positive, connectivity=8)
        areas = stats[:, cv2.CC_STAT_AREA].astype(float)
        if self._hidden <= self._settings.patience:
            near = _grown((look.crop.of(self._presence) > 0.3).astype(np.uint8), self._px(7))
            inside = np.bincount(labels.ravel(), weights=near.ravel(), minlength=count)
            colour = np.bincount(labels.ravel(), weights=look.colour.ravel(), minlength=count)
            alike = (colour > self._settings.sure_colour * areas) & (inside > 0)  # a side that came into view
            keep = (alike | (inside > 0.3 * areas)) & (areas >= self._settings.least_part * self._area)
        else:
            total = np.bincount(labels.ravel(), weights=score.ravel(), minlength=count)
            total[areas < 3 * self._settings.least_part * self._area] = -np.inf
            total[0] = 0.0
            keep = np.arange(count) == np.argmax(total)
        keep[0] = False
        return filled(keep[labels].astype(np.uint8))

    def _remember(self, mask: np.ndarray, look: Look) -> None:
        seen = np.count_nonzero(mask)
        if seen == 0:
            self._hidden += 1
            return
        if self._hidden > self._settings.patience:
            self._resting = np.count_nonzero(look.changed & (mask == 1)) < 0.3 * seen
        self._hidden = 0
        look.crop.of(self._shown)[:] = mask
        if self._resting:
            cover = look.changed & look.home & (mask == 0)
            if np.count_nonzero(cover) > 20:
                self._robot.learn(look.bins[cover], keep=0.9)
            return
        presence = look.crop.of(self._presence)
        presence *= 0.99
        presence[~look.changed & ~look.home] *= 0.3  # the scene shows here: nothing covers the target
        np.maximum(presence, mask, out=presence)


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1)))
