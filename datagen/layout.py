"""What the numbers of a demonstration mean: names, units, scales and cameras, as they stand in the file itself."""

from typing import Any

from datagen.search import PHASES
from envs import spec
from envs.registration import ENV_ID

HEAD_MASK = "1 where the head camera sees the target"
FOVY_DEG = {spec.HEAD: spec.HEAD_FOVY_DEG, spec.WRIST: spec.WRIST_FOVY_DEG}


def names(cameras: tuple[str, ...], image_size: tuple[int, int]) -> dict[str, Any]:
    """Plain JSON values for the attribute `names` of a file; image_size is (width, height) in pixels."""
    numbers = {
        "names": list(spec.ACTION_NAMES),
        "unit": ["rad / scale"] * spec.ARM_DOF + ["opening, 0 closed to 1 open"] * spec.HAND_DOF,
        "scale": [*map(float, spec.ARM_SCALE_RAD), *[1.0] * spec.HAND_DOF],
    }
    return {
        "actions": numbers | {"meaning": "commanded target for the next control period"},
        "state": numbers | {"meaning": "measured joints before the action; they lag behind what was commanded"},
        "states": {"meaning": "MuJoCo's mjSTATE_INTEGRATION before the action", "unit": "SI, radians"},
        "phases": list(PHASES),
        "imitate": "false where no training window should begin: from there on something goes wrong on purpose",
        "control_hz": spec.CONTROL_HZ,
        "cameras": {name: {"fovy_deg": FOVY_DEG[name], "size_px": list(image_size)} for name in cameras},
        "mask": HEAD_MASK,
        "box": "x0 y0 x1 y1 of the mask in pixels, x1 and y1 exclusive; -1 when the target is hidden",
    }


def env_args(
    suite: str, hand: str, version: str, cameras: tuple[str, ...], image_size: tuple[int, int]
) -> dict[str, Any]:
    """What robomimic wants to know of the environment: it makes it again from this."""
    kwargs = {"suite": suite, "hand": hand, "obs_mode": "rgb" if cameras else "state", "image_size": list(image_size)}
    # 2 is robomimic's EnvType for a Gym environment.
    return {"env_name": ENV_ID, "env_version": version, "type": 2, "env_kwargs": kwargs}
