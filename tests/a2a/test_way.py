"""Cards of agents elsewhere, as far as they can be trusted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawmesh.errors import BusyError, ClawmeshError, FailedError, RefusedError, UnknownError
from plugins.a2a.card import Way, location, way
from plugins.a2a.fault import error_of

URL = "https://far.example/agents/one"


def card(*interfaces: dict[str, Any]) -> bytes:
    return json.dumps({"name": "far", "supportedInterfaces": interfaces, "capabilities": {"streaming": True}}).encode()


def interface(url: str = URL, binding: str = "JSONRPC", version: str = "1.0", **more: str) -> dict[str, Any]:
    return {"url": url, "protocolBinding": binding, "protocolVersion": version, **more}


def test_the_first_way_that_can_be_gone_is_taken() -> None:
    body = card(interface(binding="GRPC"), interface(version="0.3"), interface(URL + "/", "HTTP+JSON", "1.0.2"))
    assert way(body, URL, "") == Way(URL, "HTTP+JSON", "", True)
    body = card(interface(tenant="a"), interface(tenant="b"))
    assert way(body, URL, "").tenant == "a"
    assert way(body, URL, "b").tenant == "b"


@pytest.mark.parametrize("url", ["https://evil.example/", "http://far.example/", "https://far.example:444/"])
def test_a_card_that_leads_to_another_server_is_not_followed(url: str) -> None:
    with pytest.raises(RefusedError, match="leads to another server"):
        way(card(interface(url)), URL, "")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", card(), card(interface(version="2.0")), b"[" * 100_000])
def test_what_is_no_card_is_said(body: bytes) -> None:
    with pytest.raises(FailedError, match="agent card"):
        way(body, URL, "")


def test_a_card_is_below_its_agent_or_where_the_url_says() -> None:
    assert location(URL + "/") == URL + "/.well-known/agent-card.json"
    assert location(URL + "/card.json") == URL + "/card.json"


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (200, {"code": -32001, "message": "x"}, UnknownError),
        (200, {"code": -32603, "message": "x", "data": [{"reason": "UNAVAILABLE"}]}, BusyError),
        (403, {"code": 403, "message": "x", "details": [{"reason": "PERMISSION_DENIED"}]}, RefusedError),
        (401, None, RefusedError),
        (429, "no object", BusyError),
        (500, {"details": 1, "message": 2, "code": "x"}, FailedError),
    ],
)
def test_errors_are_told_by_their_codes(status: int, said: Any, kind: type[ClawmeshError]) -> None:
    assert type(error_of(status, said, URL)) is kind
