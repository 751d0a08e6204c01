"""Plays one job: the scene, what goes wrong in it on purpose, and a grasp that holds."""

from dataclasses import dataclass

import mujoco
import numpy as np

from datagen.jobs import HABIT, NO_RECOVERY, Job, Request, scene_of
from datagen.record import grasps
from datagen.recovery import miss, moved_start, shove, slip
from datagen.script import MAX_TRIALS, Script
from datagen.stage import SimulationError, Stage, Take
from envs import outcome, spec
from envs.episode import EpisodeSpec
from envs.sim import STATE_KIND

MISHAPS = {"shove": shove, "miss": miss, "slip": slip}
FAIL_FIRST = ("miss", "slip")  # of these, the first grasp is made to fail
# What happens where there is no room for another start, no way to miss or to let slip, or a flat target: that is
# grasped at the edge of the table, from where it would slip into the tray.
SUBSTITUTE = "shove"
FEW_TRIALS = 8  # of grasps after a mishap


@dataclass(frozen=True, eq=False)
class Played:
    """One job, played. Row t: the physics state and the measured joints before action t. See datagen.storage.

    episode: the scene as it was played; attempts: grasps carried out; vain: grasps tried and taken back, which left no
    trace; recovery: what went wrong, or "none"; imitate: see datagen.storage.
    """

    episode: EpisodeSpec
    outcome: str
    recovery: str
    attempts: int
    vain: int
    states: np.ndarray
    measured: np.ndarray
    actions: np.ndarray
    phases: np.ndarray
    imitate: np.ndarray

    @property
    def success(self) -> bool:
        """True for the words that count as the published success."""
        return outcome.is_success(self.outcome)


def play(stage: Stage, request: Request, job: Job) -> Played:
    """Demonstrate one job. A function of (request, job) alone. Raises SimulationError where MuJoCo warned."""
    stage.reset(seed=0, options={"episode": scene_of(request, job)})
    take = Take(stage)
    tolerance = job.rng("tolerance") if request.tolerant else None
    script = Script(take, tolerance, habit=request.grasps == HABIT)
    start = take.mark()
    happened = _go_wrong(script, job)
    grasped = script.grasp(FEW_TRIALS if happened in MISHAPS else MAX_TRIALS)
    if not grasped and happened in MISHAPS:
        # As the scene is now it is a hard one; most are easy as they were.
        take.back_to(start)
        happened, grasped = NO_RECOVERY, script.grasp()
    if not grasped:
        script.fail()
    if not stage.is_sound():
        raise SimulationError("the simulation failed: MuJoCo warned, or its numbers are not finite")
    return _played(take, happened, script.vain)


def _go_wrong(script: Script, job: Job) -> str:
    """Let something go wrong, if the job says so and there is room for it, and say what."""
    if job.recovery == NO_RECOVERY:
        return NO_RECOVERY
    if job.recovery == "joints" and moved_start(script, job.rng("joints")):
        return "joints"
    for kind in [SUBSTITUTE] if script.flat else dict.fromkeys([job.recovery, SUBSTITUTE]):
        if kind in MISHAPS and MISHAPS[kind](script, job.rng(kind)):
            return kind
    return NO_RECOVERY


def _played(take: Take, happened: str, vain: int) -> Played:
    stage, rows = take.stage, take.rows
    size = mujoco.mj_stateSize(stage.model, STATE_KIND)
    phases = np.array([row.phase for row in rows], np.int8)
    return Played(
        episode=stage.scene.episode,
        outcome=stage.outcome or "planner",
        recovery=happened,
        attempts=max(1, grasps(phases)),
        vain=vain,
        states=np.array([row.state for row in rows], np.float64).reshape(-1, size),
        measured=np.array([row.measured for row in rows], np.float32).reshape(-1, spec.ACTION_DIM),
        actions=np.array([row.action for row in rows], np.float32).reshape(-1, spec.ACTION_DIM),
        phases=phases,
        imitate=np.arange(len(rows)) >= take.wrong_rows,
    )
