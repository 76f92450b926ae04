"""Cuts a byte stream into server-sent events or into lines, as the bytes arrive."""

from __future__ import annotations

from collections.abc import Callable

from clawmesh.errors import OversizeError

LINE_BYTES = 16 * 1024 * 1024

BOM = b"\xef\xbb\xbf"
CR, LF = 13, 10


class EventStream:
    """Parse `text/event-stream` and call `on_event(type, data)` for every whole event.

    Source: WHATWG HTML, section 9.2.6 "Interpreting an event stream". Lines end in CR, LF or CRLF; an event which
    the stream leaves unfinished is dropped. `data` stays bytes, because its reader is a JSON decoder. An exception
    from `on_event` leaves `feed`, and the stream is then of no further use.
    """

    __slots__ = (
        "_after_cr",
        "_data",
        "_limit",
        "_on_event",
        "_opening",
        "_partial",
        "_plain",
        "_size",
        "_type",
        "last_id",
        "retry",
    )

    def __init__(self, on_event: Callable[[str, bytes], object], limit: int = LINE_BYTES) -> None:
        self._on_event = on_event
        self._limit = limit
        self._partial = Partial(limit)
        self._data: list[bytes] = []
        self._size = 0
        self._type = "message"
        self._after_cr = False
        self._opening = True
        self._plain = False
        self.last_id = ""
        self.retry: int | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere.

        Raises:
            OversizeError: a line, or the data of one event, is larger than the limit.
        """
        # One whole event of one data line is what providers send; it needs no line loop and no state.
        if (
            self._plain
            and data[:6] == b"data: "
            and data.find(b"\n") == len(data) - 2
            and data[-1] == LF
            and CR not in data
            and len(data) <= self._limit
        ):
            self._on_event("message", data[6:-2])
            return
        if self._after_cr or CR in data:
            data = self._unify(data)
        lines = self._partial.split(data)
        if lines and self._opening:
            self._opening = False
            lines[0] = lines[0].removeprefix(BOM)
        self._take(lines)
        self._plain = not (
            self._partial.held or self._data or self._after_cr or self._opening or self._type != "message"
        )

    def close(self) -> None:
        """Drop what the end of the stream left unfinished."""
        self._partial.take()
        self._data.clear()

    def _unify(self, data: bytes) -> bytes:
        """Turn every line end into LF. A CR ends its line at once: an LF that opens the next bytes belongs to it."""
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if data:
            self._after_cr = data[-1] == CR
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            if line[:6] == b"data: ":
                self._add(line[6:])
            elif line[:7] == b"event: ":
                self._type = line[7:].decode("utf-8", "replace") or "message"
            elif line:
                self._take_field(line)
            elif self._data:
                self._dispatch()
            else:
                self._type = "message"

    def _take_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._add(value)
        elif name == b"event":
            self._type = value.decode("utf-8", "replace") or "message"
        elif name == b"id" and b"\0" not in value:
            self.last_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            self.retry = int(value)

    def _add(self, value: bytes) -> None:
        self._size += len(value) + 1
        if self._size > self._limit:
            raise OversizeError(f"an event of the stream is larger than {self._limit} bytes")
        self._data.append(value)

    def _dispatch(self) -> None:
        data, self._data = self._data, []
        self._size = 0
        event, self._type = self._type, "message"
        self._on_event(event, data[0] if len(data) == 1 else b"\n".join(data))


class LineStream:
    """Cut newline-delimited JSON and call `on_line(line)` for every line that is not blank."""

    __slots__ = ("_limit", "_on_line", "_partial")

    def __init__(self, on_line: Callable[[bytes], object], limit: int = LINE_BYTES) -> None:
        self._on_line = on_line
        self._limit = limit
        self._partial = Partial(limit)

    def feed(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere.

        Raises:
            OversizeError: a line is larger than the limit.
        """
        for line in self._partial.split(data):
            self._take(line)

    def close(self) -> None:
        """Deliver a last line that has no line end."""
        self._take(self._partial.take())

    def _take(self, line: bytes) -> None:
        if line := line.strip():
            self._on_line(line)


class Partial:
    """Hold a line whose end has not arrived yet."""

    __slots__ = ("_limit", "held")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = bytearray()

    def split(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without their LF, and hold the rest.

        Raises:
            OversizeError: a line, whole or not, is larger than the limit.
        """
        lines = data.split(b"\n")
        rest = lines.pop()
        if rest or self.held or len(data) > self._limit:
            self._join(lines, rest)
        return lines

    def _join(self, lines: list[bytes], rest: bytes) -> None:
        if lines and self.held:
            lines[0] = self.take() + lines[0]
        self.held += rest
        if len(self.held) > self._limit or (lines and max(map(len, lines)) > self._limit):
            raise OversizeError(f"a line of the stream is larger than {self._limit} bytes")

    def take(self) -> bytes:
        """Return what is held, and hold nothing."""
        held = bytes(self.held)
        self.held.clear()
        return held
