"""The diffusion controller: head image, mask, wrist image and joint state in, a chunk of actions out."""
