"""Spellings of what may not be reached."""

# ruff: noqa: RUF001 - look-alikes of ASCII are what is tested

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest

from clawmesh.errors import EgressError, URLError
from clawmesh.http.dns import Address
from clawmesh.http.egress import EgressPolicy, Guard, is_public

POLICY = EgressPolicy()

REFUSED = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0X7F.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://127.0.0.1./",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://api.localhost/",
    "http://10.1.2.3/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:db8::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://１２７.０.０.１/",
    "http://①②⑦.0.0.1/",
    "http://127。0。0。1/",
    "http://ｌｏｃａｌｈｏｓｔ/",
    "http://ⓛocalhost/",
    "http://1.2.3.4.5/",
    "http://256.1.1.1/",
    "http://1.2.3.0x100/",
    "http://a.example:22/",
    "http://a.example:8080/",
]

NO_URL = [
    "file:///etc/passwd",
    "gopher://a.example/",
    "ftp://a.example/",
    "javascript:alert(1)",
    "//a.example/",
    "http://a.example:/",
    "http://a.example:٨٠/",
    "http://user@a.example/",
    "http://a.example@127.0.0.1/",
    "http://a.example:80@127.0.0.1/",
    "http://127.0.0.1\\@a.example/",
    "http://a.example\\@127.0.0.1/",
    "http://127.0.0.1%2f@a.example/",
    "http://a.example%00.b.example/",
    "http://[::1%25lo]/",
    "http://[::ffff:127.0.0.1/",
    "http://a.example\t/",
    "http://a.example/\r\nHost: b",
    " http://a.example/",
    "http://\u200b/",
    "http:///a.example/",
    "",
]

ALLOWED = {
    "http://a.example/": "http://a.example/",
    "HTTPS://A.example:443/b?c#d": "https://a.example/b?c",
    "https://8.8.8.8/": "https://8.8.8.8/",
    "https://134744072/": "https://8.8.8.8/",
    "http://[2606:4700::1111]/": "http://[2606:4700::1111]/",
    "http://[64:ff9b::8.8.8.8]/": "http://[64:ff9b::8.8.8.8]/",
    "https://münchen.example/straße?q=ü": "https://xn--mnchen-3ya.example/stra%C3%9Fe?q=%C3%BC",
    "https://a.example/%2e%2e/%C3%BC/é": "https://a.example/%2e%2e/%C3%BC/%C3%A9",
    "https://127.0.0.1.example/": "https://127.0.0.1.example/",
    "https://0x7f.example/": "https://0x7f.example/",
    "https://a.example/?next=http://127.0.0.1/": "https://a.example/?next=http://127.0.0.1/",
}


@pytest.mark.parametrize("url", REFUSED)
def test_refused(url: str) -> None:
    with pytest.raises(EgressError, match="is refused"):
        POLICY.check(url)


@pytest.mark.parametrize("url", NO_URL)
def test_no_url(url: str) -> None:
    with pytest.raises(URLError):
        POLICY.check(url)


@pytest.mark.parametrize("url", ALLOWED)
def test_allowed(url: str) -> None:
    assert str(POLICY.check(url)) == ALLOWED[url]


def test_private_may_be_allowed() -> None:
    policy = EgressPolicy(private=True, ports=())
    assert str(policy.check("http://127.1:8080/")) == "http://127.0.0.1:8080/"
    assert str(policy.check("http://localhost:8080/")) == "http://localhost:8080/"


@pytest.mark.parametrize(
    ("policy", "url", "reason"),
    [
        (EgressPolicy(schemes=("https",)), "http://a.example/", "only https"),
        (EgressPolicy(ports=(443,)), "http://a.example/", "only the ports 443"),
        (EgressPolicy(deny=("*.example",)), "http://a.example/", "denied"),
        (EgressPolicy(deny=("A.Example",)), "http://a.EXAMPLE./", "denied"),
        (EgressPolicy(allow=("*.b.example",)), "http://a.example/", "none of those allowed"),
        (EgressPolicy(allow=("*.example",), deny=("a.*",)), "http://a.example/", "denied"),
        (EgressPolicy(allow=("127.*",)), "http://127.0.0.1/", "not on the public internet"),
    ],
)
def test_policy(policy: EgressPolicy, url: str, reason: str) -> None:
    with pytest.raises(EgressError, match=reason):
        policy.check(url)


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "99.255.255.255", "2606:4700::1", "2a00::1", "::ffff:8.8.8.8", "2002:808:808::1"]
)
def test_public_addresses(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text", ["192.0.0.8", "192.88.99.1", "203.0.113.9", "240.0.0.1", "100::1", "5f00::1", "3fff::1"]
)
def test_addresses_of_no_host(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "texts",
    [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["8.8.8.8", "::1"], ["fe80::1%eth0"], ["::ffff:10.0.0.1"], ["localhost"]],
)
async def test_name_with_one_private_address_is_refused(texts: list[str]) -> None:
    async def resolve(host: str, port: int) -> Sequence[Address]:
        return [(text, port) for text in texts]

    with pytest.raises(EgressError, match=r"a\.example is refused"):
        await Guard(POLICY, resolve)("a.example", 80)


@pytest.mark.anyio
async def test_name_with_public_addresses_passes() -> None:
    async def resolve(host: str, port: int) -> Sequence[Address]:
        return [("8.8.8.8", port), ("2606:4700::1", port)]

    assert await Guard(POLICY, resolve)("a.example", 80) == [("8.8.8.8", 80), ("2606:4700::1", 80)]
