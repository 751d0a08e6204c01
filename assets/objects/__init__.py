"""Household objects: parametric families, the seen and unseen library, their words."""
