"""A controller small enough to be trained in a test, on the sample demonstrations."""

from pathlib import Path

from policy.controller.config import get_config
from policy.training.demos import TRAIN, tracks
from policy.training.extract import extract, make_towers
from policy.training.features import FeatureStore, Plan
from policy.training.settings import overridden

DATA = Path(__file__).parent / "data" / "sample_demos.h5"
TINY = (
    "width=32", "depth=1", "heads=2", "feedforward=32", "state_hidden=16", "time_channels=16", "horizon=8",
    "head.size=64,32", "wrist.size=32,32", "target.size=32,32", "mask.width=16", "mask.depth=1", "mask.heads=2",
    "mask.feedforward=16",
)  # fmt: skip
CONFIG = overridden(get_config("small"), TINY)


def plan(subset=TRAIN, **changes):
    """Features of the sample demonstrations; the towers' fingerprint is not looked up."""
    usual = {
        "path": DATA, "data_hash": "of the test", "config": CONFIG, "tracks": tuple(tracks(DATA, subset)),
        "stride": 20, "jitter_views": 0, "seed": 0, "digests": {"efficientnet_lite0": "of the test"}, "weights": {},
    }  # fmt: skip
    return Plan(**usual | changes)


def made(cache, wanted, workers=1):
    """The plan's store, with what was missing made."""
    extract(cache, [wanted], workers, lambda done, total: None)
    return FeatureStore(cache, wanted)


def towers():
    """The towers of `CONFIG`."""
    return make_towers(plan())
