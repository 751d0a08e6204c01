"""Pictures, masks and readings of a demonstration, made again from its stored states."""

import functools
import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import mujoco
import numpy as np

from assets.gl import gl_context
from assets.looks.looks import animate
from envs import spec
from envs.control import Servo
from envs.episode import EpisodeSpec
from envs.interface import DexClutterError, EpisodeError
from envs.scene import Scene, build_scene
from envs.sensing import Rig
from envs.sim import STATE_KIND

DEFAULT_HAND = "g0r"
RENDERER = "gl"  # the key of `renderer` among a demonstration's versions, where it is known


class PlaybackError(DexClutterError, ValueError):
    """Stored states that do not belong to the stored scene."""


class Stored(Protocol):
    """What playback needs of a demonstration: `datagen.storage.Demo` has it."""

    spec: Mapping[str, Any]
    states: np.ndarray
    obs: Mapping[str, Any]


class Playback:
    """The scene of one demonstration, put into its stored states one after the other.

    episode: the stored spec, or its plain JSON values. size: (width, height) of the pictures in pixels.
    Pictures and masks equal the recorded ones to the bit on the same MuJoCo version and OpenGL driver.
    A context manager; `close` frees the renderer. Raises EpisodeError or PlaybackError for a spec that is no scene.
    """

    def __init__(
        self,
        episode: EpisodeSpec | Mapping[str, Any],
        hand: str = DEFAULT_HAND,
        size: tuple[int, int] = spec.IMAGE_SIZE,
    ) -> None:
        self.scene = _built(episode, hand)
        self.data = self.scene.initial_data()
        self._servo = Servo(self.scene.model, self.scene.hand)
        self._rig = Rig(self.scene.model, size)
        self.state_size = mujoco.mj_stateSize(self.scene.model, STATE_KIND)

    def place(self, state: np.ndarray) -> None:
        """Go to a stored state (nstate,): joints, objects, cameras and lights of that moment.

        Raises PlaybackError for a state of another size, which another scene or another version has written.
        """
        if np.shape(state) != (self.state_size,):
            raise PlaybackError(f"a state of this scene has {self.state_size} numbers; got shape {np.shape(state)}")
        model, data = self.scene.model, self.data
        mujoco.mj_setState(model, data, np.asarray(state, dtype=float), STATE_KIND)
        animate(model, self.scene.episode.look, data.time)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)

    def frame(self, camera: str, size: tuple[int, int] | None = None) -> np.ndarray:
        """(H, W, 3) uint8 RGB of a camera at the present state."""
        return self._rig.render(self.data, camera, size)

    def mask(self, camera: str = spec.HEAD) -> np.ndarray:
        """(H, W) uint8: 1 where the camera sees the target."""
        return self._rig.body_mask(self.data, camera, int(self.scene.object_bodies[0])).astype(np.uint8)

    def measured(self) -> np.ndarray:
        """The robot's state (13,) float32 in the layout of the action."""
        return self._servo.measured(self.data)

    def lowest_m(self) -> float:
        """Height of the target's lowest point above the table."""
        return self.scene.lowest_m(self.data)

    def body_poses(self) -> np.ndarray:
        """Poses (nbody, 7) of all bodies in world, position and quaternion wxyz. A copy."""
        return np.hstack([self.data.xpos, self.data.xquat])

    def close(self) -> None:
        """Free the renderer; may be called twice."""
        self._rig.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _built(episode: EpisodeSpec | Mapping[str, Any], hand: str) -> Scene:
    if isinstance(episode, EpisodeSpec):
        return build_scene(episode, hand)
    try:
        return build_scene(EpisodeSpec.from_dict(dict(episode)), hand)
    except EpisodeError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as fault:  # JSON of any shape may be stored
        raise PlaybackError(f"the stored spec is no scene that can be built ({fault})") from fault


@functools.cache
def renderer() -> str:
    """What draws in this process, in the driver's own words: pictures are equal to the bit only under the same."""
    gl_context()
    gl = importlib.import_module("OpenGL.GL")  # late: PyOpenGL binds to the platform that the context has chosen
    return " ".join(gl.glGetString(name).decode() for name in (gl.GL_RENDERER, gl.GL_VERSION))


def image_size(demo: Stored, camera: str = spec.HEAD) -> tuple[int, int]:
    """(width, height) of the recorded pictures of a camera; the cameras' own size where there are none."""
    if camera not in demo.obs:
        return spec.IMAGE_SIZE
    height, width = demo.obs[camera].shape[1:3]
    return int(width), int(height)


def frames(demo: Stored, camera: str, steps: Sequence[int], hand: str = DEFAULT_HAND) -> np.ndarray:
    """(K, H, W, 3) uint8: what `camera` showed at the given steps, in the size of the recorded pictures.

    Raises PlaybackError when the states do not fit the scene, ValueError for a camera that it does not have.
    """
    with Playback(demo.spec, hand, image_size(demo, camera)) as playback:
        pictures = []
        for step in steps:
            playback.place(demo.states[step])
            pictures.append(playback.frame(camera))
    return np.stack(pictures)
