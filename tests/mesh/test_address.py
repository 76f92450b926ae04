from __future__ import annotations

import pytest

from clawmesh.errors import UsageError
from clawmesh.mesh.address import Address


def test_an_address_prints_and_parses_as_agent_and_session() -> None:
    address = Address.parse("writer/lead.s-1")
    assert address == Address("writer", "lead.s-1")
    assert Address.parse(str(address)) == address


def test_the_session_may_be_given_apart() -> None:
    assert Address.parse("writer", session="s1") == Address("writer", "s1")
    assert Address.parse("writer/own", session="s1") == Address("writer", "own")


@pytest.mark.parametrize(
    "text", ["", "writer", "/s", "writer/", "a/b/c", "../x", "a b/s", "a/s\n", "-a/s", "a/" + "x" * 129]
)
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        Address.parse(text)
