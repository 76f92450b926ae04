"""Doubles for tests of ClawMesh and of its plugins: real implementations of the seams, under the test's control."""

from clawmesh.testing.doubles import ManualClock, RehearsedBackend, StuckBackend, called, said, seeded_ids

__all__ = ["ManualClock", "RehearsedBackend", "StuckBackend", "called", "said", "seeded_ids"]
