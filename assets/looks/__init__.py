"""Table tops, lights and backgrounds, with textures made by code."""
