"""The choice of the OpenGL backend."""

import os
import subprocess
import sys

import pytest

from assets import gl


class FakeContext:
    def __init__(self, width, height):
        self.size = (width, height)
        self.current = False

    def make_current(self):
        self.current = True

    def free(self):
        self.current = False


@pytest.mark.parametrize(
    ("platform", "mujoco_gl", "expected"),
    [
        ("linux", None, ("egl", "osmesa")),
        ("linux", "", ("egl", "osmesa")),
        ("linux", "on", ("egl", "osmesa")),
        ("linux", " EGL ", ("egl",)),
        ("linux", "osmesa", ("osmesa",)),
        ("linux", "glfw", ("glfw",)),
        ("linux", "glx", ("glfw",)),
        ("darwin", None, ("cgl", "glfw")),
        ("win32", None, ("glfw",)),
        ("win32", "wgl", ("glfw",)),
    ],
)
def test_backends_in_order_of_preference(platform, mujoco_gl, expected):
    assert gl.backends_to_try(platform, mujoco_gl) == expected


def test_rendering_that_is_switched_off_says_so():
    with pytest.raises(gl.RenderingError, match="MUJOCO_GL=off switches rendering off"):
        gl.backends_to_try("linux", "off")


def test_unknown_backend_lists_the_choices():
    with pytest.raises(gl.RenderingError, match=r"quark is unknown.*egl, osmesa, glfw"):
        gl.backends_to_try("linux", "quark")


@pytest.fixture
def broken(monkeypatch):
    """Backends named in the returned set cannot be loaded; the others give FakeContext. Nothing set stays set."""
    names = set()

    def load(name):
        if name in names:
            os.environ["PYOPENGL_PLATFORM"] = name
            raise ImportError(f"no lib{name}")
        return FakeContext

    monkeypatch.setattr(gl, "_context_class", load)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.setenv("PYOPENGL_PLATFORM", "before")
    monkeypatch.delenv("PYOPENGL_PLATFORM")
    monkeypatch.setenv("LP_NUM_THREADS", os.environ.get("LP_NUM_THREADS", "0"))
    return names


def open_anew():
    return gl._open.__wrapped__(0, 0)  # past the cache, as process 0 and thread 0


def test_egl_comes_first_and_is_remembered_for_child_processes(broken):
    name, context = open_anew()
    assert name == "egl"
    assert context.current
    assert os.environ["MUJOCO_GL"] == "egl"


def test_osmesa_takes_over_where_egl_does_not_work(broken):
    broken.add("egl")
    assert open_anew()[0] == "osmesa"
    assert os.environ["MUJOCO_GL"] == "osmesa"
    assert "PYOPENGL_PLATFORM" not in os.environ  # left behind by the failed attempt, it would bar OSMesa


def test_a_wish_is_honoured_even_if_another_backend_would_work(broken, monkeypatch):
    broken.add("egl")
    monkeypatch.setenv("MUJOCO_GL", "egl")
    with pytest.raises(gl.RenderingError, match="libegl1 libgl1-mesa-dri") as caught:
        open_anew()
    assert "osmesa" not in str(caught.value)


def test_when_nothing_works_the_error_names_reasons_and_packages(broken):
    broken.update(("egl", "osmesa"))
    with pytest.raises(gl.RenderingError) as caught:
        open_anew()
    for part in ("egl: ImportError: no libegl", "osmesa: ImportError: no libosmesa", "libegl1", "libosmesa6"):
        assert part in str(caught.value)


def test_context_is_made_once_and_current():
    first = gl.gl_context()
    assert gl.gl_context() is first
    assert gl.backend_name() in ("egl", "osmesa", "glfw", "cgl")


def test_stepping_physics_touches_no_driver():
    code = "import sys, mujoco, envs.sensing; print(sorted(m for m in sys.modules if m.split('.')[0] == 'OpenGL'))"
    environment = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def test_torchs_libraries_load_after_a_picture_was_drawn():
    pytest.importorskip("timm")
    script = (
        "from envs.sim import SimEnv\n"
        "env = SimEnv(obs_mode='rgb', image_size=(32, 24))\n"
        "env.reset(options={'index': 0})\n"
        "env.close()\n"
        "import timm, triton\n"  # Their LLVM and Mesa's crash in this order, unless something was done about it.
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
