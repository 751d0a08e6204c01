"""The demonstrations of a file as columns of numbers, and which of their steps are worth learning from."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from datagen.storage import StorageError
from datagen.windows import WindowReader, subset_names
from envs import spec
from policy.training.errors import TrainingError

TRAIN, VALID = "train", "valid"
REACH, CLOSE = 0, 2  # phases, as the demonstrations count them: reach, pregrasp, close, lift
UNKNOWN = -1
MISS = "miss"  # the kind of recovery whose first grasp goes beside the target on purpose


@dataclass(frozen=True, eq=False)
class Track:
    """The numbers of one demonstration of T steps.

    actions, state (T, 13) float32; phases (T,) int64, -1 unknown; learned (T,) bool, False where a window must not
    begin because what follows is wrong on purpose; first: index of its first step among all steps of its file.
    """

    name: str
    actions: np.ndarray
    state: np.ndarray
    phases: np.ndarray
    learned: np.ndarray
    first: int

    def __len__(self) -> int:
        return len(self.actions)

    def chunk(self, step: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Actions (horizon, 13) from `step` on, the last one repeated where padded (horizon,) is True."""
        steps = np.arange(step, step + horizon)
        return self.actions[np.minimum(steps, len(self) - 1)], steps >= len(self)

    def goal(self, step: int) -> np.ndarray:
        """The command (13,) with which the hand begins to close in the grasp that `step` belongs to.

        While the hand closes and lifts that is the last time it began, before that the next time; the last command
        where it never closes.
        """
        closing = self.phases == CLOSE
        begins = np.flatnonzero(closing & ~np.append(False, closing[:-1]))
        past, ahead = begins[begins <= step], begins[begins > step]
        of_past = len(past) and (self.phases[step] >= CLOSE or not len(ahead))
        return self.actions[past[-1] if of_past else ahead[0] if len(ahead) else -1]

    def starts(self, stride: int) -> np.ndarray:
        """Steps at which windows begin: every `stride`-th one, from an offset that differs between demonstrations."""
        steps = np.arange(zlib.crc32(self.name.encode()) % stride, len(self), stride)
        return steps[self.learned[steps]]


def tracks(path: Path, subset: str) -> list[Track]:
    """The demonstrations of a subset ("train" or "valid") of a file; a file without subsets is all "train".

    Raises StorageError for a file that holds no demonstrations of this kind (other actions, damaged columns), and
    TrainingError for one without any.
    """
    reader = WindowReader(path, images=())  # examines format, names, actions and states of the whole file
    if not reader.demos:
        raise TrainingError(f"{path} holds no demonstration; there is nothing to learn from")
    with h5py.File(path, "r") as file:
        if "mask" not in file:
            names = set(reader.demos) if subset == TRAIN else set()
        else:
            names = set(subset_names(path, subset)) if subset in file["mask"] else set()
        found, first = [], 0
        for name in reader.demos:
            group = file[f"data/{name}"]
            steps = len(group["actions"])
            if name in names:
                found.append(_track(path, name, group, first, reader.imitate[first : first + steps]))
            first += steps
    if subset == TRAIN and not found:
        raise TrainingError(f"{path}: its subset {TRAIN!r} is empty; there is nothing to learn from")
    return found


def _track(path: Path, name: str, group: h5py.Group, first: int, imitate: np.ndarray) -> Track:
    actions = np.asarray(group["actions"][()], np.float32)
    state = np.asarray(group[f"obs/{spec.STATE}"][()], np.float32)
    phases = np.asarray(group["phases"][()], np.int64) if "phases" in group else np.full(len(actions), UNKNOWN)
    for key, values in (("actions", actions), ("state", state)):
        if not np.isfinite(values).all():
            raise StorageError(f"{path}, {name}: {key!r} holds values that are no numbers")
    if len(phases) != len(actions):
        raise StorageError(f"{path}, {name}: 'phases' has {len(phases)} rows, actions has {len(actions)}")
    learned = imitate if "imitate" in group else _after_mistake(phases, str(group.attrs.get("recovery", "")))
    return Track(name, actions, state, phases, learned, first)


def _after_mistake(phases: np.ndarray, recovery: str) -> np.ndarray:
    """(T,) bool for files that do not say what is worth learning: of a missed grasp the steps from the second reach on.

    All steps of other demonstrations; none where a second reach is not found.
    """
    if recovery != MISS:
        return np.ones(len(phases), bool)
    again = np.flatnonzero((phases[1:] == REACH) & (phases[:-1] > REACH)) + 1
    return np.arange(len(phases)) >= (again[0] if len(again) else len(phases))
