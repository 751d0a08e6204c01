"""Micro-benchmarks of physics, rendering and reset."""
