"""The events of our own API: numbered, so that a client can come back to where it was."""

from __future__ import annotations

from typing import Any

import msgspec

from clawmesh.server.request import Scope, Send
from clawmesh.server.stream import PING_SECONDS, Stream

encode = msgspec.json.Encoder().encode


class EventSource(Stream):
    """One stream of events to one client; each event has a number, from 1, within its `epoch`.

    A client that comes back has heard the events up to the number `after`, which are not told again.
    """

    def __init__(
        self, scope: Scope, send: Send, *, epoch: str = "0", after: int = 0, ping: float = PING_SECONDS
    ) -> None:
        super().__init__(scope, send, ping=ping)
        self._epoch = epoch.encode("ascii")
        self._after = after
        self._number = 0

    def tell(self, event: str, value: Any, *, last: bool = False) -> None:
        """Tell an event with a value as JSON; the last one is told to whoever comes back, too."""
        self._number += 1
        if last:
            self._number = max(self._number, self._after + 1)
        if self._number > self._after:
            id = (self._epoch, self._number)
            self.put(b"id: %b.%d\nevent: %b\ndata: %b\n\n" % (*id, event.encode(), encode(value)))
