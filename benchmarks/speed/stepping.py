"""Control steps per second and time to reset, on one core: `python -m benchmarks.speed.stepping`.

What the environment adds is measured against the bare minimum in the same run: the same model, the same actuator
targets, `mj_step` and two pictures read into ready buffers. Blocks of both alternate, and the median counts, because
other work on the machine disturbs both alike. A step per CPU second is what a core gives that nobody else uses.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import gymnasium
import mujoco
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from assets import gl
from envs import spec
from envs.control import Servo, check_action
from envs.episode import make_episode
from envs.registration import ENV_ID
from envs.sim import SimEnv

# name -> (arguments of the environment, control steps per second to reach, steps in a block)
CASES = {
    "state": ({"obs_mode": "state"}, 600.0, 20),
    "two 128x128": ({"obs_mode": "rgb", "image_size": (128, 128)}, 150.0, 10),
    "two 640x480": ({"obs_mode": "rgb", "image_size": (640, 480)}, 60.0, 4),
}
MAX_OVERHEAD, MAX_RESET_S = 0.15, 0.150
SWAY_RAD, SWAY_HZ = 0.05, 0.5
_MAX_GEOMS = 2000


@dataclass(frozen=True)
class Options:
    """Time env.step against bare physics and rendering, and reset with and without the making of the episode."""

    suite: Annotated[str, tyro.conf.arg(help="suite that the scenes are taken from")] = "unseen_objects"
    first: Annotated[int, tyro.conf.arg(help="index of the first episode")] = 0
    episodes: Annotated[int, tyro.conf.arg(help="scenes in which steps are timed")] = 8
    blocks: Annotated[int, tyro.conf.arg(help="alternating blocks in each scene")] = 8
    resets: Annotated[int, tyro.conf.arg(help="different episodes that are reset")] = 50
    out: Annotated[Path | None, tyro.conf.arg(help="file for the numbers as JSON")] = None


@dataclass(frozen=True)
class Stepping:
    """One case. Rates in control steps per second, medians over scenes; overhead as a share of the bare minimum."""

    case: str
    bar_hz: float
    steps_hz: float
    steps_per_cpu_s: float
    bare_hz: float
    overhead: float


@dataclass(frozen=True)
class Resetting:
    """Seconds for `env.reset`, `make_episode` and both together over different episodes of one process."""

    case: str
    reset_s: list[float]
    make_s: list[float]

    @property
    def total_s(self) -> list[float]:
        """Both together: what an episode costs that nobody has asked for before."""
        return [a + b for a, b in zip(self.reset_s, self.make_s, strict=True)]


class Bare:
    """The least that must be done: actuator targets, physics steps, and two pictures that nobody turns round."""

    def __init__(self, env: SimEnv, targets: list[np.ndarray], size: tuple[int, int] | None) -> None:
        self.model, self.data, self.targets = env.model, mujoco.MjData(env.model), iter(targets)
        mujoco.mj_copyData(self.data, env.model, env.data)
        self.size = size
        if size is None:
            return
        gl.gl_context()
        self.context = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_50)
        mujoco.mjr_resizeOffscreen(*size, self.context)
        self.scene = mujoco.MjvScene(self.model, _MAX_GEOMS)
        for flag in (mujoco.mjtRndFlag.mjRND_REFLECTION, mujoco.mjtRndFlag.mjRND_SHADOW):
            self.scene.flags[flag] = False
        self.option, self.perturb = mujoco.MjvOption(), mujoco.MjvPerturb()
        self.option.geomgroup[:] = 0
        self.option.geomgroup[spec.VISUAL_GROUP] = 1
        self.rect = mujoco.MjrRect(0, 0, *size)
        self.pixels = np.empty((size[1], size[0], 3), np.uint8)
        self.views = []
        for name in spec.CAMERAS:
            view = mujoco.MjvCamera()
            view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, self.model.camera(name).id
            self.views.append(view)

    def step(self) -> None:
        """One control period."""
        for _ in range(spec.SUBSTEPS // spec.BLOCK_SUBSTEPS):
            self.data.ctrl[:] = next(self.targets)
            mujoco.mj_step(self.model, self.data, spec.BLOCK_SUBSTEPS)
        if self.size is None:
            return
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.context)  # the environment has one of its own
        everything = mujoco.mjtCatBit.mjCAT_ALL
        for view in self.views:
            mujoco.mjv_updateScene(self.model, self.data, self.option, self.perturb, view, everything, self.scene)
            mujoco.mjr_render(self.rect, self.scene, self.context)
            mujoco.mjr_readPixels(self.pixels, None, self.rect, self.context)


def swaying_actions(start: np.ndarray, steps: int) -> np.ndarray:
    """Actions (steps, 13) that sway arm and fingers about `start`, far from table and objects."""
    phase = 2 * np.pi * SWAY_HZ * np.arange(1, steps + 1) * spec.CONTROL_PERIOD_S
    actions = np.tile(start.astype(float), (steps, 1))
    actions[:, spec.ARM] += SWAY_RAD / spec.ARM_SCALE_RAD * np.sin(phase)[:, None]
    actions[:, spec.HAND] -= 0.15 * (1 - np.cos(phase))[:, None]
    return np.array([check_action(a) for a in actions])


def actuator_targets(env: SimEnv, actions: np.ndarray) -> list[np.ndarray]:
    """What the servo writes to the actuators for these actions, once every 10 ms."""
    servo, data = Servo(env.model, env.scene.hand), mujoco.MjData(env.model)
    mujoco.mj_copyData(data, env.model, env.data)
    servo.reference_rad = env.servo.reference_rad.copy()
    targets: list[np.ndarray] = []
    for action in actions:
        servo.run(data, action, lambda d: targets.append(d.ctrl.copy()))
    return targets


def time_steps(options: Options, case: str) -> Stepping:
    """Time one case. Raises AssertionError if both sides did not simulate the same: then nothing was compared."""
    arguments, bar, length = CASES[case]
    made = gymnasium.make(ENV_ID, suite=options.suite, **arguments)
    env: SimEnv = made.unwrapped
    rates, cpu_rates, bare_rates, shares = [], [], [], []
    for index in range(options.first, options.first + options.episodes):
        observation, _ = made.reset(seed=0, options={"index": index})
        actions = swaying_actions(observation[spec.STATE], (options.blocks + 1) * length)
        bare = Bare(env, actuator_targets(env, actions), arguments.get("image_size"))
        made_times, bare_times = [], []
        for block in range(options.blocks + 1):
            part = actions[block * length : (block + 1) * length]
            sides = [
                (made_times, lambda part=part: [made.step(a) for a in part]),
                (bare_times, lambda part=part, bare=bare: [bare.step() for _ in part]),
            ]
            for times, side in sides if block % 2 else reversed(sides):
                times.append(_timed(side))
        assert np.array_equal(env.data.qpos, bare.data.qpos), "both sides must have simulated the same"
        ours, least = np.array(made_times[1:]), np.array(bare_times[1:])  # the first block warms both up
        rates.append(length / np.median(ours[:, 0]))
        cpu_rates.append(length / np.median(ours[:, 1]))
        bare_rates.append(length / np.median(least[:, 0]))
        shares.append(np.median(ours[:, 1] / least[:, 1]) - 1)
    made.close()
    return Stepping(case, bar, *(float(np.median(x)) for x in (rates, cpu_rates, bare_rates, shares)))


def time_resets(options: Options, case: str, first: int) -> Resetting:
    """Reset different episodes, each once."""
    env = gymnasium.make(ENV_ID, suite=options.suite, **CASES[case][0])
    env.reset(seed=0, options={"index": first + options.resets})
    reset_s, make_s = [], []
    for index in range(first, first + options.resets):
        make_s.append(_timed(lambda index=index: make_episode(options.suite, index))[0])
        reset_s.append(_timed(lambda index=index: env.reset(seed=0, options={"index": index}))[0])
    env.close()
    return Resetting(case, reset_s, make_s)


def _timed(action: Callable[[], object]) -> tuple[float, float]:
    """(wall seconds, CPU seconds of this process)."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def report(steppings: list[Stepping], resettings: list[Resetting]) -> list[Table]:
    """Two tables: steps and resets, each with its bar."""
    steps = Table(title="Control steps on one core")
    for name in ("case", "bar", "steps/s", "steps per CPU s", "bare steps/s", "overhead"):
        steps.add_column(name, justify="left" if name == "case" else "right")
    for s in steppings:
        steps.add_row(
            s.case,
            f"{s.bar_hz:.0f}",
            f"{s.steps_hz:.0f}",
            f"{s.steps_per_cpu_s:.0f}",
            f"{s.bare_hz:.0f}",
            f"{100 * s.overhead:.1f} %",
        )
    steps.caption = f"overhead: CPU time over bare stepping and rendering, bar {100 * MAX_OVERHEAD:.0f} %"
    resets = Table(title=f"Reset, bar {1e3 * MAX_RESET_S:.0f} ms")
    for name in ("case", "what", "median ms", "95 % ms"):
        resets.add_column(name, justify="right" if "ms" in name else "left")
    for r in resettings:
        for what, seconds in (("reset", r.reset_s), ("make_episode", r.make_s), ("both", r.total_s)):
            middle, high = 1e3 * np.percentile(seconds, [50, 95])
            resets.add_row(r.case, what, f"{middle:.0f}", f"{high:.0f}")
    return [steps, resets]


def main(options: Options) -> tuple[list[Stepping], list[Resetting]]:
    """Measure, print the tables, write the numbers if asked to, and return them."""
    resettings = [
        time_resets(options, case, options.first + 1000 + 100 * k) for k, case in enumerate(("state", "two 640x480"))
    ]
    steppings = [time_steps(options, case) for case in CASES]
    for table in report(steppings, resettings):
        Console().print(table)
    if options.out is not None:
        values = {"steps": [asdict(s) for s in steppings], "resets": [asdict(r) for r in resettings]}
        options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return steppings, resettings


if __name__ == "__main__":
    main(tyro.cli(Options))
