"""The planner: what to grasp, where it is, whether it is held, whether all is done; and the monitor that asks."""

from policy.planner.config import PlannerConfig
from policy.planner.interface import Box, Planner, PlannerError, Understanding
from policy.planner.registry import PLANNERS, make_planner, planner_from

__all__ = [
    "PLANNERS",
    "Box",
    "Planner",
    "PlannerConfig",
    "PlannerError",
    "Understanding",
    "make_planner",
    "planner_from",
]
