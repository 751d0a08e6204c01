"""What the simulation tells privileged policies agrees with what it shows and with what it scores."""

import mujoco
import numpy as np

from envs import spec
from envs.sim import SimEnv


def test_the_mask_is_the_targets_share_of_the_segmentation():
    env = SimEnv(obs_mode="rgb", image_size=(160, 120), segmentation=True)
    try:
        observation, info = env.reset(options={"index": 3})
        mask = env.truth.target_mask()
        assert mask.shape == observation[spec.HEAD].shape[:2]
        assert mask.dtype == np.uint8
        assert mask.sum() > 20
        np.testing.assert_array_equal(mask == 1, info["segmentation"] == 1)
    finally:
        env.close()


def test_height_and_touch_follow_the_readings():
    env = SimEnv()
    try:
        _, info = env.reset(options={"index": 3})
        truth = env.truth
        assert truth.target_height_m() == info["target_lowest_m"]
        assert truth.target_touched() is False
        address = env.model.joint(spec.TARGET).qposadr[0]
        env.data.qpos[address + 2] += 0.25
        mujoco.mj_kinematics(env.model, env.data)
        assert abs(truth.target_height_m() - info["target_lowest_m"] - 0.25) < 1e-6
    finally:
        env.close()
