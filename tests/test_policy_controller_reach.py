"""The arm's kinematics in torch: where the model of the arm puts the flange, and a gradient that leads there."""

import numpy as np
import torch

from assets.robots.kinematics import SHOULDER_IN_BASE, forward
from envs import spec
from policy.controller.reach import POINTS_M, hand_points


def test_points_lie_where_the_arms_own_kinematics_puts_them():
    arm = np.random.default_rng(0).uniform(-1, 1, (4, 5, spec.ARM_DOF))
    found = hand_points(torch.from_numpy(arm)).numpy()
    assert found.shape == (4, 5, len(POINTS_M), 3)
    for row in np.ndindex(4, 5):
        pose = forward(arm[row] * spec.ARM_SCALE_RAD)
        wanted = np.array(POINTS_M) @ pose[:3, :3].T + pose[:3, 3] - SHOULDER_IN_BASE
        np.testing.assert_allclose(found[row], wanted, atol=1e-6)


def test_bf16_autocast_leaves_them_exact():
    arm = torch.linspace(-0.5, 0.5, spec.ARM_DOF)
    with torch.autocast("cpu", torch.bfloat16):
        found = hand_points(arm)
    torch.testing.assert_close(found, hand_points(arm), rtol=0, atol=0)


def test_a_descent_of_the_distance_reaches_a_place():
    there = hand_points(torch.tensor([0.1, 0.3, -0.1, 0.4, 0.1, 0.2, 0.05]))
    arm = torch.zeros(spec.ARM_DOF, requires_grad=True)
    optimiser = torch.optim.Adam([arm], 0.02)
    for _ in range(400):
        optimiser.zero_grad()
        (hand_points(arm) - there).square().sum().backward()
        optimiser.step()
    away = (hand_points(arm.detach()) - there).norm(dim=-1)
    assert float(away.max()) < 0.02 < float((hand_points(torch.zeros(spec.ARM_DOF)) - there).norm(dim=-1).min())
