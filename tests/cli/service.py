"""The mesh as a service that runs beside a test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cli.conftest import Person


@contextmanager
def serving(person: Person) -> Iterator[None]:
    """Run `clawmesh serve` for the time of the block."""
    process = person.start("--json", "serve")
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["ready"]
        yield
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=40)
        assert "Traceback" not in errors
