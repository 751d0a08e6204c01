"""The same environment behind the interface of `dm_env`, as dm_control's tools and viewer expect it."""

from typing import Any

import dm_env
import numpy as np
from dm_control.mujoco import Physics, index
from dm_control.mujoco.engine import NamedIndexStructs
from dm_control.mujoco.wrapper import MjData
from dm_env import specs
from gymnasium import spaces

from envs import spec
from envs.interface import Observation
from envs.sim import SimEnv


def load(
    suite: str = "seen_objects",
    index: int | None = None,
    obs_mode: str = "state",
    hand: str = "g0r",
    image_size: tuple[int, int] = spec.IMAGE_SIZE,
    reward_mode: str = "sparse",
    seed: int | None = None,
) -> "DexClutter":
    """A suite as a `dm_env.Environment`.

    index: play this episode at every reset; None draws another one each time, in an order that `seed` decides.
    The other arguments are those of SimEnv, with its errors.
    """
    env = SimEnv(suite, obs_mode=obs_mode, image_size=image_size, hand=hand, reward_mode=reward_mode)
    return DexClutter(env, index, seed)


class DexClutter(dm_env.Environment):
    """A face, no second implementation: every call goes to one SimEnv, which stays reachable as `gym_env`.

    Observations are dicts of the SimEnv's keys, the instruction as a str. The discount is 0 where an attempt ended by
    success or failure and 1 where only its time was up. `retry` of the SimEnv has no counterpart here.
    """

    def __init__(self, env: SimEnv, index: int | None = None, seed: int | None = None) -> None:
        self.gym_env = env
        self._options = {} if index is None else {"index": index}
        self._seed = seed
        self._physics: LivePhysics | None = None
        self._waiting: dm_env.TimeStep | None = None
        self._ended = True

    def reset(self) -> dm_env.TimeStep:
        """Begin an episode. If `physics` has been looked at before the first reset, it is the one seen there."""
        first, self._waiting = self._waiting or self._begin(), None
        return first

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        """One control period with an action (13,); begins an episode instead where none is running."""
        if self._ended or self._waiting is not None:
            return self.reset()
        observation, reward, terminated, truncated, _ = self.gym_env.step(action)
        self._ended = terminated or truncated
        if terminated:
            return dm_env.termination(reward, observation)
        return dm_env.truncation(reward, observation) if truncated else dm_env.transition(reward, observation)

    def observation_spec(self) -> dict[str, specs.Array]:
        """One spec for each key of the observation."""
        return {key: _spec(space, key) for key, space in self.gym_env.observation_space.items()}

    def action_spec(self) -> specs.BoundedArray:
        """(13,) float32: seven scaled arm angles in [-1, 1], six hand openings in [0, 1]."""
        return _spec(self.gym_env.action_space, ",".join(spec.ACTION_NAMES))

    def control_timestep(self) -> float:
        """Seconds between two actions."""
        return spec.CONTROL_PERIOD_S

    @property
    def physics(self) -> "LivePhysics":
        """The live model and data of the present episode under dm_control's interface; every reset makes a new one."""
        if self.gym_env.scene is None:
            self._waiting = self._begin()
        if self._physics is None or self._physics.data.ptr is not self.gym_env.data:
            self._physics = LivePhysics(MjData(self.gym_env.data))
        return self._physics

    def close(self) -> None:
        """Free what the environment holds; may be called twice."""
        self.gym_env.close()

    def _begin(self) -> dm_env.TimeStep:
        observation: Observation
        observation, _ = self.gym_env.reset(seed=self._seed, options=self._options)
        self._seed, self._ended = None, False  # the first reset seeds the generator, later ones go on with it
        return dm_env.restart(observation)


class LivePhysics(Physics):
    """dm_control's view of a simulation that something else owns: nothing is recomputed by making it."""

    def _reload_from_data(self, data: MjData) -> None:
        self._data = data
        self._warnings = data.warning.number
        self._warnings_before = np.empty_like(self._warnings)
        self._new_warnings = np.empty(len(self._warnings), dtype=bool)
        # dm_control 1.0.50 lists fields that MuJoCo 4 no longer has, and its own version of this method asks for all.
        self._lenient = _Lenient(data.model), _Lenient(data)
        axes = index.make_axis_indexers(data.model)
        self._named = NamedIndexStructs(
            model=index.struct_indexer(self._lenient[0], "mjmodel", axes),
            data=index.struct_indexer(self._lenient[1], "mjdata", axes),
        )


class _Lenient:
    """Passes every field on, with None for those that do not exist; the indexers skip what is not an array."""

    def __init__(self, struct: Any) -> None:
        self._struct = struct

    def __getattr__(self, name: str) -> Any:
        return getattr(self._struct, name, None)


def _spec(space: spaces.Space, name: str) -> specs.Array:
    if isinstance(space, spaces.Box):
        picture = len(space.shape) == 3
        low, high = (0, 255) if picture else (space.low, space.high)
        return specs.BoundedArray(space.shape, space.dtype, low, high, name)
    return specs.StringArray(shape=(), string_type=str, name=name)
