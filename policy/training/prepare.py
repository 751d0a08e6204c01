"""From the options of a run to its windows: reads the files, makes the features that are missing, opens them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datagen.sights import has_pictures
from policy.controller.config import ControllerConfig
from policy.training.demos import TRAIN, VALID, tracks
from policy.training.errors import TrainingError
from policy.training.extract import extract, make_towers
from policy.training.features import FeatureStore, Plan, Show, data_hash
from policy.training.online import Eyes, PictureStore
from policy.training.settings import Options
from policy.training.windows import WindowSet


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a run learns from. hashes: of the content of the data files; valid is None where no scene is held back."""

    train: WindowSet
    valid: WindowSet | None
    hashes: tuple[str, ...]


def plans(options: Options, config: ControllerConfig, device: str) -> tuple[list[Plan], list[Plan]]:
    """Plans of the training and of the validation features, one for each data file.

    Validation sees plain pictures. Raises StorageError or TrainingError for files that cannot be learned from.
    """
    if not options.data:
        raise TrainingError("no data: name one or more files of demonstrations with --data")
    found: dict[str, list[Plan]] = {TRAIN: [], VALID: []}
    digests: dict[str, str] = {}
    for path in options.data:
        parts = {subset: tuple(tracks(Path(path), subset)) for subset in (TRAIN, VALID)}
        number = data_hash(Path(path), options.cache_folder)
        for subset, views in ((TRAIN, options.jitter_views), (VALID, 0)):
            plan = Plan(
                path=Path(path), data_hash=number, config=config, tracks=parts[subset], stride=options.stride,
                jitter_views=views, seed=options.seed, digests={}, weights=options.towers, device=device,
            )  # fmt: skip
            digests = digests or {name: tower.digest() for name, tower in make_towers(plan).items()}
            found[subset].append(replace(plan, digests=digests))
    if not any(plan.frames() for plan in found[TRAIN]):
        raise TrainingError("the data hold no step to learn from")
    return found[TRAIN], [plan for plan in found[VALID] if plan.frames()]


def prepare(options: Options, config: ControllerConfig, device: str, show: Show) -> Prepared:
    """Everything that a run reads. show(frames done, all frames) tells how far the towers are."""
    train, valid = plans(options, config, device)
    if options.online:
        return _online(options, config, train, valid)
    extract(options.cache_folder, [*train, *valid], options.workers, show)
    return Prepared(
        train=_windows(options, config, train),
        valid=_windows(options, config, valid) if valid else None,
        hashes=tuple(plan.data_hash for plan in train),
    )


def _online(options: Options, config: ControllerConfig, train: Sequence[Plan], valid: Sequence[Plan]) -> Prepared:
    for plan in train:
        if not has_pictures(plan.path):
            raise TrainingError(f"{plan.path} holds no pictures, which --online reads; train without it")
    towers = make_towers(train[0])

    def windows(wanted: Sequence[Plan], jitter: bool) -> WindowSet:
        eyes = Eyes(config, towers, jitter=jitter, precision=options.precision)
        return WindowSet(config, [PictureStore(plan) for plan in wanted if plan.frames()], eyes, options.workers)

    return Prepared(
        train=windows(train, options.jitter_views > 0),
        valid=windows(valid, False) if valid else None,
        hashes=tuple(plan.data_hash for plan in train),
    )


def _windows(options: Options, config: ControllerConfig, wanted: Sequence[Plan]) -> WindowSet:
    return WindowSet(config, [FeatureStore(options.cache_folder, plan) for plan in wanted if plan.frames()])
