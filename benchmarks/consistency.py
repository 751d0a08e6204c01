"""How much of a controller changes when only the look of a scene does: `python -m benchmarks.consistency --policy P`.

Scenes of a suite are dressed in every look in turn; objects and robot stand still. Beside the plain room, each has:

- features: cosine of the visual features of the head view, cell by cell: 1 is the same
- target: the same, in the cells that the target touches
- masks: IoU of the masks that --masks finds from the true box with the true mask
- attention: share of the head view's attention that falls on the target's cells, whose share of the view is beside it
- chunk: distance of the flange between the two predicted chunks, over the steps that are carried out, in cm

Published for DexGraspVLA as a picture of one scene (its figure 4); here with numbers.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tyro
from PIL import Image, ImageDraw
from rich.console import Console
from rich.progress import track
from rich.table import Table

from assets.looks.looks import TEST_LIGHTINGS, TEST_TABLES, LookSpec
from benchmarks.chunks import CM, flange_in_base
from benchmarks.errors import UsageError
from benchmarks.masks import iou
from benchmarks.suites import get_suite
from datagen.panels import outline
from envs import spec
from envs.episode import make_episode
from envs.interface import DexClutterError, Observation
from envs.sim import SimEnv
from policy.build import DEFAULT, checkpoint_path
from policy.masks.interface import Tracker, box_of
from policy.masks.sources import make_masks

if TYPE_CHECKING:
    from policy.controller.insight import Insight  # imports torch

Crop = tuple[float, float, float, float]
PLAIN = LookSpec()
LOOKS: dict[str, LookSpec] = {
    "plain": PLAIN,
    **{name: LookSpec(table=name) for name in TEST_TABLES},
    **{name: LookSpec(lighting=name) for name in TEST_LIGHTINGS},
}
WIDTH = 110  # of the table where no terminal says how wide it is
TILE = (320, 240)
FOUND_COLOUR = (255, 0, 200)


@dataclass(frozen=True)
class Options:
    """Dress scenes FIRST to FIRST + SCENES - 1 of a suite in every test look and see what changes inside."""

    policy: str = DEFAULT
    """The controller's file, or default for the shipped one."""
    suite: str = "unseen_objects"
    """Where the scenes come from."""
    scenes: int = 20
    """How many scenes."""
    first: int = 0
    """Index of the first scene."""
    masks: str = "classic"
    """Which masks are compared with the truth; the controller sees the true ones."""
    out: Path = Path("runs/consistency")
    """Folder for consistency.json and consistency.png."""


@dataclass(frozen=True)
class Row:
    """One scene in one look, beside the same in the plain look. See the module for units."""

    scene: int
    look: str
    features: float
    target: float
    mask_iou: float
    attention: float
    area: float
    chunk_cm: float


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0 it ran, 2 bad usage."""
    options = tyro.cli(Options, args=arguments, prog="python -m benchmarks.consistency", description=__doc__)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    try:
        if options.scenes < 1 or options.first < 0:
            raise UsageError("--scenes must be at least 1 and --first at least 0")
        get_suite(options.suite)
        rows, picture = measure(options)
    except DexClutterError as fault:
        print(f"benchmarks.consistency: {fault}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    found = {"policy": options.policy, "suite": options.suite, "masks": options.masks}
    found["rows"] = [asdict(row) for row in rows]
    (options.out / "consistency.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    picture.save(options.out / "consistency.png")
    console.print(table(rows, options.scenes))
    console.print(f"picture and numbers in {options.out}", highlight=False)
    return 0


def measure(options: Options) -> tuple[list[Row], Image.Image]:
    """The rows of every scene and look, and a picture of the first scene."""
    look_inside, crop = _insider(options.policy)
    masks = make_masks(options.masks)
    env = SimEnv(options.suite, obs_mode="rgb", segmentation=True)
    rows, tiles = [], []
    try:
        for index in track(
            range(options.first, options.first + options.scenes), "scenes", console=Console(stderr=True)
        ):
            plain = None
            for name, observation, truth in _dressed(env, options.suite, index):
                seen = look_inside(observation, truth)
                plain = seen if plain is None else plain
                mask = _mask(masks, env, observation[spec.HEAD], truth)
                rows.append(compared(index, name, plain, seen, iou(mask, truth)))
                if index == options.first:
                    tiles.append((name, observation[spec.HEAD], mask, seen.attention))
    finally:
        env.close()
    return rows, drawn(tiles, crop)


def compared(scene: int, look: str, plain: "Insight", seen: "Insight", mask_iou: float) -> Row:
    """One row out of two insights of the same scene."""
    cosines = (plain.head * seen.head).sum(-1) / (
        np.linalg.norm(plain.head, axis=-1) * np.linalg.norm(seen.head, axis=-1) + 1e-9
    )
    inside = seen.mask > 0
    steps = slice(0, spec.CONTROL_HZ // 2)
    away = np.linalg.norm(flange_in_base(plain.chunk[steps]) - flange_in_base(seen.chunk[steps]), axis=-1)
    return Row(
        scene=scene,
        look=look,
        features=float(cosines.mean()),
        target=float(cosines[inside].mean()) if inside.any() else float("nan"),
        mask_iou=mask_iou,
        attention=seen.on_target,
        area=float(inside.mean()),
        chunk_cm=float(CM * away.mean()),
    )


def table(rows: Sequence[Row], scenes: int) -> Table:
    """Means over scenes, one line a look."""
    found = Table(title=f"what changes with the look alone: means over {scenes} scenes", title_justify="left")
    for name in ("look", "features", "on target", "mask IoU", "attention", "cells", "chunk, cm"):
        found.add_column(name, justify="left" if name == "look" else "right")
    for look in dict.fromkeys(row.look for row in rows):
        mine = [row for row in rows if row.look == look]

        def mean(key: str, mine: Sequence[Row] = mine) -> float:
            return float(np.nanmean([getattr(row, key) for row in mine]))

        found.add_row(
            look, f"{mean('features'):.3f}", f"{mean('target'):.3f}", f"{mean('mask_iou'):.3f}",
            f"{100 * mean('attention'):.1f} %", f"{100 * mean('area'):.1f} %", f"{mean('chunk_cm'):.2f}",
        )  # fmt: skip
    return found


def drawn(tiles: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]], crop: Crop) -> Image.Image:
    """Two rows a look's column: the picture with the found mask, and with the attention of all actions over it."""
    sheet = Image.new("RGB", (TILE[0] * len(tiles), 2 * TILE[1]), "white")
    words = ImageDraw.Draw(sheet)
    for column, (name, picture, mask, attention) in enumerate(tiles):
        marked = picture.copy()
        marked[outline(mask)] = FOUND_COLOUR
        x0, y0, x1, y1 = (round(c * n) for c, n in zip(crop, (*spec.IMAGE_SIZE, *spec.IMAGE_SIZE), strict=True))
        heat = Image.fromarray((255 * attention / attention.max()).astype(np.uint8)).resize((x1 - x0, y1 - y0))
        strength = np.zeros((spec.IMAGE_SIZE[1], spec.IMAGE_SIZE[0], 1))
        strength[y0:y1, x0:x1, 0] = np.asarray(heat) / 255.0
        glowing = (picture * (1 - 0.7 * strength) + 0.7 * strength * np.array([255, 60, 0])).astype(np.uint8)
        for row, tile in enumerate((marked, glowing)):
            sheet.paste(Image.fromarray(tile).resize(TILE), (column * TILE[0], row * TILE[1]))
        words.text((column * TILE[0] + 4, 2), name, fill=(200, 0, 0))
    return sheet


def _dressed(env: SimEnv, suite: str, index: int) -> Iterator[tuple[str, Observation, np.ndarray]]:
    """(look, observation, true mask (H, W) uint8) of one scene in each look."""
    episode = make_episode(suite, index)
    for name, look in LOOKS.items():
        observation, info = env.reset(seed=0, options={"episode": replace(episode, look=look)})
        yield name, observation, (info["segmentation"] == 1).astype(np.uint8)


def _mask(masks: Tracker, env: SimEnv, head: np.ndarray, truth: np.ndarray) -> np.ndarray:
    box = box_of(truth)
    if box is None:
        return np.zeros_like(truth)
    masks.begin(env)
    return masks.start(head, box)


def _insider(policy: str) -> tuple[Callable[[Observation, np.ndarray], "Insight"], Crop]:
    """What looks inside the controller of a file, given an observation and a mask; and its crop of the head picture."""
    from policy.controller import checkpoint
    from policy.controller.insight import insight
    from policy.controller.predictor import Predictor

    controller, _ = checkpoint.load(checkpoint_path(policy))
    predictor = Predictor(controller)

    def look_inside(seen: Observation, mask: np.ndarray) -> "Insight":
        return insight(predictor, seen[spec.HEAD], seen[spec.WRIST], mask, seen[spec.STATE], seed=0)

    return look_inside, controller.config.head.crop


if __name__ == "__main__":
    sys.exit(main())
