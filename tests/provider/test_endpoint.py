"""URLs, keys and headers of providers."""

from __future__ import annotations

import pytest

from clawmesh.provider.endpoint import Endpoint, Key
from clawmesh.secret import Secret


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h/v1", "http://h/v1/chat"),
        ("http://h/v1/", "http://h/v1/chat"),
        ("http://h/v1?api-version=2", "http://h/v1/chat?api-version=2"),
    ],
)
def test_a_path_is_joined_to_the_base(base: str, url: str) -> None:
    assert Endpoint.at(base, "/chat", Key(None), {}).url == url


def test_the_key_goes_where_its_provider_wants_it() -> None:
    assert Endpoint.at("http://h", "/", Key(Secret("s")), {}).headers["authorization"] == "Bearer s"
    named = Endpoint.at("http://h", "/", Key(Secret("s"), header="x-api-key", prefix=""), {})
    assert named.headers["x-api-key"] == "s"
    assert "authorization" not in Endpoint.at("http://h", "/", Key(None), {}).headers


def test_given_headers_win() -> None:
    endpoint = Endpoint.at("http://h", "/", Key(Secret("s")), {"Authorization": Secret("Basic x"), "X-Title": "t"})
    assert endpoint.headers["authorization"] == "Basic x"
    assert endpoint.headers["x-title"] == "t"


def test_secrets_never_show() -> None:
    endpoint = Endpoint.at("http://h", "/", Key(Secret("sk-1234567")), {"x": Secret("sk-abcdefg"), "y": Secret("k")})
    assert "sk-1234567" not in repr(endpoint)
    assert endpoint.hide("unknown keys: sk-1234567, sk-abcdefg") == "unknown keys: ***, ***"
