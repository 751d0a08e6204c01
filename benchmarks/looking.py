"""What a worker does where no policy acts: shows a planner a picture, asks, and scores the answer against physics."""

import os
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from assets import gl
from benchmarks.answers import LEAST_IOU, score_box, tightest
from benchmarks.evaluate import Plan, Runner
from benchmarks.journal import thumbnail_name
from benchmarks.moments import KINDS, make_moment
from benchmarks.suites import BOXES, VERDICTS, VERIFICATION, axis_levels, get_suite
from benchmarks.video import SMALL, THUMBNAIL_COLOURS
from datagen.stage import Stage
from envs import spec
from envs.episode import EpisodeSpec, make_episode
from envs.interface import EpisodeResult, GraspEnv, Truth
from envs.rollout import result_about
from policy.planner import Box, Planner, PlannerError, planner_from

RIGHT, WRONG = "success", "planner"  # words of the ladder
TRUE_INK, ANSWER_INK = (40, 190, 80), (230, 60, 40)


@dataclass(frozen=True, eq=False)
class Answered:
    """An answer and what it is worth. pictures: (H, W, 3) uint8, what the planner saw, marked for people."""

    measures: dict[str, Any]
    pictures: tuple[np.ndarray, ...]


Look = Callable[[Stage, EpisodeSpec, Planner], Answered]


class Table(GraspEnv):
    """A table to look at; nobody acts."""

    def __init__(self, instruction: str, truth: Truth) -> None:
        self._instruction, self._truth = instruction, truth

    @property
    def instruction(self) -> str:
        """The words that name the target."""
        return self._instruction

    @property
    def truth(self) -> Truth:
        """For a planner that is declared privileged."""
        return self._truth

    def retry(self) -> Any:
        """Raises TypeError: there is no arm to send home."""
        raise TypeError("no policy acts where a planner is asked")


def make_looker(plan: Plan) -> Runner:
    """Build what asks the planner of `plan` about any episode of its suite.

    Raises RenderingError where no picture can be drawn, PlannerError for a planner that cannot be had.
    """
    gl.gl_context()
    planner, stage, look = planner_from(plan.agent.planner), Stage(plan.suite, plan.hand), LOOKS[plan.suite]
    _ = planner.title  # asks a server for its model: where nobody answers, no picture need be made

    def run(index: int) -> EpisodeResult:
        began = time.perf_counter()
        episode = make_episode(plan.suite, index, plan.version)
        answered = look(stage, episode, planner)
        row = _row(episode, stage, answered.measures | axis_levels(get_suite(plan.suite), index), began)
        if plan.media_dir is not None and not row.success:
            _keep(answered.pictures, Path(plan.media_dir) / thumbnail_name(index))
        return row

    return run


def look_for_box(stage: Stage, episode: EpisodeSpec, planner: Planner) -> Answered:
    """Where is it? The picture shows the beginning of an episode."""
    stage.reset(options={"episode": episode})
    head, mask = stage.picture(spec.HEAD), stage.truth.target_mask()
    planner.begin(stage)
    box, read = _asked(planner, lambda: planner.locate(head, episode.instruction))
    truth, score = tightest(mask), None if box is None else score_box(box, mask)
    measures = {
        "right": score is not None and score.tight,
        "read": read,
        "answer": None if box is None else [round(float(edge), 2) for edge in box],
        "truth": list(truth),
        "iou": None if score is None else round(score.iou, 4),
        "enclosed": None if score is None else round(score.enclosed, 4),
        "overlaps": score is not None and score.iou >= LEAST_IOU,
        "centred": score is not None and score.centred,
    }
    return Answered(measures, (_marked(head, truth, box),))


def look_for_verdict(stage: Stage, episode: EpisodeSpec, planner: Planner) -> Answered:
    """Is it held, or is it done? The pictures show a moment that physics has confirmed to be of its kind."""
    level = axis_levels(get_suite(episode.suite), episode.index)
    rng, words = moment_rng(episode.suite, episode.version, episode.index), episode.instruction
    moment = make_moment(stage, episode, level["moment"], rng)
    planner.begin(Table(words, moment.truth))
    head = stage.picture(spec.HEAD)
    if level["question"] == VERIFICATION:
        shown = (head, stage.picture(spec.WRIST))
        said, read = _asked(planner, lambda: planner.verify(*shown, words))
    else:
        shown = (moment.initial, head)
        said, read = _asked(planner, lambda: planner.completed(*shown, words))
    truth, answer = KINDS[level["moment"]].truth, said if read else None
    facts = {
        name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(moment.facts).items()
    }
    return Answered({"right": answer is truth, "read": read, "answer": answer, "truth": truth, **facts}, shown)


def moment_rng(suite: str, version: int, index: int) -> np.random.Generator:
    """What draws the moment of an episode: a function of the arguments alone."""
    return np.random.default_rng(np.random.SeedSequence([zlib.crc32(f"{suite}/moment".encode()), version, index]))


LOOKS: dict[str, Look] = {BOXES: look_for_box, VERDICTS: look_for_verdict}


def _asked(planner: Planner, question: Callable[[], Any]) -> tuple[Any, bool]:
    """The planner's answer, and whether its reply could be read. A server that is not there raises PlannerError."""
    unread, answer = planner.unread, None
    try:
        answer = question()
    except PlannerError:
        if planner.unread == unread:
            raise
    return answer, planner.unread == unread


def _row(episode: EpisodeSpec, stage: Stage, measures: dict[str, Any], began: float) -> EpisodeResult:
    word = RIGHT if measures["right"] else WRONG
    target = next(o for o in stage.scene.objects if o.id == episode.objects[0].object_id)
    return result_about(
        episode,
        target=target.id,
        family=target.family,
        outcome=word,
        success=word == RIGHT,
        attempts=1,
        attempt_outcomes=(word,),
        steps=0,
        policy_s=0.0,
        lift_s=None,
        max_contact_force_n=0.0,
        max_neighbour_motion_m=0.0,
        slip_m=None,
        wall_s=time.perf_counter() - began,
        measures=measures,
    )


def _marked(head: np.ndarray, truth: Box, answer: Box | None) -> np.ndarray:
    picture = Image.fromarray(head)
    draw = ImageDraw.Draw(picture)
    for box, ink in ((truth, TRUE_INK), (answer, ANSWER_INK)):
        if box is not None:
            draw.rectangle(tuple(map(round, box)), outline=ink, width=3)
    return np.asarray(picture)


def _keep(pictures: Sequence[np.ndarray], path: Path) -> None:
    small = [np.asarray(Image.fromarray(picture).resize(SMALL)) for picture in pictures]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{os.getpid()}-{path.name}")
    Image.fromarray(np.concatenate(small, axis=1)).quantize(THUMBNAIL_COLOURS).save(unfinished, format="PNG")
    os.replace(unfinished, path)
