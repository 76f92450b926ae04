"""How the body of a response is told to be an error, one JSON object or a stream."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from clawmesh.abc.backend import Reply
from clawmesh.errors import (
    BackendError,
    ConnectError,
    EgressError,
    FramingError,
    NotFoundError,
    OversizeError,
    PermissionDeniedError,
    ReplyError,
    TransportError,
    TruncatedReplyError,
    UnreachableError,
)
from clawmesh.http.headers import Headers
from clawmesh.http.lines import EventStream, LineStream
from clawmesh.provider.response import ERROR_BYTES, WHOLE_BYTES, Response, unreachable
from clawmesh.testing import said


class Echo:
    """Understands everything: the reply is what it was given."""

    def __init__(self, *, lines: bool = False) -> None:
        self._lines = lines
        self.seen: list[str] = []
        self.complete = False

    def cutter(self) -> EventStream | LineStream:
        if self._lines:
            return LineStream(lambda line: self.seen.append(f"line {line.decode()}"))
        return EventStream(lambda event, data: self.seen.append(f"event {data.decode()}"))

    def whole(self, body: bytes) -> None:
        self.seen.append(f"whole {body.decode()}")

    def reply(self) -> Reply:
        if not self.seen:
            raise TruncatedReplyError("nothing")
        return said("; ".join(self.seen))


def read(pieces: Sequence[bytes], *, status: int = 200, lines: bool = False) -> str:
    response = Response(Echo(lines=lines), lines=lines, now=0.0)
    response.head(status, Headers([]))
    for piece in pieces:
        response.feed(piece)
    return response.finish().message.text


@pytest.mark.parametrize(
    ("body", "lines", "text"),
    [
        (b'{"a": 1}', False, 'whole {"a": 1}'),
        (b' \r\n\t {"a": 1}', False, 'whole {"a": 1}'),
        (b'\xef\xbb\xbf{"a": 1}', False, 'whole {"a": 1}'),
        (b"[1]", False, "whole [1]"),
        (b"data: x\n\n", False, "event x"),
        (b"\n\n: hello\n\ndata: x\n\n", False, "event x"),
        (b"\xef\xbb\xbfdata: x\n\n", False, "event x"),
        (b'{"a": 1}\n{"b": 2}', True, 'line {"a": 1}; line {"b": 2}'),
    ],
)
def test_the_body_says_what_it_is(body: bytes, lines: bool, text: str) -> None:
    assert read([body], lines=lines) == text
    assert read([body[at : at + 1] for at in range(len(body))], lines=lines) == text


@pytest.mark.parametrize("body", [b"data: x\n\ndata: y\n\n", b"data: x\n\ndata: y\n", b"data: x\n\ndata: y"])
def test_the_last_event_may_lack_its_blank_line(body: bytes) -> None:
    assert read([body]) == "event x; event y"


@pytest.mark.parametrize("body", [b"", b"  \n", b"\xef\xbb", b"plain text"])
def test_a_body_with_nothing_in_it_is_no_answer(body: bytes) -> None:
    with pytest.raises(TruncatedReplyError):
        read([body])


def test_an_error_is_read_to_a_bound() -> None:
    with pytest.raises(NotFoundError, match="no model") as caught:
        read([b'{"error": "no ', b'model"}'], status=404)
    assert caught.value.failure.status == 404
    with pytest.raises(NotFoundError):
        read([b"x" * ERROR_BYTES, b"x" * ERROR_BYTES], status=404)


def test_a_whole_body_is_bounded() -> None:
    with pytest.raises(ReplyError, match="larger than"):
        read([b'{"a": "' + b"x" * (WHOLE_BYTES // 2), b"x" * (WHOLE_BYTES // 2)])


def test_an_event_is_bounded() -> None:
    with pytest.raises(ReplyError, match="too large"):
        read([b"data: ", *[b"x" * 1_000_000] * 17])


def test_bytes_that_are_no_text_are_no_answer() -> None:
    with pytest.raises(ReplyError, match="cannot be read"):
        read([b"data: \xff\n\n"])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectError("x"), UnreachableError),
        (OversizeError("x"), ReplyError),
        (FramingError("x"), ReplyError),
        (EgressError("x"), PermissionDeniedError),
    ],
)
def test_errors_of_the_transport_become_errors_of_the_call(error: TransportError, kind: type[BackendError]) -> None:
    assert type(unreachable(error)) is kind
