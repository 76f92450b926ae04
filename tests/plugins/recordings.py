"""Recorded answers of providers, where the machine has them: a folder beside the checkout."""

from __future__ import annotations

import gzip
import os
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

FOLDER = Path(os.environ.get("CLAWMESH_RECORDINGS") or Path(__file__).parents[3] / "shared" / "recordings")
FILE = FOLDER / "providers.jsonl.gz"


class Recording(msgspec.Struct, frozen=True):
    """One answer as it came over the wire."""

    id: int
    kind: str
    status: int
    stream: bool
    body: str
    content_type: str | None = None
    headers: dict[str, str] = {}
    request: dict[str, Any] | None = None

    @property
    def streamed(self) -> bool:
        """Tell what the body is; neither the flag nor the content type of a recording is always right."""
        if self.status != 200:
            return False
        if self.kind.startswith("ollama"):
            return self.body.count("\n{") > 0
        return self.body.lstrip().startswith(("data:", "event:", "id:", "retry:", ":"))

    @property
    def fields(self) -> dict[str, str]:
        """The headers to serve it with."""
        kind = {"content-type": self.content_type} if self.content_type else {}
        return self.headers | kind


@cache
def recordings() -> tuple[Recording, ...]:
    """Return every recording, or nothing where there are none."""
    if not FILE.exists():
        return ()
    with gzip.open(FILE) as lines:
        return tuple(msgspec.json.decode(line, type=Recording) for line in lines)


def of_kind(*kinds: str, streamed: bool | None = None) -> list[Any]:
    """Return the recordings of some kinds as test parameters, or one that skips."""
    rows = [row for row in recordings() if row.kind in kinds and streamed in (None, row.streamed)]
    found = [pytest.param(row, id=f"{row.kind}-{row.id}") for row in rows]
    absent = pytest.mark.skip(reason=f"no recordings in {FOLDER}")
    return found or [pytest.param(None, id="absent", marks=absent)]
