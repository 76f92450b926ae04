"""Subscriptions: a client hears when the list of tools has changed, which it does with a new configuration.

Source: MCP 2026-07-28, "Subscriptions".
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
from msgspec import Struct

from clawmesh.mcp.exchange import event_of
from clawmesh.mcp.frame import Id, notification
from clawmesh.mcp.revision import SUBSCRIPTION

LOOK_SECONDS = 1.0
# Then the stream ends; whoever still wants it asks again.
LOOKS = 3600


class Wanted(Struct, frozen=True, rename="camel"):
    """What a client wants to hear of; of what else there may be nothing ever changes, or nobody is told."""

    tools_list_changed: bool = False


class Listening(Struct, frozen=True):
    """What a subscription is for."""

    notifications: Wanted


class Changes:
    """What one subscription has to tell; `version` says which configuration is in force."""

    def __init__(self, id: Id, wanted: Wanted, version: Callable[[], int]) -> None:
        self.news = anyio.Event()
        self.about = {SUBSCRIPTION: id}
        self._wanted = wanted
        self._version = version
        self._seen = version()

    @property
    def acknowledged(self) -> bytes:
        """The event that says what of the wanted will be told."""
        told = {"toolsListChanged": True} if self._wanted.tools_list_changed else {}
        params = {"notifications": told, "_meta": self.about}
        return event_of(notification("notifications/subscriptions/acknowledged", params))

    async def follow(self) -> None:
        """Look for changes, until the subscription has lasted long enough."""
        for _ in range(LOOKS):
            await anyio.sleep(LOOK_SECONDS)
            if self._wanted.tools_list_changed and self._version() != self._seen:
                self.news.set()

    def take(self) -> bytes:
        """Return an event that tells of a change, b"" if there was none."""
        self.news = anyio.Event()
        if not self._wanted.tools_list_changed or self._version() == self._seen:
            return b""
        self._seen = self._version()
        return event_of(notification("notifications/tools/list_changed", {"_meta": self.about}))
