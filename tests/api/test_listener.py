"""Where the server listens."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import httpx2
import pytest
import trustme

from clawmesh.api.listener import is_loopback, open_listener
from clawmesh.config.model import ApiSettings
from clawmesh.errors import ConfigError, ResourceError
from tests.api.house import CONFIG, house


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.test"])
def test_nobody_else_may_read_along(host: str) -> None:
    with pytest.raises(ConfigError, match=r"api\.host: found .* without TLS; others could read") as caught:
        open_listener(ApiSettings(host=host), 0, Path("clawmesh.toml")).__enter__()
    assert caught.value.problems[0].key == "host"


def test_who_says_so_may_be_read_by_others() -> None:
    with open_listener(ApiSettings(host="0.0.0.0", insecure=True, hosts=("Agents.example",)), 0, None) as listener:
        assert listener.url.startswith("http://0.0.0.0:")
        assert "agents.example" in listener.hosts


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ResourceError, match=rf"cannot listen at 127\.0\.0\.1:{port} .*Address already in use"):
            open_listener(ApiSettings(), port, None).__enter__()
    with pytest.raises(ResourceError, match="is no address of this machine"):
        open_listener(ApiSettings(host="no.such.host.invalid", insecure=True), 0, None).__enter__()


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("nonsense")
    for settings in (
        ApiSettings(certificate=tmp_path / "c.pem"),
        ApiSettings(certificate=tmp_path / "c.pem", key=tmp_path / "c.pem"),
        ApiSettings(certificate=tmp_path / "none.pem", key=tmp_path / "none.pem"),
    ):
        with pytest.raises(ConfigError, match=r"api\.certificate"):
            open_listener(settings, 0, None).__enter__()


@pytest.mark.anyio
async def test_it_speaks_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    identity = authority.issue_cert("localhost", "127.0.0.1")
    identity.private_key_pem.write_to_path(tmp_path / "key.pem")
    for pem in identity.cert_chain_pems:
        pem.write_to_path(tmp_path / "chain.pem", append=True)
    table = f'certificate = "{tmp_path / "chain.pem"}"\nkey = "{tmp_path / "key.pem"}"\n'
    async with house(tmp_path / "data", CONFIG.replace("port = 0\n", f"port = 0\n{table}")) as home:
        assert home.url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context()
        authority.configure_trust(context)
        headers = {"authorization": f"Bearer {home.token('boss', 'admin')}"}
        async with httpx2.AsyncClient(base_url=home.url, verify=context, headers=headers) as client:
            answer = await client.post("/api/agents/echo/messages", json={"text": "hi"})
            assert answer.json()["text"] == "You said: hi"
            assert "max-age" in answer.headers["strict-transport-security"]
            origin = {"origin": home.url.replace("https", "http")}
            assert (await client.get("/api/status", headers=origin)).status_code == 403


def test_what_nobody_else_can_reach() -> None:
    assert [is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1")] == [True] * 4
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.example", "")))
