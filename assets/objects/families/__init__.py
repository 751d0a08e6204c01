"""Parametric families of household things: numbers in, Draft out."""
