"""Parts of a run that machines without a common scheduler can play, each for itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `of` of a run over `episodes` episodes from index `first` on: every `of`-th of them."""

    number: int
    of: int
    first: int
    episodes: int

    @property
    def whole(self) -> range:
        """The indices of the whole run."""
        return range(self.first, self.first + self.episodes)

    @property
    def indices(self) -> range:
        """The indices of this part."""
        return self.whole[self.number - 1 :: self.of]

    def __str__(self) -> str:
        return f"{self.number}/{self.of} of episodes {self.whole[0]} to {self.whole[-1]}"


def parse_shard(words: str, whole: Sequence[int]) -> Shard:
    """The shard of `whole` (consecutive indices) that "2/3" names. Raises UsageError for what is none."""
    number, _, of = words.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise UsageError(f"--shard must be i/n with 1 <= i <= n, such as 2/3, got {words!r}")
    if int(of) > len(whole):
        raise UsageError(f"--shard {words}: there are only {len(whole)} episodes to share; ask for fewer shards")
    return Shard(int(number), int(of), whole[0], len(whole))
