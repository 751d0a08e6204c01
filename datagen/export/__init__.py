"""Demonstrations in the layouts that other people's training code reads."""
