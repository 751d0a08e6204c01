"""A Vulkan driver is found, or what is missing is said before anything can crash."""

import pytest

from assets import vulkan
from assets.gl import RenderingError


def test_a_driver_is_named_or_what_is_missing_is():
    try:
        assert vulkan.load()
    except RenderingError as fault:
        assert "apt-get install" in str(fault)  # noqa: PT017  (either is right, on machines of either kind)


def test_without_a_loader_its_package_is_named(monkeypatch):
    monkeypatch.setattr(vulkan, "LOADER", "libnowhere.so.1")
    with pytest.raises(RenderingError, match=r"no Vulkan loader.*libnowhere.*apt-get install libvulkan1"):
        vulkan.load()


def test_a_driver_that_the_environment_names_is_not_replaced(monkeypatch, tmp_path):
    if not any((folder / vulkan.LOADER).exists() for folder in vulkan.CHROMIUM):
        pytest.skip("there is no loader to ask")
    for variable in vulkan.DRIVERS:
        monkeypatch.setenv(variable, str(tmp_path / "none.json"))
    with pytest.raises(RenderingError, match="no Vulkan driver here"):
        vulkan.load()


def test_other_systems_are_refused(monkeypatch):
    monkeypatch.setattr(vulkan.sys, "platform", "darwin")
    with pytest.raises(RenderingError, match="only looked for on Linux, this is darwin"):
        vulkan.load()
