"""Pictures per second of the station: `python -m benchmarks.speed.rendering`, on one core, in this process."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import mujoco
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from assets.gl import backend_name
from assets.looks.looks import LookSpec
from envs.episode import make_episode
from envs.scene import build_scene
from envs.sensing import Rig
from envs.spec import CAMERAS, SUBSTEPS, VISUAL_GROUP

SIZES = ((128, 128), (224, 224), (640, 480))
LOOKS = {
    "white": LookSpec(),
    "cloth": LookSpec("colourful_cloth"),
    "mat": LookSpec("pink_towel"),
    "disco": LookSpec(lighting="disco"),
    "lamp, with shadows": LookSpec(lighting="lamp"),
}


@dataclass(frozen=True)
class Options:
    """Time the cameras of one scene of a suite under several looks."""

    suite: Annotated[str, tyro.conf.arg(help="suite that the scene is taken from")] = "seen_objects"
    index: Annotated[int, tyro.conf.arg(help="episode index of the scene")] = 0
    seconds: Annotated[float, tyro.conf.arg(help="how long each case is timed")] = 0.5


@dataclass(frozen=True)
class Timing:
    """Times of one look (s): dress and compile, upload to the renderer; per size: each camera, and a mask from head."""

    look: str
    triangles: int
    compile_s: float
    upload_s: float
    picture_s: dict[tuple[int, int], dict[str, float]]
    mask_s: dict[tuple[int, int], float]


def measure(options: Options, look_name: str) -> Timing:
    """Compile the scene under one look of LOOKS and time its pictures."""
    episode = replace(make_episode(options.suite, options.index), look=LOOKS[look_name])
    build_scene(episode)  # textures and meshes are computed once per process
    start = time.perf_counter()
    scene = build_scene(episode)
    compile_s = time.perf_counter() - start
    model, data = scene.model, scene.initial_data()
    for k, angle in enumerate(episode.arm_start_rad, start=1):
        data.joint(f"arm/joint{k}").qpos[0] = angle
    mujoco.mj_forward(model, data)
    with Rig(model, SIZES[0]) as rig:
        rig.render(data, CAMERAS[0], (1, 1))
        rig.close()
        start = time.perf_counter()
        rig.render(data, CAMERAS[0], (1, 1))
        upload_s = time.perf_counter() - start
        picture_s = {
            size: {
                camera: median_s(lambda camera=camera, size=size: rig.render(data, camera, size), options.seconds)
                for camera in CAMERAS
            }
            for size in SIZES
        }
        mask_s = {
            size: median_s(lambda size=size: rig.segment(data, CAMERAS[0], size), options.seconds) for size in SIZES
        }
    return Timing(look_name, triangles(model), compile_s, upload_s, picture_s, mask_s)


def physics_s(options: Options) -> float:
    """Seconds for the physics steps of one control period, robot and objects at rest."""
    scene = build_scene(make_episode(options.suite, options.index))
    data = scene.initial_data()
    mujoco.mj_step(scene.model, data, SUBSTEPS)
    return median_s(lambda: mujoco.mj_step(scene.model, data, SUBSTEPS), options.seconds)


def median_s(action: Callable[[], object], seconds: float) -> float:
    """Median duration of `action` in calls that fill at least `seconds`; a busy machine shifts it less than a mean."""
    action()
    durations: list[float] = []
    while sum(durations) < seconds:
        start = time.perf_counter()
        action()
        durations.append(time.perf_counter() - start)
    return float(np.median(durations))


def triangles(model: mujoco.MjModel) -> int:
    """Triangles of the visual meshes; boxes, spheres and the like are left out."""
    shown = (model.geom_group == VISUAL_GROUP) & (model.geom_type == mujoco.mjtGeom.mjGEOM_MESH)
    return int(np.sum(model.mesh_facenum[model.geom_dataid[shown]]))


def report(timings: list[Timing], step_s: float) -> Table:
    """One row per look and size. The last column is what an environment that delivers both cameras can reach."""
    table = Table(title=f"Rendering with {backend_name()}, physics {1e3 * step_s:.2f} ms per control step")
    for name in ("look", "triangles", "compile ms", "upload ms", "size"):
        table.add_column(name, justify="right" if "ms" in name or name == "triangles" else "left")
    for camera in CAMERAS:
        table.add_column(f"{camera} frames/s", justify="right")
    table.add_column("masks/s", justify="right")
    table.add_column("control steps/s", justify="right")
    for timing in timings:
        for size, by_camera in timing.picture_s.items():
            first = size == SIZES[0]
            head = (timing.look, str(timing.triangles), f"{1e3 * timing.compile_s:.1f}", f"{1e3 * timing.upload_s:.1f}")
            table.add_row(
                *(head if first else ("",) * len(head)),
                f"{size[0]} x {size[1]}",
                *(f"{1 / by_camera[camera]:.0f}" for camera in CAMERAS),
                f"{1 / timing.mask_s[size]:.0f}",
                f"{1 / (sum(by_camera.values()) + step_s):.0f}",
                end_section=size == SIZES[-1],
            )
    return table


def main(options: Options) -> list[Timing]:
    """Measure every look, print the table, return the numbers."""
    timings = [measure(options, name) for name in LOOKS]
    Console().print(report(timings, physics_s(options)))
    return timings


if __name__ == "__main__":
    main(tyro.cli(Options))
