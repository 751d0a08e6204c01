"""One episode of the world: scene, robot control, sensing, outcome."""
