"""The scripted expert: privileged eyes, but hands that move only through the 13-number action."""

from collections import deque

import numpy as np

from datagen import pushing
from datagen.branch import Branch
from datagen.lookout import Lookout
from datagen.search import CLOSE, LIFT, REACH, Plan, find_plan
from envs import spec
from envs.home import homing_actions
from envs.interface import GraspEnv, Observation, Policy
from envs.outcome import ATTEMPT_STEPS
from envs.sim import SimEnv


class Expert(Policy):
    """Plans a grasp in a copy of the physics, carries it out open loop, looks, and tries again if it failed.

    A target that is moved while the hand reaches for it makes it stop and plan anew from there, or else from home.
    The same scene leads to the same grasp: candidates have a canonical order, and `seed` decides only with which
    small errors a candidate is tested. `plan` is the latest plan, None before the first or when none was found;
    `phase_index` is the phase of the latest action, in datagen.search.PHASES.
    """

    name = "expert"
    privileged = ("simulator",)

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.phase_index = REACH
        self._queue: deque[tuple[np.ndarray, int]] = deque()  # actions and their phases
        self._env: SimEnv | None = None

    def reset(self, env: GraspEnv, seed: int) -> None:
        """Begin an attempt in a simulated environment. Raises TypeError for any other, which cannot be branched."""
        if not isinstance(env.unwrapped, SimEnv):
            raise TypeError(
                f"the expert plans in a copy of the simulation: it needs a SimEnv, not {type(env).__name__}"
            )
        self._env = env.unwrapped
        self._branch = Branch(self._env.scene)
        self._rng = np.random.default_rng(seed)
        self._queue.clear()
        self.plan, self.phase_index, self._failed, self._last, self._homed = None, REACH, set(), None, True
        self._lookout: Lookout | None = None  # while the hand reaches
        self._stopped = False  # on the way, rather than at home

    def act(self, observation: Observation) -> np.ndarray:
        """The next action, shape (13,)."""
        self._look_out()
        if not self._queue:
            self._refill(observation)
        self._last, self.phase_index = self._queue.popleft()
        return self._last

    def _look_out(self) -> None:
        if self._lookout is None:
            return
        if self._queue[0][1] >= CLOSE:
            self._lookout = None
        elif self._lookout.is_moved(self._env.data):
            self._queue = deque((action, REACH) for action in self._lookout.stop())
            self._lookout, self._stopped, self._homed = None, True, True

    def _refill(self, observation: Observation) -> None:
        env = self._env
        if self._last is not None and self.plan is not None and env.scene.lowest_m(env.data) >= spec.LIFT_HEIGHT_M:
            self._queue.append((self._last, LIFT))
            return
        if not self._homed:
            self._failed.add((self.plan.grasp.template, self.plan.grasp.azimuth_deg))
            self._go_home(observation)
            return
        self._branch.snapshot(env.data, env.servo)
        arm_rad, failed = env.servo.reference_rad, frozenset(self._failed)
        if pushing.is_flat(env.scene.objects[0]):
            self.plan = pushing.find_plan(self._branch, arm_rad, failed)
        else:
            self.plan = find_plan(self._branch, arm_rad, self._rng, failed)
        if self.plan is None and self._stopped:
            self._go_home(observation)
            return
        if self.plan is None:  # nothing holds: stand still until the attempt is over
            self._queue.extend([(observation[spec.STATE].astype(float), REACH)] * ATTEMPT_STEPS)
            return
        self._queue.extend(zip(self.plan.actions, self.plan.phases.tolist(), strict=True))
        self._homed, self._lookout = False, Lookout(self._branch, self.plan, env.data)

    def _go_home(self, observation: Observation) -> None:
        scene = self._env.scene
        way = homing_actions(observation[spec.STATE], scene.episode.arm_start_rad, scene.hand.rest_action)
        self._queue.extend((action, REACH) for action in way)
        self._homed, self._stopped = True, False
