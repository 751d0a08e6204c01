"""The process's OpenGL context: chosen late, made once, never carried over a fork."""

import atexit
import functools
import importlib.util
import os
import sys
import threading
from typing import Protocol

# Tried in this order on Linux when MUJOCO_GL says nothing. Both draw without a display.
HEADLESS = ("egl", "osmesa")
_SWITCHED_OFF = ("disable", "disabled", "off", "false", "0")
_UNDECIDED = ("", "enable", "enabled", "on", "true", "1")
_WINDOWED = {"glfw": "glfw", "glx": "glfw", "wgl": "glfw", "cgl": "cgl"}  # MUJOCO_GL -> module of mujoco
_PACKAGES = {
    "egl": "libegl1 libgl1-mesa-dri libopengl0",
    "osmesa": "libosmesa6",
    "glfw": "libglfw3",
    "cgl": "(part of macOS)",
}
# Every picture is drawn into a framebuffer object of its own size, so the context's own buffer may be small.
_BUFFER_PX = (64, 64)


class RenderingError(RuntimeError):
    """No picture can be drawn in this process."""


class GLContext(Protocol):
    """What the context classes of MuJoCo share."""

    def make_current(self) -> None:
        """Let the calling thread draw with it."""

    def free(self) -> None:
        """Give it back."""


def gl_context() -> GLContext:
    """The OpenGL context of this process and thread, made on first use and current on return.

    MUJOCO_GL decides when it is set; otherwise EGL is used where it works, else OSMesa. It does not matter whether
    mujoco was imported before MUJOCO_GL was set. After a fork the child gets a context of its own.

    Raises:
        RenderingError: nothing works, MUJOCO_GL switches rendering off or names something unknown.
    """
    context = _open(os.getpid(), threading.get_ident())[1]
    context.make_current()
    return context


def backend_name() -> str:
    """What draws in this process: "egl", "osmesa", "glfw" or "cgl". Opens the context if need be."""
    return _open(os.getpid(), threading.get_ident())[0]


def owner() -> tuple[int, int]:
    """(process id, thread id): whoever made a GL object is the only one that may use or free it."""
    return os.getpid(), threading.get_ident()


def backends_to_try(platform: str, mujoco_gl: str | None) -> tuple[str, ...]:
    """Backends in order of preference for a platform (`sys.platform`) and the value of MUJOCO_GL.

    Raises:
        RenderingError: MUJOCO_GL switches rendering off, or is unknown.
    """
    wish = (mujoco_gl or "").strip().lower()
    if wish in _SWITCHED_OFF:
        raise RenderingError(f"MUJOCO_GL={wish} switches rendering off: unset it, or set it to egl or osmesa")
    if wish in HEADLESS:
        return (wish,)
    if wish in _WINDOWED:
        return (_WINDOWED[wish],)
    if wish not in _UNDECIDED:
        choices = ", ".join((*HEADLESS, *_WINDOWED, "off"))
        raise RenderingError(f"MUJOCO_GL={wish} is unknown: choose one of {choices}, or leave it unset")
    return HEADLESS if platform.startswith("linux") else ("cgl", "glfw") if platform == "darwin" else ("glfw",)


# The cache never evicts: a context inherited over a fork must stay untouched, not be freed by the child.
@functools.cache
def _open(process_id: int, thread_id: int) -> tuple[str, GLContext]:
    # Mesa's software renderer otherwise starts threads that a forked child would wait for in vain. Workers own one
    # core each anyhow. Read by Mesa when it makes its first context, ignored by drivers of graphics cards.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    load_other_llvm()
    reasons = {}
    for name in backends_to_try(sys.platform, os.environ.get("MUJOCO_GL")):
        try:
            context = _make(name)
        except RenderingError as error:
            reasons[name] = error
            continue
        # libmujoco reads this when it looks up GL functions; it also lets child processes draw with the same backend.
        if os.environ.get("MUJOCO_GL", "").strip().lower() in _UNDECIDED:
            os.environ["MUJOCO_GL"] = name
        atexit.register(_free, context, process_id)
        return name, context
    tried = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    packages = " or ".join(f"`apt-get install {_PACKAGES[name]}`" for name in reasons)
    raise RenderingError(f"no OpenGL backend works here ({tried}). On Debian or Ubuntu: {packages}")


def load_other_llvm() -> None:
    """Import triton, where torch brought it along, before Mesa loads its LLVM: the other order ends in a crash."""
    if sys.platform.startswith("linux") and importlib.util.find_spec("triton") is not None:
        importlib.import_module("triton")


def _make(name: str) -> GLContext:
    loaded, platform = set(sys.modules), os.environ.get("PYOPENGL_PLATFORM")
    try:
        context = _context_class(name)(*_BUFFER_PX)
        context.make_current()
    except Exception as error:  # the bindings raise whatever a missing or broken driver library makes them stumble over
        # PyOpenGL binds to one platform on import; it has to be forgotten before another one can be tried.
        for module in set(sys.modules) - loaded:
            if module.split(".")[0] == "OpenGL" or module.startswith(("mujoco.egl", "mujoco.osmesa")):
                del sys.modules[module]
        if platform is None:
            os.environ.pop("PYOPENGL_PLATFORM", None)
        raise RenderingError(f"{type(error).__name__}: {error}") from error
    return context


def _context_class(name: str) -> type[GLContext]:
    # mujoco.gl_context fixes its choice when mujoco is first imported; the classes behind it can be had any time.
    return importlib.import_module(f"mujoco.{name}").GLContext


def _free(context: GLContext, process_id: int) -> None:
    if os.getpid() == process_id:
        context.free()
