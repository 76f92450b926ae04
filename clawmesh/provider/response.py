"""Receives one response of a provider: an error, a whole body or a stream, told apart by what arrives."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

import msgspec

from clawmesh.abc.backend import Reply
from clawmesh.errors import (
    BackendError,
    EgressError,
    FramingError,
    OversizeError,
    PermissionDeniedError,
    ReplyError,
    TransportError,
    UnreachableError,
)
from clawmesh.http.headers import Headers
from clawmesh.provider import fault

ERROR_BYTES = 256 * 1024
WHOLE_BYTES = 16 * 1024 * 1024
BLANK = b" \t\r\n"
BOM = b"\xef\xbb\xbf"
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, OversizeError)


class Cutter(Protocol):
    """Cuts a stream into events as bytes arrive."""

    def feed(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Decoder(Protocol):
    """Understands one response of one protocol.

    Its methods may raise `msgspec.DecodeError` and `BackendError`; the response turns the first into the second.
    """

    def cutter(self) -> Cutter:
        """Return what cuts a stream and calls the decoder for each event."""

    def whole(self, body: bytes) -> None:
        """Take a body that came as one JSON object."""

    def reply(self) -> Reply:
        """Return the reply once the body has ended.

        Raises:
            TruncatedReplyError: the terminal event has not come.
        """

    @property
    def complete(self) -> bool:
        """Tell whether the terminal event has come."""


class Response:
    """The sink of an exchange with a provider.

    Neither the content type nor what was asked for is trusted: a body that opens with `{` is one JSON object, unless
    the protocol streams lines of JSON, and everything else is a stream of events.
    """

    __slots__ = ("_body", "_cutter", "_decoder", "_headers", "_lines", "_now", "_opening", "_size", "_status")

    def __init__(self, decoder: Decoder, *, lines: bool, now: float) -> None:
        self._decoder = decoder
        self._lines = lines
        self._now = now
        self._status = 0
        self._headers: Headers | None = None
        self._body: list[bytes] | None = None
        self._size = 0
        self._opening = b""
        self._cutter: Cutter | None = None

    def head(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = headers
        if status // 100 != 2:
            self._body = []

    def feed(self, data: bytes) -> None:
        if self._cutter is not None:
            try:
                self._cutter.feed(data)
            except UNREADABLE as error:
                raise unreadable(error) from error
        elif self._body is not None:
            self._collect(data)
        else:
            self._open(data)

    def finish(self) -> Reply:
        """Return the reply once the exchange is over.

        Raises:
            BackendError: what the provider said went wrong, or what is wrong with its answer.
        """
        if self._status // 100 != 2:
            raise fault.error(
                fault.parse(b"".join(self._body or ())), status=self._status, headers=self._headers, now=self._now
            )
        try:
            if self._cutter is not None:
                self._flush(self._cutter)
            elif self._body:
                self._decoder.whole(b"".join(self._body))
            return self._decoder.reply()
        except UNREADABLE as error:
            raise unreadable(error) from error

    @property
    def decided(self) -> bool:
        """Tell whether what has arrived settles the outcome, whatever may follow."""
        return self._decoder.complete or (self._status != 0 and self._status // 100 != 2)

    def _flush(self, cutter: Cutter) -> None:
        """Deliver a last event whose blank line is missing, as some servers leave it out; half of one is no event."""
        if not self._decoder.complete:
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                cutter.feed(b"\n\n")
                cutter.close()

    def _open(self, data: bytes) -> None:
        self._opening += data
        if BOM.startswith(self._opening):
            return
        start = self._opening.removeprefix(BOM).lstrip(BLANK)
        self._opening = b""
        if not start:
            return
        if start.startswith((b"{", b"[")) and not self._lines:
            self._body = []
            self._collect(start)
        else:
            self._cutter = self._decoder.cutter()
            self.feed(start)

    def _collect(self, data: bytes) -> None:
        assert self._body is not None
        self._size += len(data)
        if self._status // 100 == 2 and self._size > WHOLE_BYTES:
            raise ReplyError(f"the answer is larger than {WHOLE_BYTES} bytes")
        if self._status // 100 == 2 or self._size <= ERROR_BYTES:
            self._body.append(data)


def unreadable(error: Exception) -> ReplyError:
    return ReplyError(f"the answer {'is too large' if isinstance(error, OversizeError) else 'cannot be read'}: {error}")


def unreachable(error: TransportError) -> BackendError:
    """Return the error of a model call for that of its exchange."""
    if isinstance(error, OversizeError):
        return ReplyError(f"the answer is too large: {error}")
    if isinstance(error, FramingError):
        return ReplyError(f"the answer is no HTTP: {error}")
    if isinstance(error, EgressError):
        return PermissionDeniedError(f"the provider may not be reached: {error}")
    return UnreachableError(f"the provider cannot be reached: {error}")
