"""Agents elsewhere that speak A2A 1.0, as agents of this mesh: others ask them like any peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from clawmesh import Context, Duration, Message, Secret

if TYPE_CHECKING:
    from .remote import Remotes


class Far:
    """What all agents of this type share: which ways their cards have told, and where their conversations are."""

    def __init__(self) -> None:
        self._remotes: Remotes | None = None

    async def a2a(
        self,
        context: Context,
        message: Message,
        *,
        url: str,
        token: Secret | None = None,
        tenant: str = "",
        seconds: Duration = 600.0,
    ) -> Message:
        """Ask an agent elsewhere, and tell its answer as it comes.

        Args:
            url: Where the agent is; its card is at `/.well-known/agent-card.json` below, or at the URL itself if that
                ends in `.json`.
            token: Sent as a bearer token, to no other server than that of `url`.
            tenant: Which of several agents is meant, where one card has them all.
            seconds: How long an answer may take.
        """
        if self._remotes is None:
            from .remote import Remotes  # noqa: PLC0415 - start-up time: only a mesh with such an agent pays

            self._remotes = Remotes()
        secret = token.reveal() if token else ""
        return await self._remotes.at(context.services, url, secret, tenant).ask(context, message, seconds)


def register_agents() -> Mapping[str, Callable[..., Any]]:
    """Offer agents of the type `a2a`."""
    return {"a2a": Far().a2a}
