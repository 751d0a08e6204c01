"""What a number or a demonstration was made with: versions of this package and of what decides its results."""

import platform
from importlib import metadata

MUJOCO = "mujoco"


def versions() -> dict[str, str]:
    """Name -> version of this package, MuJoCo, numpy and Python, without importing any of them."""
    return {
        "dexclutter": installed("dexclutter"),
        MUJOCO: installed(MUJOCO),
        "numpy": installed("numpy"),
        "python": platform.python_version(),
    }


def installed(name: str) -> str:
    """The installed version of a package, or "not installed" (a checkout can be run without installing it)."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
