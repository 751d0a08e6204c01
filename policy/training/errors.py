"""What stops training with a message."""

from envs.interface import DexClutterError


class TrainingError(DexClutterError):
    """Data, settings or losses with which training cannot go on. What was saved before stays as it is."""
