"""Frames on the wire."""

from __future__ import annotations

import random

import pytest

from clawmesh.cluster.frame import FRAME_BYTES, Deliver, Ended, Frame, Hello, Parser, Piece, Query, Refused, Reply, pack
from clawmesh.errors import JointError
from clawmesh.messages import Image, Text, ToolCall, ToolResult

FRAMES: list[Frame] = [
    Hello(),
    Deliver(1, b"\x00" * 300_000, stream=True),
    Piece(1, Text("word")),
    Piece(1, ToolCall("c", "tool", "{}")),
    Piece(1, ToolResult("c", "tool", (Text("a"), Image("image/png", b"\x89")))),
    Ended(1, b"outcome"),
    Refused(2, b"fault", leaving=True),
    Query(3, "status", {"deep": [1, {"two": None}]}),
    Reply(3, {"agents": ["a", "b"], "rss": 1.5}),
]


def parsed(*chunks: bytes) -> list[Frame]:
    frames: list[Frame] = []
    parser = Parser(frames.append)
    for chunk in chunks:
        parser.feed(chunk)
    return frames


def test_frames_arrive_as_they_were_sent() -> None:
    assert parsed(b"".join(map(pack, FRAMES))) == FRAMES


def test_it_does_not_matter_how_the_bytes_are_cut() -> None:
    data = b"".join(map(pack, FRAMES))
    random_cuts = random.Random(7)
    for _ in range(50):
        cuts = sorted(random_cuts.choices(range(len(data)), k=20))
        assert parsed(*(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))) == FRAMES
    small = b"".join(map(pack, FRAMES[2:]))
    assert parsed(*(small[at : at + 1] for at in range(len(small)))) == FRAMES[2:]


def test_a_frame_has_a_largest_size() -> None:
    with pytest.raises(JointError, match="too many for another process"):
        pack(Deliver(1, b"\x00" * FRAME_BYTES))
    with pytest.raises(JointError, match="found a frame of 4294967295 bytes, expected at most"):
        parsed(b"\xff\xff\xff\xff")


def test_what_msgpack_cannot_say_is_refused() -> None:
    with pytest.raises(JointError, match="cannot be sent"):
        pack(Reply(1, object()))


@pytest.mark.parametrize("body", [b"\x93\x63\x01\x02", b"GET / HTTP/1.1", b"\xc0", b"\x91" * 100_000, b""])
def test_garbage_is_no_frame(body: bytes) -> None:
    with pytest.raises(JointError, match="found a frame that is"):
        parsed(len(body).to_bytes(4, "big") + body)
