"""Where a command puts the hand: the arm's forward kinematics in torch, so that losses can be counted in metres."""

import torch
from torch import Tensor

from envs import spec

# Points (x, y, z) in m on the hand, in the frame of the flange: flange, palm, finger tips, one to each side.
POINTS_M = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.12), (0.0, 0.0, 0.2), (0.1, 0.0, 0.1), (0.0, 0.1, 0.1))
_TURNS = "zyzyzyz"  # axis of each joint
_LINKS_M = {1: spec.ARM_DH_D_M[2], 3: spec.ARM_DH_D_M[4], 5: spec.ARM_DH_D_M[6]}  # after which joint, along its z


def hand_points(arm: Tensor) -> Tensor:
    """Arm part of actions (..., 7) -> (..., 5, 3) float32: POINTS_M as seen from the arm's shoulder, in m."""
    # Without matrix products: autocast would round those to 16 bits.
    angles = arm.float() * torch.as_tensor(spec.ARM_SCALE_RAD, dtype=torch.float32, device=arm.device)
    axes = torch.eye(3, device=arm.device).expand(*arm.shape[:-1], 3, 3)
    x, y, z = axes.unbind(-2)
    place = torch.zeros_like(x)
    for joint, axis in enumerate(_TURNS):
        c, s = angles[..., joint, None].cos(), angles[..., joint, None].sin()
        if axis == "z":
            x, y = c * x + s * y, c * y - s * x
        else:
            x, z = c * x - s * z, c * z + s * x
        if joint in _LINKS_M:
            place = place + float(_LINKS_M[joint]) * z
    return torch.stack([place + px * x + py * y + pz * z for px, py, pz in POINTS_M], dim=-2)
