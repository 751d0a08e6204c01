"""What a demonstration was made with: versions of this package and of what decides its numbers."""

import platform
from importlib import metadata

PACKAGES = ("dexclutter", "mujoco", "numpy")


def versions() -> dict[str, str]:
    """Name -> version of this package, MuJoCo, numpy and Python; "not installed" for a checkout that is just run."""
    return {name: _installed(name) for name in PACKAGES} | {"python": platform.python_version()}


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
