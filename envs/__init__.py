"""One episode of the world: scene, robot control, sensing, outcome. Importing it registers `DexClutter/Grasp-v0`."""

from envs.registration import register

register()
