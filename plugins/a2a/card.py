"""The card of an agent elsewhere: which way leads to it.

Source: A2A specification 1.0, sections 8.2 and 8.3.2 "Client Protocol Selection".
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from clawmesh.a2a.values import VERSION, Capabilities, Interface, Value, tidy
from clawmesh.errors import FailedError, RefusedError, URLError
from clawmesh.http.url import Location

PATH = "/.well-known/agent-card.json"
BINDINGS = frozenset({"JSONRPC", "HTTP+JSON"})


class Offer(Value, frozen=True, kw_only=True):
    """What of a card matters here."""

    supported_interfaces: tuple[Interface, ...]
    capabilities: Capabilities = Capabilities()


class Way(Struct, frozen=True):
    """How an agent is reached."""

    url: str
    binding: str
    tenant: str
    streaming: bool


def location(url: str) -> str:
    """Return where the card of an agent is."""
    return url if url.endswith(".json") else url.rstrip("/") + PATH


def way(body: bytes, url: str, tenant: str) -> Way:
    """Return the first way that a card has and this program can go.

    Raises:
        FailedError: that is no card, or has none.
        RefusedError: it leads to another server than that of `url`, which is not to see what is meant for that one.
    """
    try:
        offer = msgspec.convert(tidy(msgspec.json.decode(body)), Offer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FailedError(f"what is at {location(url)} is no agent card: {error}") from error
    for each in offer.supported_interfaces:
        if each.protocol_binding in BINDINGS and _spoken(each) and tenant in ("", each.tenant):
            _require_near(each.url, url)
            return Way(each.url.rstrip("/"), each.protocol_binding, each.tenant, bool(offer.capabilities.streaming))
    whose = f" of {tenant}" if tenant else ""
    raise FailedError(f"the agent card at {location(url)} has no interface{whose} for A2A {VERSION} over JSON")


def _spoken(interface: Interface) -> bool:
    return ".".join(interface.protocol_version.split(".")[:2]) == VERSION


def _require_near(there: str, url: str) -> None:
    try:
        near = Location.parse(there).origin == Location.parse(url).origin
    except URLError as error:
        raise FailedError(f"the agent card at {location(url)} leads nowhere: {error}") from error
    if not near:
        raise RefusedError(f"the agent card at {location(url)} leads to another server: {there}")
