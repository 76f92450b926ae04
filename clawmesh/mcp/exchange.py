"""One HTTP request to the door and its answer.

Source: MCP 2026-07-28, "Streamable HTTP", sections "Sending Messages" and "Receiving Messages".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from clawmesh.mcp.fault import StatusError
from clawmesh.mcp.mesh import Token
from clawmesh.server.request import Receive, Scope, Send

JSON, STREAM = "application/json", "text/event-stream"
ANYTHING = ("*/*", "application/*")
# Parsing holds up everything else: 4 MiB take some 10 ms.
BODY_BYTES = 4 * 1024 * 1024


class Exchange:
    """Reads what a client sends, and writes what it gets."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.token: Token = scope["state"]["token"]
        self.method: str = scope["method"]
        self.send = send
        self._scope = scope
        self._receive = receive
        accepted = {each.partition(";")[0].strip().lower() for each in self.header(b"accept").split(",")} - {""}
        self.takes_json = not accepted or JSON in accepted or not accepted.isdisjoint(ANYTHING)
        self.takes_stream = STREAM in accepted

    def header(self, name: bytes) -> str:
        """Return a header's value, "" where there is none (RFC 9110, 5.3: what is said twice is one list; 5.5)."""
        return ", ".join(value.strip(b" \t").decode("latin-1") for key, value in self._scope["headers"] if key == name)

    def when_left(self, call: Callable[[], None]) -> None:
        """Let something be called at once when the client leaves before its answer."""
        self._scope["extensions"]["clawmesh.left"](call)

    async def body(self) -> bytes:
        """Return the request's body.

        Raises:
            StatusError: it is of another kind, too long, or ended before its end; or no answer could be accepted.
        """
        if not (self.takes_json or self.takes_stream):
            raise StatusError(406, f"answers are {JSON} or {STREAM}")
        media = self.header(b"content-type").partition(";")[0].strip().lower()
        if media != JSON:
            raise StatusError(415, f"found content-type {media[:80]!r}, expected {JSON}")
        pieces: list[bytes] = []
        size = 0
        while True:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise StatusError(400, "the body ended before its end")
            size += len(event["body"])
            if size > BODY_BYTES:
                raise StatusError(413, f"a message may have {BODY_BYTES} bytes")
            pieces.append(event["body"])
            if not event["more_body"]:
                return b"".join(pieces)

    async def answer(self, data: bytes, *, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Answer with one message; a client that takes nothing but streams gets a stream of it."""
        media = JSON
        if not self.takes_json and status == 200:
            media, data = STREAM, event_of(data)
        said = [(b"content-type", media.encode()), (b"content-length", b"%d" % len(data)), *headers]
        await self.send({"type": "http.response.start", "status": status, "headers": said})
        await self.send({"type": "http.response.body", "body": data})

    async def accept(self) -> None:
        """Say that a notification was taken."""
        await self.empty(202)

    async def empty(self, status: int) -> None:
        """Answer with a status alone."""
        await self.send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await self.send({"type": "http.response.body", "body": b""})

    async def refuse(self, error: StatusError) -> None:
        """Answer with a status, and say why in the form in which the other doors do."""
        said = {"error": {"message": str(error), "type": "invalid_request", "code": error.status, "param": None}}
        await self.answer(msgspec.json.encode(said), status=error.status, headers=error.headers)


def event_of(data: bytes) -> bytes:
    """Return a message as an event of a stream (WHATWG HTML, section 9.2)."""
    return b"event: message\ndata: %b\n\n" % data
