"""Plays jobs and turns them into episodes of a file: what a worker of the generator does, one job after the other."""

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen.jobs import Job, Request, jpeg_quality, make_job
from datagen.pictures import draw
from datagen.play import Played, play
from datagen.playback import RENDERER, renderer
from datagen.stage import Stage
from datagen.storage import DATA, FAILED, Demo, encoded
from datagen.versions import versions
from datagen.words import scene_words
from envs import spec

ERROR = "error"


@dataclass(frozen=True)
class JobResult:
    """What became of one job. Plain values.

    attempts: grasps carried out, one in vain with recovery "miss" or "slip"; vain: others, tried and taken back;
    seconds: CPU time; error: the traceback of a fault of ours.
    """

    index: int
    outcome: str
    success: bool
    recovery: str
    attempts: int
    steps: int
    seconds: float = 0.0
    error: str = ""
    vain: int = 0


@dataclass(frozen=True)
class Product:
    """A finished job with the content of its part file, if it leaves one."""

    result: JobResult
    content: bytes | None = None

    @property
    def group(self) -> str:
        """Where the episode belongs."""
        return DATA if self.result.success else FAILED


class Generator:
    """Makes the episodes of one request, in any order; each depends on its index alone."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._stage = Stage(request.suite, request.hand, request.hold_s)
        self._versions = versions() | ({RENDERER: renderer()} if request.cameras else {})

    def make(self, index: int) -> Product:
        """Play one job and draw its pictures if it succeeded. A fault of ours becomes a result with outcome "error"."""
        began = time.process_time()
        try:
            job = make_job(self._request, index)
            played = play(self._stage, self._request, job)
            content = None
            if len(played.actions) and (played.success or self._request.keep_failures):
                content = encoded(Path(f"index {index}"), self._demo(job, played))
        except Exception:  # the one place that keeps a fault in one episode from stopping the others
            # What the fault left behind must not reach the next episode.
            self._stage = Stage(self._request.suite, self._request.hand, self._request.hold_s)
            return Product(error_result(index, traceback.format_exc(), time.process_time() - began))
        seconds = round(time.process_time() - began, 4)
        result = JobResult(
            index=index,
            outcome=played.outcome,
            success=played.success,
            recovery=played.recovery,
            attempts=played.attempts,
            steps=len(played.actions),
            seconds=seconds,
            vain=played.vain,
        )
        return Product(result, content)

    def _demo(self, job: Job, played: Played) -> Demo:
        request, scene, last = self._request, self._stage.scene, len(played.actions) - 1
        ends = np.arange(len(played.actions)) == last
        seen = draw(scene, played.states, request.cameras, request.image_size, jpeg_quality(request.images))
        return Demo(
            suite=request.suite,
            index=job.index,
            success=played.success,
            outcome=played.outcome,
            recovery=played.recovery,
            attempts=played.attempts,
            actions=played.actions,
            states=played.states,
            rewards=(ends & played.success).astype(np.float32),
            dones=ends,
            phases=played.phases,
            imitate=played.imitate,
            obs={spec.STATE: played.measured, **seen},
            spec=played.episode.as_dict(),
            versions=self._versions,
            details={
                "seed": request.seed,
                "hold_s": request.hold_s,
                "tolerant": request.tolerant,
                "grasps": request.grasps,
            },
            **scene_words(scene),
        )


def error_result(index: int, error: str, seconds: float = 0.0) -> "JobResult":
    """The result of a job that was lost by our own fault; `error` says how."""
    return JobResult(index, ERROR, False, "", 0, 0, round(seconds, 4), error)
