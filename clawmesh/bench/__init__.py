"""Measures ClawMesh against its goals."""
