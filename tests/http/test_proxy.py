"""Which requests go through which proxy."""

from __future__ import annotations

import pytest

from clawmesh.http.proxy import Proxies
from clawmesh.http.url import Location

ENVIRONMENTS = [
    ({}, "", ""),
    ({"http_proxy": "http://p:1", "HTTPS_PROXY": "http://q:2"}, "http://p:1", "http://q:2"),
    ({"http_proxy": "http://small:1", "HTTP_PROXY": "http://CAPITAL:1"}, "http://small:1", ""),
    ({"ALL_PROXY": "p:1"}, "http://p:1", "http://p:1"),
    ({"all_proxy": "http://p:1", "https_proxy": "http://q:2"}, "http://p:1", "http://q:2"),
    ({"HTTP_PROXY": "http://evil:1", "REQUEST_METHOD": "GET"}, "", ""),
    ({"http_proxy": "http://p:1", "REQUEST_METHOD": "GET"}, "http://p:1", ""),
]


@pytest.mark.parametrize(("environ", "http", "https"), ENVIRONMENTS)
def test_environment(environ: dict[str, str], http: str, https: str) -> None:
    proxies = Proxies.from_environment(environ)
    found = [proxies.find(Location.parse(f"{scheme}://a.example/").origin) for scheme in ("http", "https")]
    assert found == [http, https]


EXEMPT = [
    ("", "http://a.example/", False),
    ("*", "http://a.example/", True),
    ("a.example", "http://a.example/", True),
    ("a.example", "http://b.a.example/", True),
    ("a.example", "http://ba.example/", False),
    (".a.example", "http://b.a.example/", True),
    ("*.a.example", "http://b.a.example/", True),
    ("A.Example", "http://a.example/", True),
    ("x, a.example ,y", "http://a.example/", True),
    ("a.example:8080", "http://a.example/", False),
    ("a.example:8080", "http://a.example:8080/", True),
    ("192.0.2.7", "http://192.0.2.7/", True),
    ("192.0.2.7", "http://192.0.2.70/", False),
    ("192.0.2.0/24", "http://192.0.2.70/", True),
    ("192.0.2.7:80", "http://192.0.2.7/", True),
    ("2001:db8::/32", "http://[2001:db8::1]/", True),
    ("[2001:db8::1]", "http://[2001:db8::1]/", True),
    ("2.7", "http://192.0.2.7/", False),
    ("", "http://localhost:11434/", True),
    ("", "http://api.localhost/", True),
    ("", "http://127.0.0.2/", True),
    ("", "http://[::1]/", True),
]


@pytest.mark.parametrize(("entry", "url", "exempt"), EXEMPT)
def test_exempt(entry: str, url: str, exempt: bool) -> None:
    proxies = Proxies.from_environment({"all_proxy": "http://p:1", "no_proxy": entry})
    assert (proxies.find(Location.parse(url).origin) == "") is exempt
