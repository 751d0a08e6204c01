"""Regressions planted on purpose: runners whose physics went wrong in a way that a gate must notice."""

from collections.abc import Callable
from typing import Any

import envs.sim
from benchmarks.evaluate import Plan, Runner
from benchmarks.worker import make_runner
from envs import spec
from envs.scene import Scene, build_scene

FRICTION, STRENGTH = 0.5, 0.8  # what is left of each
CAMERA_M = 0.03


def slippery(plan: Plan) -> Runner:
    """Every surface has half its friction."""
    return _with_fault(plan, _halve_friction)


def weak(plan: Plan) -> Runner:
    """The hand's motors give 20 % less torque."""
    return _with_fault(plan, _weaken_hand)


def askew(plan: Plan) -> Runner:
    """The head camera stands 3 cm to the side."""
    return _with_fault(plan, _move_camera)


def _with_fault(plan: Plan, fault: Callable[[Scene], None]) -> Runner:
    # The worker's process is its own, so nothing needs to be put back.
    def faulty(*arguments: Any, **settings: Any) -> Scene:
        scene = build_scene(*arguments, **settings)
        fault(scene)
        return scene

    envs.sim.build_scene = faulty
    return make_runner(plan)


def _halve_friction(scene: Scene) -> None:
    scene.model.geom_friction[:, 0] *= FRICTION


def _weaken_hand(scene: Scene) -> None:
    model = scene.model
    for number in range(model.nu):
        if model.actuator(number).name.startswith("hand/"):
            model.actuator_forcerange[number] *= STRENGTH


def _move_camera(scene: Scene) -> None:
    scene.model.camera(spec.HEAD).pos[1] += CAMERA_M
