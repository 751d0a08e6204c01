"""A controller in one file: weights as safetensors, configuration and origin in the file's own header."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from envs.interface import DexClutterError
from policy.controller.config import ConfigError, ControllerConfig
from policy.controller.controller import Controller
from policy.controller.tower import TowerError

FORMAT = "dexclutter-controller/1"


class CheckpointError(DexClutterError, ValueError):
    """A file that is no controller, a damaged one, or one of another version. Names the file."""


@dataclass(frozen=True)
class Origin:
    """Where weights come from: the content hashes of the data, the number of updates, the versions of the software."""

    data: tuple[str, ...] = ()
    updates: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


def save(path: Path, controller: Controller, origin: Origin) -> None:
    """Write the controller to `path` at once or not at all. The normaliser is part of the weights."""
    header = {
        "format": FORMAT,
        "config": json.dumps(controller.config.as_dict()),
        "origin": json.dumps(
            {
                "data": list(origin.data),
                "updates": origin.updates,
                "versions": dict(origin.versions),
                "notes": dict(origin.notes),
            }
        ),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file({name: value.contiguous() for name, value in controller.state_dict().items()}, fresh, header)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def load(path: Path) -> tuple[Controller, Origin]:
    """The controller of a file, in evaluation mode. Raises CheckpointError for whatever is not one."""
    if not Path(path).is_file():
        raise CheckpointError(f"{path} does not exist; it should be a controller written by policy.train")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as fault:
        raise CheckpointError(f"{path} is no safetensors file, or a damaged one ({fault})") from fault
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{path} has format {header.get('format', 'none')!r}; this version reads {FORMAT!r}")
    try:
        controller = Controller(ControllerConfig.from_dict(json.loads(header["config"])))
        values = json.loads(header["origin"])
        origin = Origin(**{**values, "data": tuple(values["data"])})
        controller.load_state_dict(state)
    except (ConfigError, TowerError, KeyError, TypeError, RuntimeError, json.JSONDecodeError) as fault:
        raise CheckpointError(f"{path} does not fit this version: {fault}") from fault
    return controller.eval(), origin
