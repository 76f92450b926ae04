"""TLS: who is trusted, by which name, and what a cut connection means."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from clawmesh.errors import ConnectError, ConnectionLostError, TransportTimeoutError
from clawmesh.http.dns import Address
from clawmesh.http.limits import Deadlines
from clawmesh.http.target import Target
from clawmesh.http.tls import TLS, Identity
from clawmesh.http.transport import open_transport
from tests.http.peer import OK, Recorder, Script, Talk, repeats, serve

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Authority:
    """A throw-away certificate authority and its file."""

    ca: trustme.CA
    file: str

    def server(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return Authority(ca, str(path))


async def ask(
    script: Script,
    context: ssl.SSLContext | None,
    identity: Identity,
    *,
    host: str = "a.example",
    body: bytes = b"",
    deadlines: Deadlines | None = None,
) -> Recorder:
    async def resolve(name: str, port: int) -> list[Address]:
        return [("127.0.0.1", port)]

    recorder = Recorder()
    async with serve(script, context) as peer, open_transport(identity=identity, resolve=resolve) as transport:
        target = Target.parse(f"https://{host}:{peer.port}/")
        await transport.exchange(target, body, recorder, deadlines or Deadlines())
        await transport.exchange(target, body, recorder, deadlines or Deadlines())
        recorder.connections = len(peer.talks)
    return recorder


@pytest.mark.parametrize("host", ["a.example", "127.0.0.1"])
async def test_trusted_peer(authority: Authority, host: str) -> None:
    recorder = await ask(repeats(OK), authority.server(host), Identity(authority.file), host=host)
    assert (recorder.status, recorder.body, recorder.connections) == (200, b"okok", 1)


async def test_large_bodies_both_ways(authority: Authority) -> None:
    sizes: list[int] = []
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"y" * 3_000_000

    async def script(talk: Talk) -> None:
        for _ in range(2):
            sizes.append(len((await talk.answer(answer)).partition(b"\r\n\r\n")[2]))

    recorder = await ask(script, authority.server("a.example"), Identity(authority.file), body=b"x" * 2_000_000)
    assert recorder.body == b"y" * 6_000_000
    assert sizes == [2_000_000, 2_000_000]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions(authority: Authority, version: ssl.TLSVersion) -> None:
    context = authority.server("a.example")
    context.minimum_version = context.maximum_version = version
    assert (await ask(repeats(OK), context, Identity(authority.file))).body == b"okok"


async def test_peer_for_another_name(authority: Authority) -> None:
    with pytest.raises(ConnectError, match=r"not valid for 'a\.example'"):
        await ask(failing, authority.server("b.example"), Identity(authority.file))


async def test_unknown_authority(authority: Authority) -> None:
    with pytest.raises(ConnectError, match="certificate verify failed"):
        await ask(failing, authority.server("a.example"), Identity())


async def failing(talk: Talk) -> None:
    raise AssertionError("a request came through")


async def test_peer_without_tls() -> None:
    async def script(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await talk.gone()

    with pytest.raises(ConnectError, match="wrong version number"):
        await ask(script, None, Identity())


@pytest.mark.parametrize("early", [b"", b"\x16\x03\x03"])
async def test_peer_that_goes_in_the_handshake(early: bytes) -> None:
    async def script(talk: Talk) -> None:
        await talk.send(early)

    with pytest.raises(ConnectError):
        await ask(script, None, Identity())


async def test_peer_that_is_silent_in_the_handshake() -> None:
    with pytest.raises(TransportTimeoutError) as caught:
        await ask(Talk.gone, None, Identity(), deadlines=Deadlines(connect=0.05))
    assert caught.value.phase == "connect"


async def test_client_certificate(authority: Authority, tmp_path: Path) -> None:
    own = authority.ca.issue_cert("client@example.org")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    context = authority.server("a.example")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    identity = Identity(authority.file, str(tmp_path / "client.pem"))
    assert (await ask(repeats(OK), context, identity)).body == b"okok"


async def test_identity_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match=r"missing\.pem cannot be used: No such file"):
        await ask(failing, None, Identity(str(tmp_path / "missing.pem")))
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(ConnectError, match=r"empty\.pem cannot be used"):
        await ask(failing, None, Identity(str(tmp_path / "empty.pem")))


@pytest.mark.parametrize("clean", [True, False])
async def test_body_until_the_close_needs_a_clean_end(authority: Authority, clean: bool) -> None:
    async def script(talk: Talk) -> None:
        await talk.answer(b"HTTP/1.1 200 OK\r\n\r\nhello")
        if clean:
            await talk.say_goodbye()

    asking = ask(script, authority.server("a.example"), Identity(authority.file))
    if clean:
        assert (await asking).body == b"hellohello"
    else:
        with pytest.raises(ConnectionLostError, match="before the end of its body"):
            await asking


def test_system_store_is_read_once() -> None:
    tls = TLS(Identity())
    assert tls.context is tls.context
    assert tls.context.verify_mode == ssl.CERT_REQUIRED
    assert tls.context.check_hostname
