"""What a number or a demonstration was made with: versions of this package and of what decides its results."""

import platform
import tomllib
from importlib import metadata
from pathlib import Path

MUJOCO = "mujoco"
OURS = "dexclutter"
NOT_INSTALLED = "not installed"
PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def versions() -> dict[str, str]:
    """Name -> version of this package, MuJoCo, numpy and Python, without importing any of them."""
    return {
        OURS: own_version(),
        MUJOCO: installed(MUJOCO),
        "numpy": installed("numpy"),
        "python": platform.python_version(),
    }


def installed(name: str) -> str:
    """The installed version of a package, or "not installed"."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return NOT_INSTALLED


def own_version(project: Path = PROJECT) -> str:
    """The version of this package: the checkout's own where there is one, which need not be installed at all."""
    try:
        about = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        return about["version"] if about["name"] == OURS else installed(OURS)
    except (OSError, KeyError, TypeError, tomllib.TOMLDecodeError):  # no checkout, or somebody else's project
        return installed(OURS)
