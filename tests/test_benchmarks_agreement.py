"""The same scene leads to the same grasp, and the measure would notice if it did not."""

from dataclasses import replace

import numpy as np

from benchmarks import agreement
from datagen.grasps import TEMPLATES, hand_rotation, make_grasp
from datagen.search import Plan
from envs.sim import SimEnv


def plan_at(x: float, azimuth_deg: float) -> Plan:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = hand_rotation(azimuth_deg, 0, 0), (x, 0, 0)
    return Plan(make_grasp(TEMPLATES[0], azimuth_deg, pose), np.zeros((1, 13)), np.zeros(1), 1)


def test_difference_is_metres_and_degrees():
    metres, degrees = agreement.difference(plan_at(0.0, 0), plan_at(0.03, 20))
    assert abs(metres - 0.03) < 1e-12
    assert abs(degrees - 20) < 1e-6


def test_agreement_has_limits_in_place_and_turn():
    here = plan_at(0.0, 0)
    assert agreement.agrees(here, plan_at(0.019, 14))
    assert not agreement.agrees(here, plan_at(0.021, 0))
    assert not agreement.agrees(here, plan_at(0.0, 16))
    assert not agreement.agrees(here, None)
    assert not agreement.agrees(None, None)
    assert agreement.agrees(here, replace(here, tolerant=True))


def test_two_seeds_grasp_an_easy_scene_alike():
    env = SimEnv("unseen_objects")
    assert agreement.agrees(*agreement.two_plans(env, 1))
