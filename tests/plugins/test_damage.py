"""Answers that were damaged on the way: each is read or refused, and none is anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from .recordings import Recording, of_kind, recordings
from .test_recordings import KINDS, decoded

ROUNDS = 1500
ODD: tuple[Any, ...] = (None, 0, -1, 1.5, True, "", "x", [], {}, [1], {"a": 1}, [{}], [None], {"text": 5}, 10**30)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to each value inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*path, key)
        yield from places(part, (*path, key))


def damaged(text: str, random: Random) -> str:
    """Return a JSON text with one value taken out, or replaced by one of another type."""
    value = json.loads(text)
    paths = list(places(value))
    if not paths:
        return text
    *way, last = random.choice(paths)
    holder = value
    for key in way:
        holder = holder[key]
    if random.random() < 0.3:
        del holder[last]
    else:
        holder[last] = random.choice(ODD)
    return json.dumps(value)


def damaged_body(recording: Recording, random: Random) -> bytes:
    lines = recording.body.split("\n")
    starts = [at for at, line in enumerate(lines) if line.startswith(("data: {", "{"))]
    if not recording.streamed:
        body = damaged(recording.body, random)
    else:
        at = random.choice(starts)
        mark = "data: " if lines[at].startswith("data: ") else ""
        lines[at] = mark + damaged(lines[at].removeprefix(mark), random)
        body = "\n".join(lines)
    data = bytearray(body.encode())
    if random.random() < 0.2:
        data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data[: random.randrange(len(data))] if random.random() < 0.1 else data)


def test_damage_is_never_a_crash() -> None:
    random = Random(2026)
    rows = [row for row in recordings() if row.kind in KINDS and len(row.body) < 30_000 and "{" in row.body[:400]]
    if not rows:
        pytest.skip("no recordings")
    refused = 0
    for _ in range(ROUNDS):
        row = random.choice(rows)
        if not row.streamed and not row.body.lstrip().startswith("{"):
            continue
        found, _ = decoded(row, KINDS[row.kind], [damaged_body(row, random)])
        refused += found.error is not None
    assert 0 < refused < ROUNDS


@pytest.mark.parametrize("recording", of_kind(*KINDS, streamed=True))
def test_a_stream_cut_cleanly_is_refused(recording: Recording) -> None:
    """Cut between any two events before the one that ends the answer."""
    protocol = KINDS[recording.kind]
    gap = "\n" if protocol == "ollama" else "\n\n"
    events = recording.body.rstrip().split(gap)
    ends = ('"finish_reason":"', "[DONE]", "message_stop", '"type":"response.completed"', '"done":true', '"error":{')
    last = next(at for at, event in enumerate(events) if any(end in event.replace(": ", ":") for end in ends))
    for cut in {0, 1, last // 2, last - 1, last} & set(range(last + 1)):
        found, _ = decoded(recording, protocol, [gap.join(events[:cut]).encode() + gap.encode()])
        assert found.error is not None
        assert found.error.__name__ == "TruncatedReplyError"
