"""The name under which Gymnasium finds the environment; light, so that importing `envs` costs no simulator."""

import gymnasium

ENV_ID = "DexClutter/Grasp-v0"


def register() -> None:
    """Make `gym.make("DexClutter/Grasp-v0")` known to Gymnasium; safe to call twice. `import envs` calls it.

    There is no step limit for Gymnasium to enforce: the environment ends every attempt itself, after 15 s at most.
    """
    if ENV_ID not in gymnasium.registry:
        gymnasium.register(ENV_ID, entry_point="envs.sim:SimEnv")
