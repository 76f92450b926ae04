"""URLs that can be requested, and those that cannot."""

from __future__ import annotations

import pytest

from clawmesh.errors import URLError
from clawmesh.http.url import Location, Origin

GOOD = {
    "http://a.example": (Origin("http", "a.example", 80), "/"),
    "HTTPS://A.Example/Path?q=1#part": (Origin("https", "a.example", 443), "/Path?q=1"),
    "http://a.example:8080/": (Origin("http", "a.example", 8080), "/"),
    "http://a.example?q": (Origin("http", "a.example", 80), "/?q"),
    "https://[2001:DB8::1]:444/x": (Origin("https", "2001:db8::1", 444), "/x"),
    "http://a.example./": (Origin("http", "a.example", 80), "/"),
    "http://a_b.example/%2e%2e/": (Origin("http", "a_b.example", 80), "/%2e%2e/"),
    "http://a.example/@b:c": (Origin("http", "a.example", 80), "/@b:c"),
}

BAD = {
    "": "character",
    "a.example": "no absolute URL",
    "//a.example/": "no absolute URL",
    "ftp://a.example/": "expected http or https",
    "file:///etc/passwd": "expected http or https",
    "http:///path": "no valid host",
    "http://user@a.example/": "no user name",
    "http://user:secret@a.example/": "no user name",
    "http://a.example:/": "no valid host",
    "http://a.example:0/": "port 0",
    "http://a.example:65536/": "port 65536",
    "http://a.example:8a/": "no valid host",
    "http://a.example:80:80/": "no valid host",
    "http://a..example/": "no valid host",
    "http://./": "no valid host",
    "http://.a/": "no valid host",
    "http://[::1/": "no valid host",
    "http://[fe80::1%25eth0]/": "no valid host",
    "http://a.example/ x": "character",
    "http://a.example\\@b.example/": "character",
    "http://a.example/\r\nX: y": "character",
    "http://münchen.example/": "character",
    "http://a.example/é": "character",
    "http://a,b.example/": "no valid host",
    "http://a%2eexample/": "no valid host",
}


@pytest.mark.parametrize("url", GOOD)
def test_good(url: str) -> None:
    origin, path = GOOD[url]
    location = Location.parse(url)
    assert (location.origin, location.path) == (origin, path)


@pytest.mark.parametrize("url", BAD)
def test_bad(url: str) -> None:
    with pytest.raises(URLError, match=BAD[url]) as caught:
        Location.parse(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://a.example/", "https://a.example:80/x?y", "http://[::1]:8080/"])
def test_writes_what_it_read(url: str) -> None:
    assert str(Location.parse(url)) == url
