"""Finds a Vulkan driver, of a graphics card or in software, and says what is missing before anything can crash."""

import ctypes
import os
import sys
from pathlib import Path

from assets.gl import RenderingError

LOADER = "libvulkan.so.1"
# Chromium brings a loader and SwiftShader, a driver in software, for machines that have neither.
CHROMIUM = tuple(Path("/usr/lib", name) for name in ("chromium", "chromium-browser"))
SWIFTSHADER = "vk_swiftshader_icd.json"
DRIVERS = ("VK_ICD_FILENAMES", "VK_DRIVER_FILES")  # the loader reads the second, if it is new enough
ADVICE = "on Debian or Ubuntu `apt-get install libvulkan1 mesa-vulkan-drivers`, or `apt-get install chromium`"
INSTANCE_INFO_BYTES, DEVICE_INFO_BYTES, NAME_AT, NAME_BYTES = 64, 4096, 20, 256  # of the structs in vulkan_core.h


def load() -> str:
    """Make a Vulkan driver available to this process and return the name of its first device.

    A loader that is found here serves libraries that ask for it by name later on. Drivers that the environment names
    are left alone. Raises RenderingError where there is no loader or no driver, or the system is not Linux.
    """
    if not sys.platform.startswith("linux"):
        raise RenderingError(f"a driver for Filament is only looked for on Linux, this is {sys.platform}")
    loader = _loader()
    if name := _first_device(loader):
        return name
    if not any(os.environ.get(variable) for variable in DRIVERS):
        for folder in CHROMIUM:
            if (folder / SWIFTSHADER).exists():
                os.environ.update(dict.fromkeys(DRIVERS, str(folder / SWIFTSHADER)))
                if name := _first_device(loader):
                    return name
    raise RenderingError(f"there is no Vulkan driver here, of a card or in software: {ADVICE}")


def _loader() -> ctypes.CDLL:
    for path in (LOADER, *(str(folder / LOADER) for folder in CHROMIUM)):
        try:
            return ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
    raise RenderingError(f"there is no Vulkan loader here ({LOADER} is not found): {ADVICE}")


def _first_device(loader: ctypes.CDLL) -> str:
    """Name of the first device that the drivers offer; "" for none."""
    info = ctypes.create_string_buffer(INSTANCE_INFO_BYTES)
    ctypes.c_uint32.from_buffer(info).value = 1  # VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, all else zero
    instance, count, device = ctypes.c_void_p(), ctypes.c_uint32(), ctypes.c_void_p()
    if loader.vkCreateInstance(info, None, ctypes.byref(instance)) != 0:
        return ""
    try:
        loader.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
        if count.value == 0:
            return ""
        count.value = 1
        loader.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), ctypes.byref(device))
        about = ctypes.create_string_buffer(DEVICE_INFO_BYTES)
        loader.vkGetPhysicalDeviceProperties(device, about)
        return about.raw[NAME_AT : NAME_AT + NAME_BYTES].split(b"\0")[0].decode()
    finally:
        loader.vkDestroyInstance(instance, None)
