"""The events of both bindings' streams.

Source: A2A specification 1.0, sections 9.4.2 and 11.7: each event is one `data` field.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from clawmesh.errors import ClawmeshError
from clawmesh.server.stream import Stream


class EventStream(Stream):
    """One stream to one client; leaving it ends the stream and not the task."""

    def tell(self, value: Any, event: str = "") -> None:
        """Tell a value."""
        name = b"event: %b\n" % event.encode() if event else b""
        self.put(b"%bdata: %b\n\n" % (name, msgspec.json.encode(value)))

    async def follow(
        self, work: Callable[[], Coroutine[Any, Any, None]], failed: Callable[[ClawmeshError], None]
    ) -> None:
        """Do what `run` does; `failed` tells the client of an error of the work."""

        async def told() -> None:
            try:
                await work()
            except ClawmeshError as error:
                failed(error)

        await self.run(told)
