"""What a demonstration says of its scene in words: instructions, the unique referring expression, target and family."""

from typing import Any

import numpy as np

from assets.objects.language import Placed, unique_expression
from assets.objects.solids import rotation
from assets.objects.types import ObjectSpec
from envs.scene import Scene


def scene_words(scene: Scene) -> dict[str, Any]:
    """instruction, phrasings, expression (a noun phrase that means the target alone), target and family."""
    episode, target = scene.episode, scene.objects[0]
    placed = [
        Placed(spec, (float(o.pos[0]), float(o.pos[1])), _rest_pose(spec, o.quat))
        for spec, o in zip(scene.objects, episode.objects, strict=True)
    ]
    return {
        "instruction": episode.instruction,
        "phrasings": episode.phrasings,
        "expression": unique_expression(placed[0], placed[1:]),
        "target": target.id,
        "family": target.family,
    }


def _rest_pose(spec: ObjectSpec, quat: tuple[float, float, float, float]) -> int:
    """Index of the rest pose that an object stands in: the one whose vertical is nearest."""
    up = rotation(quat)[2]
    return int(np.argmax([float(rotation(pose.quat)[2] @ up) for pose in spec.rest_poses]))
