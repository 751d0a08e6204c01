"""Tensors out of files that somebody else's code has written, without running anything of theirs."""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from policy.controller.checkpoint import CheckpointError

# What a file of torch needs to put tensors together. Everything else becomes an inert stand-in.
_TRUSTED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    **{("torch", str(kind).removeprefix("torch.")): kind
       for kind in (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool)},
}  # fmt: skip


def read_tensors(path: Path) -> Mapping[str, object]:
    """What a .safetensors file or a file of torch holds: names to tensors, or to mappings with tensors in them.

    Settings that were pickled beside the tensors, with dill or without, are not restored and none of their code is
    run. Raises CheckpointError for whatever cannot be read, and says how to convert it.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; it should be a published checkpoint")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = _read_torch(path)
    except (SafetensorError, RuntimeError, pickle.UnpicklingError, OSError, EOFError) as fault:
        raise CheckpointError(_unreadable(path, fault)) from fault
    except Exception as fault:  # a damaged pickle fails in any way it likes
        raise CheckpointError(_unreadable(path, fault)) from fault
    if not isinstance(found, Mapping):
        raise CheckpointError(f"{path} holds a {type(found).__name__}, not names and tensors")
    return found


def _read_torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # settings were pickled along
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_Careful)


class _Inert:
    """Stands for any class or function of a pickle that is not needed: takes everything, does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "_Inert":
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> "_Inert":
        return _Inert()

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        """Take it, and forget it."""

    def extend(self, values: Any) -> None:
        """Take them, and forget them."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        return _TRUSTED.get((module, name), _Inert)


class _Careful:
    """What torch.load asks of a module that unpickles."""

    Unpickler = _Unpickler

    @staticmethod
    def load(file: Any, **settings: Any) -> Any:
        """The object in `file`."""
        return _Unpickler(file, **settings).load()


def _unreadable(path: Path, fault: Exception) -> str:
    return (
        f"{path} cannot be read as tensors alone ({type(fault).__name__}: {fault}). Where it was made, load it there "
        "and write its weights with safetensors.torch.save_file(state_dict, 'controller.safetensors')."
    )
