"""Policies: observation to action."""
