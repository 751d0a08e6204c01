"""MuJoCo's viewer window for `render_mode="human"`, or a clear word where there is no screen."""

import threading
import warnings
import weakref
from typing import Any

import mujoco
import numpy as np

from assets.gl import RenderingError, load_other_llvm

_ADVICE = "render_mode='rgb_array' returns pictures instead and needs no screen"
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION
_GOODBYE_S = 5.0


class Window:
    """A passive viewer of a live model. Looking changes nothing: the state of `data` is the same bits before and after.

    Raises RenderingError where no window can be opened.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        viewer = _viewer_module()
        state = np.empty(mujoco.mj_stateSize(model, _STATE))
        mujoco.mj_getState(model, data, state, _STATE)
        others = set(threading.enumerate())
        handle = viewer.launch_passive(model, data, show_left_ui=False, show_right_ui=False)
        mujoco.mj_setState(model, data, state, _STATE)
        threads = [t for t in threading.enumerate() if t not in others]
        self._handle = handle
        # Also runs at the end of the interpreter, which must not take the window's thread by surprise.
        self._shut = weakref.finalize(self, _shut, handle, threads)

    def sync(self) -> None:
        """Show the present state; nothing happens once somebody has closed the window."""
        if self._handle.is_running():
            self._handle.sync()

    def close(self) -> None:
        """Close the window and wait for its thread; may be called twice."""
        self._shut()


def _shut(handle: Any, threads: list[threading.Thread]) -> None:
    handle.close()
    for thread in threads:
        thread.join(_GOODBYE_S)


def _viewer_module() -> Any:
    try:
        import glfw  # windows only: nothing else here may depend on a screen
        from mujoco import viewer
    except (ImportError, RuntimeError) as err:
        raise RenderingError(f"render_mode='human' needs the GLFW library ({err}): {_ADVICE}") from err
    load_other_llvm()
    with warnings.catch_warnings():
        # GLFW says through warnings what the error below says in plain words.
        warnings.simplefilter("ignore")
        # MuJoCo asks on a thread of its own, and would wait for ever where the answer is no.
        if not glfw.init():
            raise RenderingError(f"render_mode='human' opens a window, and there is no screen here: {_ADVICE}")
    return viewer
