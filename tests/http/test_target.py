"""Requests as bytes."""

from __future__ import annotations

import pytest

from clawmesh.errors import URLError
from clawmesh.http.target import Target


def test_post() -> None:
    target = Target.parse("https://a.example:444/v1/chat?x=1", headers={"Authorization": "Bearer key"})
    assert target.request(b"{}", [(b"X-Key", b"k")]) == (
        b"POST /v1/chat?x=1 HTTP/1.1\r\n"
        b"Host: a.example:444\r\n"
        b"accept: */*\r\n"
        b"accept-encoding: identity\r\n"
        b"authorization: Bearer key\r\n"
        b"X-Key: k\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )


def test_own_accept_replaces_the_default() -> None:
    target = Target.parse("http://[::1]/", method="GET", headers={"Accept": "text/event-stream"})
    assert target.request(b"") == (
        b"GET / HTTP/1.1\r\nHost: [::1]\r\naccept: text/event-stream\r\naccept-encoding: identity\r\n\r\n"
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_empty_body_is_said_to_be_empty(method: str) -> None:
    assert Target.parse("http://a.example/", method=method).request(b"").endswith(b"Content-Length: 0\r\n\r\n")


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(Target.parse("http://a.example/", headers={"X-Key": "secret"}))


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection", "a b", "", "a:b", "é"])
def test_header_name(name: str) -> None:
    with pytest.raises(URLError, match="cannot be set as a header"):
        Target.parse("http://a.example/", headers={name: "x"})


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0b", "a\x7f"])
def test_header_value(value: str) -> None:
    target = Target.parse("http://a.example/")
    with pytest.raises(URLError, match="control character") as caught:
        target.request(b"", [(b"X", value.encode())])
    assert value not in str(caught.value)


def test_header_value_outside_of_latin_1() -> None:
    with pytest.raises(URLError, match="cannot carry"):
        Target.parse("http://a.example/", headers={"X": "€"})


@pytest.mark.parametrize("method", ["", "GET /", "G\r\n", "GÉT"])
def test_method(method: str) -> None:
    with pytest.raises(URLError, match="no HTTP method"):
        Target.parse("http://a.example/", method=method)
