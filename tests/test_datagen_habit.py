"""The habit grasps alike what stands alike: smoothly over the table, and on one side of the wrist's singularity."""

import numpy as np
import pytest

from datagen import motion
from datagen.habit import PREFERRED, TURNED_OVER_COST, bearing_deg, habitual
from datagen.scout import Scout
from envs.sim import SimEnv


@pytest.fixture(scope="module")
def scout():
    env = SimEnv(suite="seen_objects")
    env.reset(options={"index": 0})
    yield Scout(env.scene), env
    env.close()


def placed(scout, env, place):
    """The scout with the target moved to `place` (x, y), as it stands otherwise."""
    data = env.data
    address = env.model.joint("target").qposadr[0]
    kept = data.qpos[address : address + 2].copy()
    data.qpos[address : address + 2] = place
    try:
        scout.snapshot(data, env.servo)
        return habitual(scout)
    finally:
        data.qpos[address : address + 2] = kept


def test_candidates_are_ordered_unique_and_the_same_each_time(scout):
    scout, env = scout
    first, again = (placed(scout, env, (0.5, -0.2)) for _ in range(2))
    names = [(grasp.template, round(grasp.azimuth_deg, 6)) for grasp in first]
    assert len(set(names)) == len(names) > 20
    assert names == [(grasp.template, round(grasp.azimuth_deg, 6)) for grasp in again]
    assert first[0].template in dict(PREFERRED)


def test_the_favourite_follows_the_line_from_the_base(scout):
    scout, env = scout
    offsets = []
    for place in ((0.45, -0.3), (0.5, -0.2), (0.55, -0.1), (0.5, 0.0)):
        favourite = placed(scout, env, place)[0]
        offsets.append(favourite.azimuth_deg - bearing_deg(np.array([*place, 0.0])))
    assert np.ptp(offsets) < 1e-6


def test_postures_change_smoothly_over_the_table_and_never_turn_over(scout):
    scout, env = scout
    start = env.servo.reference_rad
    postures = []
    for y in np.linspace(-0.3, -0.02, 15):
        favourite = placed(scout, env, (0.5, y))[0]
        postures.append(motion.ranked_postures(favourite.hand_in_world, start, TURNED_OVER_COST)[0])
    postures = np.array(postures)
    assert (postures[:, 5] > 0).all()
    assert np.abs(np.diff(postures, axis=0)).max() < 0.2  # 2 cm further along


def test_bearing_is_measured_from_the_arms_base():
    assert bearing_deg(np.array([0.5, -0.115, 0.3])) == pytest.approx(0.0)
    assert bearing_deg(np.array([0.5, 0.385, 0.0])) == pytest.approx(45.0)
