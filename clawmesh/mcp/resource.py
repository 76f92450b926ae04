"""Sessions as resources: listed, read as a transcript, and their names completed.

Sources: MCP 2026-07-28, "Resources", "Completion" and "Pagination".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from clawmesh.agent.case import reason
from clawmesh.agent.story import Account, read_all
from clawmesh.errors import UsageError
from clawmesh.journal.archive import Archive, SessionSize
from clawmesh.mcp.cursor import page
from clawmesh.mcp.fault import AbsentError
from clawmesh.mcp.mesh import Mesh, Token
from clawmesh.mesh.address import AGENT, Address

SCHEME = "clawmesh://sessions/"
TEMPLATE = SCHEME + "{agent}/{session}"
MEDIA = "text/plain"
PAGE = 200
# Of a transcript the newest messages, and of these the newest characters are given.
MESSAGES, CHARACTERS = 100, 500_000
VALUES = 100
"""A completion may have no more ("Completion", section "Completion Results")."""


class Resources:
    """The sessions of one mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    async def list(self, token: Token, cursor: str | None) -> dict[str, Any]:
        """Return the sessions that are the token's, by address.

        Raises:
            RpcError: the cursor is none of ours.
            StorageError: the journal cannot be read.
        """
        own = await self._own(token, "")
        addresses, following = page([*own], cursor, PAGE)
        resources = [_resource(token, own[address]) for address in addresses]
        return {"resources": resources, **({"nextCursor": following} if following else {})}

    async def read(self, token: Token, uri: str) -> dict[str, Any]:
        """Return what was said in a session, the newest messages of it.

        Raises:
            AbsentError: there is none of that URI, or it is not the token's.
            StorageError: the journal cannot be read.
        """
        try:
            agent, _, session = uri.removeprefix(SCHEME).partition("/")
            address = token.inside(agent, session)
        except UsageError as error:
            raise AbsentError(uri) from error
        if not uri.startswith(SCHEME) or not token.owns(address):
            raise AbsentError(uri)

        def look(archive: Archive) -> str:
            return transcript(read_all(archive.session(str(address), MESSAGES)))

        text = await self._mesh.read(look)
        if not text:
            raise AbsentError(uri)
        return {"contents": [{"uri": uri, "mimeType": MEDIA, "text": text}]}

    def templates(self) -> dict[str, Any]:
        """Return what the URIs of sessions are made of."""
        template = {
            "uriTemplate": TEMPLATE,
            "name": "session",
            "title": "Conversation with an agent",
            "description": "What was said in a session, the newest messages of it, as plain text.",
            "mimeType": MEDIA,
        }
        return {"resourceTemplates": [template]}

    async def complete(self, token: Token, name: str, value: str, known: Mapping[str, str]) -> dict[str, Any]:
        """Return what a variable of the template may become; of the sessions of an agent those used last come first.

        Raises:
            StorageError: the journal cannot be read.
        """
        found: list[str] = []
        if name == "agent":
            found = sorted(agent for agent in self._mesh.agents if token.knows(agent))
        elif name == "session" and AGENT.fullmatch(agent := known.get("agent", "")) and token.knows(agent):
            own = await self._own(token, agent)
            newest = sorted(own.values(), key=lambda size: size.used, reverse=True)
            found = [token.outside(Address.parse(size.session)) for size in newest]
        fitting = [each for each in found if each.startswith(value)]
        more = len(fitting) > VALUES
        return {"completion": {"values": fitting[:VALUES], "total": len(fitting), "hasMore": more}}

    async def _own(self, token: Token, agent: str) -> dict[str, SessionSize]:
        look: Callable[[Archive], Any] = lambda archive: archive.sessions(agent)  # noqa: E731 - typed in one place
        found = await self._mesh.read(look)
        return {size.session: size for size in found if token.owns(Address.parse(size.session))}


def _resource(token: Token, size: SessionSize) -> dict[str, Any]:
    address = Address.parse(size.session)
    name = f"{address.agent}/{token.outside(address)}"
    used = datetime.fromtimestamp(size.used, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"uri": SCHEME + name, "name": name, "mimeType": MEDIA, "annotations": {"lastModified": used}}


def transcript(accounts: list[Account]) -> str:
    """Return messages and their answers as people read them, "" where there are none."""
    said = [f"{speaker}:\n{text}\n" for account in accounts for speaker, text in _said(account)]
    return "\n".join(said)[-CHARACTERS:]


def _said(account: Account) -> list[tuple[str, str]]:
    envelope, outcome = account.envelope, account.outcome
    said = [(envelope.sender, envelope.message.text)]
    if outcome is None:
        return said
    agent = Address.parse(envelope.to).agent
    if outcome.message is not None:
        return [*said, (agent, outcome.message.text)]
    return [*said, (agent, f"[{outcome.ending.value}: {reason(outcome.error)}]" if outcome.error else "[no answer]")]
