"""Server-sent events and newline-delimited JSON, cut at every place."""

from __future__ import annotations

import pytest

from clawmesh.errors import OversizeError
from clawmesh.http.lines import EventStream, LineStream

Events = list[tuple[str, bytes]]


def events(*pieces: bytes, limit: int = 1000) -> Events:
    found: Events = []
    stream = EventStream(lambda kind, data: found.append((kind, data)), limit)
    for piece in pieces:
        stream.feed(piece)
    stream.close()
    return found


def lines(*pieces: bytes, limit: int = 1000) -> list[bytes]:
    found: list[bytes] = []
    stream = LineStream(found.append, limit)
    for piece in pieces:
        stream.feed(piece)
    stream.close()
    return found


CASES = {
    "one": (b"data: a\n\n", [("message", b"a")]),
    "several": (b"data: a\n\ndata: b\n\n", [("message", b"a"), ("message", b"b")]),
    "typed": (b"event: ping\ndata: {}\n\ndata: x\n\n", [("ping", b"{}"), ("message", b"x")]),
    "type after data": (b"data: 1\nevent: late\n\n", [("late", b"1")]),
    "empty type": (b"event: \ndata: 1\n\n", [("message", b"1")]),
    "type without data is forgotten": (b"event: a\n\ndata: 1\n\n", [("message", b"1")]),
    "multi line": (b"data: a\ndata: b\ndata\n\n", [("message", b"a\nb\n")]),
    "no space": (b"data:a\ndata:  b\n\n", [("message", b"a\n b")]),
    "empty data": (b"data\n\ndata:\n\n", [("message", b""), ("message", b"")]),
    "comment": (b": hello\n\n:\ndata: a\n\n", [("message", b"a")]),
    "unknown field": (b"datum: a\ndata: b\nfoo\n\n", [("message", b"b")]),
    "crlf": (b"event: e\r\ndata: a\r\n\r\ndata: b\r\n\r\n", [("e", b"a"), ("message", b"b")]),
    "cr": (b"data: a\rdata: b\r\rdata: c\r\r", [("message", b"a\nb"), ("message", b"c")]),
    "mixed ends": (b"data: a\r\ndata: b\rdata: c\n\r\n", [("message", b"a\nb\nc")]),
    "cr cr lf is two ends": (b"data: a\r\r\ndata: b\n\n", [("message", b"a"), ("message", b"b")]),
    "bom": (b"\xef\xbb\xbfdata: a\n\n", [("message", b"a")]),
    "bom only at the start": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [("message", b"a")]),
    "unfinished": (b"data: a\n\ndata: b\n", [("message", b"a")]),
    "bytes that are not UTF-8": (b"data: \xff\n\n", [("message", b"\xff")]),
    "line end inside data": (b"data: {\r\ndata: }\n\n", [("message", b"{\n}")]),
}


@pytest.mark.parametrize("name", CASES)
def test_events_do_not_depend_on_cuts(name: str) -> None:
    text, expected = CASES[name]
    assert events(text) == expected
    for size in range(1, 8):
        assert events(*(text[at : at + size] for at in range(0, len(text), size))) == expected
    for at in range(len(text)):
        assert events(text[:at], b"", text[at:]) == expected


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("bom")])
def test_events_after_the_stream_has_begun(name: str) -> None:
    text, expected = CASES[name]
    before = b"data: before\n\n"
    assert events(before, before, text) == [("message", b"before")] * 2 + expected


def test_id_and_retry_are_kept() -> None:
    stream = EventStream(lambda kind, data: None)
    stream.feed(b"id: 7\nretry: 1500\ndata: a\n\nid: bad\0\nretry: soon\n\n")
    assert (stream.last_id, stream.retry) == ("7", 1500)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: " + b"x" * 100],
        [b"data: " + b"x" * 100 + b"\n\n"],
        [b"x"] * 101,
        [b"data: " + b"x" * 60, b"x" * 60 + b"\n"],
        [b"data:\n"] * 101,
        [b"data: xxxxxxxxx\n" * 11],
        [b"data: a\n\n", b"data: " + b"x" * 100 + b"\n\n"],
    ],
)
def test_event_larger_than_the_limit(pieces: list[bytes]) -> None:
    with pytest.raises(OversizeError, match="larger than 100 bytes"):
        events(*pieces, limit=100)


def test_many_small_events_are_not_one_large_one() -> None:
    assert len(events(b"data: abc\n\n" * 1000, limit=100)) == 1000


def test_exception_from_the_callback_leaves_feed() -> None:
    def refuse(kind: str, data: bytes) -> None:
        raise LookupError(kind)

    with pytest.raises(LookupError, match="message"):
        EventStream(refuse).feed(b"data: a\n\n")


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines(size: int) -> None:
    text = b'{"a": 1}\n\n \r\n{"b": 2}\r\n{"c": 3}'
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert lines(*pieces) == [b'{"a": 1}', b'{"b": 2}', b'{"c": 3}']


@pytest.mark.parametrize("pieces", [[b"x" * 101], [b"x"] * 101, [b"x" * 101 + b"\n"], [b"x" * 60, b"x" * 60 + b"\n"]])
def test_line_larger_than_the_limit(pieces: list[bytes]) -> None:
    with pytest.raises(OversizeError, match="larger than 100 bytes"):
        lines(*pieces, limit=100)
