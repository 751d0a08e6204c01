"""How well do masks follow the target? The scripted expert plays episodes, and each mask is held against the truth."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from PIL import Image, ImageDraw
from rich.console import Console
from rich.progress import track

from benchmarks.errors import UsageError
from benchmarks.suites import get_suite
from datagen.expert import Expert
from datagen.panels import outline
from envs import spec
from envs.episode import make_episode
from envs.interface import DexClutterError, EpisodeResult, Observation
from envs.rollout import Observer, run_episode
from envs.sim import SimEnv
from policy.masks.interface import Tracker, box_of
from policy.masks.sources import make_masks

CLEAR_SHARE = 0.6  # of the area that the target showed at first: at least this much makes a frame clear
LEAST_VISIBLE_PX = 30  # of a picture of 640x480; a target that shows less is hidden, and there is nothing to find
RESAMPLES = 2000
TILE_PX, TILES, SHEET_ROWS = 160, 8, 10
TRUE_COLOUR, FOUND_COLOUR = (0, 190, 60), (255, 0, 200)


@dataclass(frozen=True)
class Options:
    """Plays episodes FIRST to FIRST + EPISODES - 1 of a suite and scores one kind of masks against the truth.

    camera_noise: grey levels of Gaussian noise on each pixel. box_error: each edge of the first box is off by up to
    this share of the box's size. Both are functions of the episode's index. out: the JSON file to write.
    picture: a contact sheet to write, truth green, masks pink.
    """

    masks: str = "classic"
    suite: str = "unseen_objects"
    episodes: int = 20
    first: int = 0
    hand: str = "g0r"
    camera_noise: float = 0.0
    box_error: float = 0.0
    out: Path | None = None
    picture: Path | None = None


@dataclass(frozen=True)
class Frame:
    """One picture: how the mask compares with the truth. iou is None where the target is hidden."""

    iou: float | None
    visible: float  # share of the first visible area
    lost: bool
    found_px: int
    milliseconds: float


class Scorer(Observer):
    """Tracks the target through one episode from the true first box, and keeps a score for each picture."""

    def __init__(self, masks: Tracker, rng: np.random.Generator, camera_noise: float, box_error: float) -> None:
        self._masks, self._rng, self._noise, self._error = masks, rng, camera_noise, box_error
        self.frames: list[Frame] = []
        self.tiles: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # picture, truth, mask

    def on_reset(self, env: SimEnv, observation: Observation, info: dict[str, Any]) -> None:
        """Start from the box around the target."""
        truth = env.truth.target_mask()
        box = box_of(truth)
        if box is None:
            raise UsageError(f"episode {env.scene.episode.index} hides its target from the head camera")
        self._first_px = int(truth.sum())
        sides = np.array([box[2] - box[0], box[3] - box[1]] * 2)
        shaken = np.array(box) + self._error * sides * self._rng.uniform(-1, 1, 4)
        self._masks.begin(env)
        self._see(observation, truth, lambda head: self._masks.start(head, tuple(shaken)))

    def on_step(
        self, env: SimEnv, action: np.ndarray, observation: Observation, reward: float, info: dict[str, Any]
    ) -> None:
        """Track one picture further."""
        self._see(observation, env.truth.target_mask(), self._masks.track)

    def _see(self, observation: Observation, truth: np.ndarray, masks: Callable[[np.ndarray], np.ndarray]) -> None:
        head = observation[spec.HEAD]
        if self._noise:
            noise = self._rng.normal(0.0, self._noise, head.shape)
            head = np.clip(np.rint(head + noise), 0, 255).astype(np.uint8)
        began = time.process_time()
        mask = masks(head)
        milliseconds = 1e3 * (time.process_time() - began)
        hidden = int(truth.sum()) < LEAST_VISIBLE_PX
        self.frames.append(
            Frame(
                iou=None if hidden else iou(mask, truth),
                visible=int(truth.sum()) / self._first_px,
                lost=self._masks.lost,
                found_px=int(mask.sum()),
                milliseconds=milliseconds,
            )
        )
        self.tiles.append((head, truth, mask))


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two masks (H, W); 1 when both are empty."""
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 1.0


@dataclass(frozen=True)
class Score:
    """The IoU over `n` frames, with the 95 % interval of the mean from a bootstrap over episodes; None without any."""

    n: int
    mean: float | None
    low: float | None
    high: float | None
    median: float | None

    def __str__(self) -> str:
        if not self.n:
            return "no such frames"
        interval = f"95 % interval {self.low:.3f} to {self.high:.3f}"
        return f"mean {self.mean:.3f} ({interval}) · median {self.median:.3f} · n {self.n} frames"


def score(episodes: Sequence[Sequence[float]]) -> Score:
    """Pool the values of episodes; whole episodes are drawn again, since the frames of one are alike."""
    values = np.concatenate([np.asarray(e, float) for e in episodes]) if episodes else np.zeros(0)
    if not len(values):
        return Score(0, None, None, None, None)
    sums = np.array([np.sum(e) for e in episodes])
    counts = np.array([len(e) for e in episodes])
    drawn = np.random.default_rng(0).integers(0, len(episodes), (RESAMPLES, len(episodes)))
    total = counts[drawn].sum(axis=1)
    means = sums[drawn].sum(axis=1)[total > 0] / total[total > 0]
    low, high = np.percentile(means, [2.5, 97.5])
    return Score(len(values), float(values.mean()), float(low), float(high), float(np.median(values)))


def summarise(episodes: Sequence[Sequence[Frame]]) -> dict[str, Any]:
    """Plain JSON values: scores of all, clear and occluded frames, losses, false sightings and CPU time."""

    def chosen(wanted: Callable[[Frame], bool]) -> Score:
        return score([[f.iou for f in frames if f.iou is not None and wanted(f)] for frames in episodes])

    tracked = [f for frames in episodes for f in frames[1:]]
    seen = [f for f in tracked if f.iou is not None]
    hidden = [f for f in tracked if f.iou is None]
    scores = {
        "all": chosen(lambda f: True),
        "clear": chosen(lambda f: f.visible >= CLEAR_SHARE),
        "occluded": chosen(lambda f: f.visible < CLEAR_SHARE),
        "first": score([[frames[0].iou] for frames in episodes if frames[0].iou is not None]),
    }
    return {
        "iou": {name: asdict(value) for name, value in scores.items()},
        "words": {name: str(value) for name, value in scores.items()},
        "lost_share": float(np.mean([f.lost for f in seen])) if seen else None,
        "missed_share": float(np.mean([f.iou < 0.1 for f in seen])) if seen else None,
        "hidden_frames": len(hidden),
        "false_sightings": sum(f.found_px >= LEAST_VISIBLE_PX for f in hidden),
        "start_ms": float(np.median([frames[0].milliseconds for frames in episodes])),
        "track_ms": float(np.mean([f.milliseconds for f in tracked])),
    }


def contact_sheet(rows: Sequence[tuple[str, Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]]]) -> Image.Image:
    """A row of tiles for each (title, [(picture, truth, mask), ...])."""
    sheet = Image.new("RGB", (TILES * TILE_PX, len(rows) * TILE_PX), "white")
    draw = ImageDraw.Draw(sheet)
    for line, (title, moments) in enumerate(rows):
        for column, number in enumerate(np.linspace(0, len(moments) - 1, TILES).astype(int)):
            picture, truth, mask = moments[number]
            drawn = picture.copy()
            drawn[outline(truth)] = TRUE_COLOUR
            drawn[outline(mask)] = FOUND_COLOUR
            shown = truth if truth.any() else moments[0][1]
            y, x = (int(v.mean()) for v in np.nonzero(shown))
            top = min(max(y - TILE_PX // 2, 0), picture.shape[0] - TILE_PX)
            left = min(max(x - TILE_PX // 2, 0), picture.shape[1] - TILE_PX)
            corner = column * TILE_PX, line * TILE_PX
            sheet.paste(Image.fromarray(drawn[top : top + TILE_PX, left : left + TILE_PX]), corner)
            draw.text((corner[0] + 3, corner[1] + 2), f"{number}  IoU {iou(mask, truth):.2f}", fill=(200, 0, 0))
        draw.text((3, (line + 1) * TILE_PX - 14), title, fill=(0, 0, 160))
    return sheet


def measure(options: Options, show: Callable[[str], None]) -> tuple[dict[str, Any], Image.Image]:
    """Play and score; returns plain JSON values and the contact sheet of the episodes with the lowest scores."""
    get_suite(options.suite)
    masks = make_masks(options.masks)
    env = SimEnv(options.suite, obs_mode="rgb", hand=options.hand)
    every, results, sheet = [], [], []
    for index in track(range(options.first, options.first + options.episodes), "playing", console=Console(stderr=True)):
        rng = np.random.default_rng([index, 7])
        scorer = Scorer(masks, rng, options.camera_noise, options.box_error)
        result = run_episode(env, Expert(), make_episode(options.suite, index), observers=[scorer])
        every.append(scorer.frames)
        mean = score([[f.iou for f in scorer.frames if f.iou is not None]]).mean
        results.append(_row(result, scorer.frames, mean))
        show(f"{index:5d}  {result.outcome:12s} {result.target:16s} IoU {mean:.3f}")
        sheet.append((mean, f"{options.suite} {index} {result.target}", scorer.tiles))
        sheet = sorted(sheet, key=lambda row: row[0])[:SHEET_ROWS]
    env.close()
    report = {"masks": masks.name, "privileged": list(masks.privileged), "suite": options.suite}
    report |= {"episodes": len(every), "first_index": options.first, "hand": options.hand}
    report |= {"camera_noise": options.camera_noise, "box_error": options.box_error}
    report |= summarise(every) | {"rows": results}
    return report, contact_sheet([row[1:] for row in sheet])


def _row(result: EpisodeResult, frames: Sequence[Frame], mean: float | None) -> dict[str, Any]:
    return {"index": result.index, "target": result.target, "outcome": result.outcome, "iou": mean} | {
        "frames": [[None if f.iou is None else round(f.iou, 4), round(f.visible, 4), f.lost] for f in frames]
    }


def main(options: Options) -> int:
    """Measure, print, write; 0 when done, 2 for a wrong command."""
    console = Console()
    try:
        if options.episodes < 1 or options.first < 0:
            raise UsageError("--episodes must be at least 1 and --first at least 0")
        report, sheet = measure(options, lambda line: console.print(line, highlight=False))
    except DexClutterError as fault:
        print(f"benchmarks.masks: {fault}", file=sys.stderr)
        return 2
    name = options.masks + (f" (privileged: {', '.join(report['privileged'])})" if report["privileged"] else "")
    lines = [f"masks {name} · {options.suite} · {report['episodes']} episodes from {options.first}"]
    lines += [f"{kind:9s} {words}" for kind, words in report["words"].items()]
    lines.append(
        f"lost {100 * report['lost_share']:.1f} % of frames with the target in view, on something else "
        f"{100 * (report['missed_share'] - report['lost_share']):.1f} %; hidden {report['hidden_frames']} frames, "
        f"false sightings {report['false_sightings']}"
    )
    lines.append(f"CPU: first mask {report['start_ms']:.1f} ms, then {report['track_ms']:.1f} ms per frame")
    console.print("\n".join(lines), highlight=False, soft_wrap=True)
    out = options.out or Path("runs") / f"masks-{options.suite}-{options.masks}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    console.print(f"scores in {out}", highlight=False)
    if options.picture is not None:
        options.picture.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(options.picture)
        console.print(f"contact sheet in {options.picture}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
