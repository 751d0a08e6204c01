"""What every export starts from: the demonstrations of a file, one at a time, and what their numbers mean."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from datagen.layout import names
from datagen.storage import COLUMNS, Demo, DemoFile
from datagen.windows import subset_names
from envs import spec
from envs.interface import DexClutterError

MASK = "mask"
PICTURES = (spec.HEAD, spec.WRIST, MASK)


class ExportError(DexClutterError, ValueError):
    """Demonstrations that the wanted layout cannot hold, or a place where nothing can be written."""


@dataclass(frozen=True)
class Source:
    """The demonstrations `names` of a finished file, in order of their index.

    whole: with the rows at the beginning that are wrong on purpose. The layouts exported to have no mark for them, and
    whoever trains on them would learn the mistake, so they are left out otherwise.
    """

    path: Path
    names: tuple[str, ...]
    whole: bool = False

    @staticmethod
    def open(path: Path, subset: str | None = None, whole: bool = False) -> "Source":
        """All demonstrations of a file, or of a subset of it. Raises StorageError, and ExportError for none at all."""
        chosen = DemoFile(path).names() if subset is None else subset_names(path, subset)
        if not chosen:
            raise ExportError(f"{path} holds no demonstrations to export")
        return Source(Path(path), tuple(chosen), whole)

    def demos(self, first: int = 0) -> Iterator[Demo]:
        """One demonstration after the other from the one at position `first` on; never more than one in memory.

        Raises ExportError for one without pictures or with pictures of another size than the first.
        """
        file, size = DemoFile(self.path), None
        for name in self.names[first:]:
            demo = file.read(name)
            size = size or _size(self.path, demo)
            if _size(self.path, demo) != size:
                raise ExportError(
                    f"{self.path}, {name}: pictures are {_size(self.path, demo)}, those before are {size}"
                )
            yield demo if self.whole else worth_learning(demo)

    @property
    def fingerprint(self) -> str:
        """Changes when the file was written again or other demonstrations are chosen."""
        stat = self.path.stat()
        text = json.dumps([self.path.name, stat.st_size, stat.st_mtime_ns, self.names, self.whole])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def worth_learning(demo: Demo) -> Demo:
    """A demonstration from the first row on that is to be imitated; see `imitate` in datagen.storage."""
    first = int(np.argmax(demo.imitate))
    if first == 0:
        return demo
    columns = {key: getattr(demo, key)[first:] for key in COLUMNS}
    return replace(demo, obs={key: values[first:] for key, values in demo.obs.items()}, **columns)


def description(size: tuple[int, int]) -> dict[str, Any]:
    """Names, units, scale and meaning of action, state and pictures, as plain JSON values; size: (width, height)."""
    return names(spec.CAMERAS, size)


def episode_facts(demo: Demo) -> dict[str, Any]:
    """What an export says of one demonstration beside its arrays: plain JSON values."""
    words = ("instruction", "expression", "target", "family", "outcome", "recovery", "suite")
    facts: dict[str, Any] = {"demo": demo.name, "suite_index": demo.index, "phrasings": list(demo.phrasings)}
    return facts | {word: getattr(demo, word) for word in words}


def pictures(demo: Demo) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """head (T, H, W, 3) RGB, wrist (T, H, W, 3) RGB, mask (T, H, W) with 0 and 1; all uint8."""
    head, wrist, mask = (demo.obs[key] for key in PICTURES)
    return head, wrist, mask


def replace_folder(partial: Path, out: Path) -> None:
    """Give a finished folder its name; what had that name before is gone only afterwards."""
    old = out.with_name(out.name + ".old")
    remove(old)
    if out.exists():
        out.rename(old)
    partial.rename(out)
    remove(old)


def remove(folder: Path) -> None:
    """Delete a folder with all that is in it, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def refuse_existing(out: Path, overwrite: bool) -> None:
    """Raises ExportError if there is something at `out` that may not be replaced."""
    if out.exists() and not overwrite:
        raise ExportError(f"{out} is there already; choose another place or say --overwrite")


def _size(path: Path, demo: Demo) -> Sequence[int]:
    missing = [key for key in PICTURES if key not in demo.obs]
    if missing:
        raise ExportError(
            f"{path}, {demo.name}: 'obs/{missing[0]}' is missing; this layout needs {', '.join(PICTURES)}: "
            "generate with cameras"
        )
    return demo.obs[spec.HEAD].shape[1:3]
