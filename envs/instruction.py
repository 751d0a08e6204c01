"""The observation space of the instruction: text that also arrives from the workers of a vector environment."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import read_from_shared_memory

MAX_LETTERS = 240
LETTERS = "".join(chr(code) for code in range(32, 127))  # printable ASCII


class InstructionSpace(spaces.Text):
    """One sentence of 1 to 240 printable letters of ASCII.

    Gymnasium 1.4 turns plain Text from shared memory into strings once, when an AsyncVectorEnv is built, and returns
    those blanks for ever. This space is read anew each time.
    """

    def __init__(self) -> None:
        super().__init__(max_length=MAX_LETTERS, min_length=1, charset=LETTERS)


class SharedTexts(Sequence[str]):
    """The present texts of all workers, read at each access; a deep copy is a plain tuple of them."""

    def __init__(self, codes: np.ndarray) -> None:
        self._codes = codes  # (n, MAX_LETTERS) int32, live; len(LETTERS) marks places after the end

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, index: int) -> str:
        codes = self._codes[index]
        return "".join(LETTERS[code] for code in codes[codes < len(LETTERS)])

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        return tuple(self)


@read_from_shared_memory.register(InstructionSpace)
def _read(space: InstructionSpace, shared_memory: Any, n: int = 1) -> SharedTexts:
    return SharedTexts(np.frombuffer(shared_memory.get_obj(), dtype=np.int32).reshape(n, space.max_length))
