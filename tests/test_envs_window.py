"""render_mode "human": a window where there is a screen, a clear word where there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCREENLESS = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE")}


def run(code: str, *before: str) -> subprocess.CompletedProcess:
    command = [*before, sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=ROOT, env=SCREENLESS, capture_output=True, text=True, check=False, timeout=120)


def test_without_a_screen_the_error_names_the_mode_that_needs_none():
    ended = run(
        "import gymnasium, envs\n"
        "env = gymnasium.make('DexClutter/Grasp-v0', render_mode='human')\n"
        "from assets.gl import RenderingError\n"
        "try:\n"
        "    env.reset(seed=0)\n"
        "except RenderingError as error:\n"
        "    print(error)\n"
    )
    assert ended.returncode == 0, ended.stderr
    assert "there is no screen here" in ended.stdout
    assert "render_mode='rgb_array'" in ended.stdout


WATCHED = """
import warnings
from gymnasium.utils.env_checker import check_env
import gymnasium, envs
from envs.sim import SimEnv
states = []
for mode in ("human", None):
    env = SimEnv(render_mode=mode)
    observation, _ = env.reset(seed=0, options={"index": 2})
    for _ in range(8):
        action = observation["state"].copy()
        action[:7] += 0.02
        observation, *_ = env.step(action)
    states.append(env.save_state().physics.tobytes())
    env.reset(options={"index": 3})  # a new model: the window is opened anew
    env.close()
assert states[0] == states[1]
check_env(gymnasium.make("DexClutter/Grasp-v0").unwrapped)  # renders in both modes
SimEnv(render_mode="human").reset(seed=0)  # left open: the interpreter must still end in peace
print("watched")
"""


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run (Debian package xvfb) for a screen")
def test_with_a_screen_the_window_opens_changes_nothing_and_gymnasium_s_checker_is_content():
    ended = run(WATCHED, "xvfb-run", "-a")
    assert (ended.returncode, ended.stdout) == (0, "watched\n"), ended.stderr
