"""What can go wrong around a run. An episode lost by our own fault is a row with outcome "error", not an exception."""

from envs.interface import DexClutterError


class UsageError(DexClutterError, ValueError):
    """The command asks for something that cannot be done; the message says what to do instead."""


class WorkerError(DexClutterError, RuntimeError):
    """Workers cannot be started at all, so no episode could be played."""
