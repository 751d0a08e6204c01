"""Demonstrations: grasps, motion, the scripted expert and their storage."""
