"""What is said of versions, from a checkout that is installed or not."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from datagen import versions

ROOT = Path(__file__).parent.parent


@pytest.fixture
def uninstalled(monkeypatch):
    def unknown(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions.metadata, "version", unknown)


def test_a_checkout_that_is_not_installed_knows_its_version(uninstalled):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert versions.versions()["dexclutter"] == declared
    assert versions.versions()["mujoco"] == "not installed"


@pytest.mark.parametrize(
    "text", [None, "", "project = 3", "[project]\nname = 'dexclutter'", "[project]\nname = 'x'", "="]
)
def test_without_a_project_of_ours_the_installed_version_counts(tmp_path, monkeypatch, text):
    path = tmp_path / "pyproject.toml"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(versions.metadata, "version", {"dexclutter": "7.8"}.__getitem__)
    assert versions.own_version(path) == "7.8"


def test_the_project_of_the_checkout_counts_before_what_is_installed(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'dexclutter'\nversion = '9.1'")
    monkeypatch.setattr(versions.metadata, "version", {"dexclutter": "7.8"}.__getitem__)
    assert versions.own_version(tmp_path / "pyproject.toml") == "9.1"
