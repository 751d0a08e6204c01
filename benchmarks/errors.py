"""What can go wrong around a run. An episode lost by our own fault is a row with outcome "error", not an exception."""

from datagen.pool import WorkerError as WorkerError
from envs.interface import DexClutterError


class UsageError(DexClutterError, ValueError):
    """The command asks for something that cannot be done; the message says what to do instead."""
