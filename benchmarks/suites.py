"""The published lists of episodes. What an index means is decided by `envs.episode`; here it is described."""

from dataclasses import dataclass

from benchmarks.errors import UsageError
from envs.episode import distributions

DESCRIPTIONS = {
    "unseen_objects": "each of the 360 unseen objects once as the target, in clutter of other unseen objects",
    "seen_objects": "each of the 36 seen objects ten times as the target, in clutter of other seen objects",
    "train": "seen objects under training looks, for demonstrations; no claim is made on it",
}


@dataclass(frozen=True)
class Suite:
    """A named list of episodes: indices 0 to size - 1 are published.

    The indices go on without end: from `size` upwards lie more scenes of the same distribution. `version` changes
    whenever any number of any episode, or any setting of the physics, changes.
    """

    name: str
    version: int
    size: int
    description: str


def get_suite(name: str) -> Suite:
    """The suite called `name`; raises UsageError listing the choices."""
    known = distributions()
    if name not in known:
        raise UsageError(f"unknown suite {name!r}; choose from: {', '.join(sorted(known))}")
    return Suite(name, known[name].version, known[name].size, DESCRIPTIONS[name])
