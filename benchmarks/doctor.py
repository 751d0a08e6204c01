"""Looks at this machine and says what works, how fast, and what is wrong: `python -m benchmarks.doctor`."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mujoco
import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets import gl, vulkan
from datagen.pool import usable_cores
from datagen.versions import installed

LOCK = Path(__file__).parent.parent / "requirements.lock"
SPARSE_BUG_VERSION = "4.0.0"
PYTHON_AT_LEAST = (3, 11)
WORKER_BYTES = 600e6  # what one worker with a renderer takes
SLOW_FRAMES_PER_S = 60.0  # below this, 640x480 pictures make an evaluation several times slower than it needs to be
MEASURE_S = 1.0
FILAMENT_LIMIT_S = 120.0  # for a process that draws two pictures with it
MINIMAL_MODEL = "<mujoco><worldbody><light pos='0 0 3'/><geom size='.1' group='2'/></worldbody></mujoco>"


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `verdict` is ok, note (worth knowing) or broken; `advice` says in plain words what to do."""

    what: str
    value: str
    verdict: str = "ok"
    advice: str = ""


@dataclass(frozen=True)
class Options:
    """Look at this machine: versions, OpenGL and its speed, cores, memory, and what is wrong."""

    gl_only: bool = False
    """Only try whether pictures can be drawn at all."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or 1 if something is broken."""
    options = tyro.cli(Options, args=arguments, prog="python -m benchmarks.doctor")
    findings = [check_gl()] if options.gl_only else examine()
    if options.gl_only:
        print(f"OpenGL: {findings[0].value}. {findings[0].advice}".strip())
    else:
        show(Console(), findings)
    return int(any(f.verdict == "broken" for f in findings))


def examine() -> list[Finding]:
    """Everything the doctor looks at, in order. A check that fails in an unforeseen way is itself a finding."""
    drawing = check_gl()
    findings = [check_python(), *check_versions(locked_versions(LOCK)), check_sparse_bug(), drawing]
    checks: list[Callable[[], Finding]] = [check_scene, check_cores, check_memory]
    if drawing.verdict != "broken":
        checks += [check_filament]
        checks += [lambda: check_frame_rate((640, 480)), lambda: check_frame_rate((128, 128))]
    for check in checks:
        try:
            findings.append(check())
        except Exception as fault:  # whatever it is, the rest of the examination is still wanted
            findings.append(Finding("examination", type(fault).__name__, "broken", str(fault)))
    return findings


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """The interpreter."""
    words = f"{'.'.join(map(str, version))} on {platform.system()} {platform.machine()}"
    if version >= PYTHON_AT_LEAST:
        return Finding("python", words)
    return Finding("python", words, "broken", f"Python {'.'.join(map(str, PYTHON_AT_LEAST))} or newer is needed.")


def check_versions(locked: dict[str, str]) -> list[Finding]:
    """This package and what decides its numbers, against the lock."""
    findings = [Finding("dexclutter", installed("dexclutter"))]
    for name in ("mujoco", "mujoco-core", "dm_control", "gymnasium", "numpy"):
        here, wanted = installed(name), locked.get(name.lower(), "")
        if here == "not installed":
            findings.append(Finding(name, here, "broken", f"{name} is missing: pip install -r requirements.lock"))
        elif name.startswith("mujoco") and wanted and here != wanted:
            advice = f"The published numbers hold for MuJoCo {wanted} only: pip install -r requirements.lock"
            findings.append(Finding(name, f"{here}, locked {wanted}", "broken", advice))
        elif wanted and here != wanted:
            findings.append(Finding(name, f"{here}, locked {wanted}", "note", f"{name} differs from the lock."))
        else:
            findings.append(Finding(name, here))
    return findings


def check_sparse_bug(version: str = mujoco.__version__) -> Finding:
    """MuJoCo 4.0.0 factorises sparse matrices wrongly; every model here must therefore be dense."""
    if version != SPARSE_BUG_VERSION:
        return Finding("sparse solver", f"MuJoCo {version}")
    advice = (
        "MuJoCo 4.0.0 has a wrong sparse Cholesky factor: its Newton solver converges slowly or diverges. "
        'DexClutter sets jacobian="dense" in all its models, so its results are right. '
        "Do the same in models of your own."
    )
    return Finding("sparse solver", "faulty in MuJoCo 4.0.0, not used here", "note", advice)


def check_gl() -> Finding:
    """Whether a picture can be drawn, and by what."""
    from envs.sensing import Rig  # here, so that a broken renderer is a finding and not a crash at import

    try:
        model = mujoco.MjModel.from_xml_string(MINIMAL_MODEL.replace("<geom", "<camera name='eye' pos='0 0 1'/><geom"))
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        with Rig(model, (64, 64), ("eye",)) as rig:
            picture = rig.render(data, "eye")
        backend = gl.backend_name()
    except (gl.RenderingError, mujoco.FatalError) as fault:
        return Finding("OpenGL", "does not work", "broken", str(fault))
    if picture.max() == 0:
        return Finding("OpenGL", backend, "broken", "Pictures come out black: try MUJOCO_GL=osmesa, or another driver.")
    return Finding("OpenGL", f"{backend}, {_renderer_words()}")


def check_scene() -> Finding:
    """A scene of the benchmark: built, and with the settings that its numbers rest on."""
    model, _ = _scene()
    dense = model.opt.jacobian == mujoco.mjtJacobian.mjJAC_DENSE
    words = f"{model.nbody} bodies, {model.ngeom} geoms, {'dense' if dense else 'sparse'} Jacobian"
    if dense:
        return Finding("scene", words)
    return Finding("scene", words, "broken", "The scene is not built with the dense solver: its physics is wrong.")


def check_frame_rate(size: tuple[int, int], seconds: float = MEASURE_S) -> Finding:
    """Pictures of the head camera per second, on one core."""
    from envs.sensing import Rig

    model, data = _scene()
    with Rig(model, size, ("head",)) as rig:
        rig.render(data, "head")
        began, frames = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            rig.render(data, "head")
            frames += 1
        speed = frames / (time.perf_counter() - began)
    words = f"{speed:.0f} frames/s"
    if speed >= SLOW_FRAMES_PER_S:
        return Finding(f"head {size[0]}x{size[1]}", words)
    advice = "Drawing is slow here: is the machine busy, or is a slow driver chosen by MUJOCO_GL?"
    return Finding(f"head {size[0]}x{size[1]}", words, "note", advice)


def check_filament() -> Finding:
    """Whether Filament draws, and by what. In a process of its own, since it ends the one in which it fails."""
    code = "from benchmarks.doctor import filament_words; print(filament_words())"
    try:
        device = vulkan.load()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=FILAMENT_LIMIT_S
        )
        if done.returncode == 0:
            return Finding("Filament", f"{device}, {done.stdout.strip()}")
        reason = f"it ended with {done.returncode} on {device}: {' '.join(done.stderr.splitlines()[-3:])}"
    except (gl.RenderingError, subprocess.TimeoutExpired) as fault:
        reason = str(fault)
    return Finding("Filament", "does not work", "note", f"Only the suite renderer_shift wants it; {reason}")


def filament_words() -> str:
    """How long Filament takes for a picture of the head camera here. May end the process where it does not work."""
    from envs.filament import FilamentRig

    model, data = _scene()
    with FilamentRig(model, (640, 480), ("head",)) as rig:
        rig.render(data, "head")
        began = time.perf_counter()
        rig.render(data, "head")
        return f"{time.perf_counter() - began:.1f} s a picture"


def check_cores() -> Finding:
    """Processor cores of the machine, and how many of them this process may use."""
    return Finding("cores", f"{usable_cores()} usable of {os.cpu_count()}")


def check_memory() -> Finding:
    """Free memory against what a worker per core would take."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():  # the kernel's own estimate counts caches as free, as it should
        fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free = int(fields["MemAvailable"].split()[0]) * 1024
    words, wanted = f"{free / 1e9:.1f} GB free", usable_cores() * WORKER_BYTES
    if free >= wanted:
        return Finding("memory", words)
    fitting = max(1, int(free / WORKER_BYTES))
    advice = f"{usable_cores()} workers want about {wanted / 1e9:.1f} GB: use --workers {fitting}."
    return Finding("memory", words, "note", advice)


def locked_versions(path: Path) -> dict[str, str]:
    """Lower-case name -> version of a lock file; empty where there is none, as in an installed package."""
    if not path.exists():
        return {}
    lines = (line.split("#")[0].split(";")[0].strip() for line in path.read_text().splitlines())
    return {name.lower(): version for name, version in (line.split("==") for line in lines if line)}


def show(console: Console, findings: Sequence[Finding]) -> None:
    """A table of all findings, and below it what there is to say about some of them."""
    table = Table(title="DexClutter doctor", title_justify="left")
    colours = {"ok": "green", "note": "yellow", "broken": "red"}
    for column in ("what", "found", ""):
        table.add_column(column)
    for f in findings:
        table.add_row(f.what, escape(f.value), f"[{colours[f.verdict]}]{f.verdict}")
    console.print(table)
    for f in findings:
        if f.advice:
            console.print(f"[{colours[f.verdict]}]{f.verdict}[/] {f.what}: {escape(f.advice)}", highlight=False)
    if not any(f.verdict == "broken" for f in findings):
        console.print("Nothing is broken.")


def _scene() -> tuple[mujoco.MjModel, mujoco.MjData]:
    from envs.sim import SimEnv

    env = SimEnv()
    env.reset(seed=0, options={"index": 0})
    return env.model, env.data


def _renderer_words() -> str:
    from OpenGL import GL

    gl.gl_context()
    name = GL.glGetString(GL.GL_RENDERER)
    return name.decode() if name else "unknown renderer"


if __name__ == "__main__":
    sys.exit(main())
