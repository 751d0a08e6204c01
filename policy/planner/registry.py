"""Planners by name. What a planner needs is imported when it is made, so that the others load without it."""

import dataclasses
from collections.abc import Callable
from typing import Any

from policy.planner.config import PlannerConfig
from policy.planner.interface import Planner, PlannerError


def _privileged(config: PlannerConfig) -> Planner:
    del config  # Unused: the truth has no settings.
    from policy.planner.privileged import PrivilegedPlanner

    return PrivilegedPlanner()


def _server(config: PlannerConfig) -> Planner:
    from policy.planner.server import ServerPlanner

    return ServerPlanner(config)


def _local(config: PlannerConfig) -> Planner:
    from policy.planner.local import LocalPlanner

    return LocalPlanner(config)


PLANNERS: dict[str, Callable[[PlannerConfig], Planner]] = {
    "privileged": _privileged,
    "server": _server,
    "local": _local,
}


def planner_from(config: PlannerConfig) -> Planner:
    """The planner that the configuration names; raises PlannerError listing the choices, or saying what to install."""
    if config.name not in PLANNERS:
        raise PlannerError(f"unknown planner {config.name!r}; choose from: {', '.join(PLANNERS)}")
    try:
        return PLANNERS[config.name](config)
    except ModuleNotFoundError as missing:
        raise PlannerError(
            f"planner {config.name!r} needs the package {missing.name!r}: pip install 'dexclutter[policy]'"
        ) from missing


def make_planner(name: str, **settings: Any) -> Planner:
    """The planner called `name` with fields of PlannerConfig as settings; raises PlannerError listing the choices."""
    fields = [field.name for field in dataclasses.fields(PlannerConfig) if field.name != "name"]
    unknown = sorted(settings.keys() - set(fields))
    if unknown:
        raise PlannerError(f"unknown settings of a planner: {', '.join(unknown)}; choose from: {', '.join(fields)}")
    return planner_from(PlannerConfig(name=name, **settings))
