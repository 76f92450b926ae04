"""TLS over memory buffers: no read buffer per connection, and the bytes of one read are passed on as one piece."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from clawmesh.errors import ConnectError

RECORD_BYTES = 16 * 1024  # RFC 8446, 5.1

# Where systems keep their certificates, for an OpenSSL that was built elsewhere and looks in a folder that is not here.
SYSTEM_STORES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


class Identity(Struct, frozen=True):
    """Files, in PEM: authorities to trust besides the system's, and a certificate with its key to show to servers."""

    ca_file: str = ""
    certificate: str = ""
    key: str = ""


class TLS:
    """Opens the client's side of TLS; its settings are read when first needed."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._context: ssl.SSLContext | None = None

    @property
    def context(self) -> ssl.SSLContext:
        """Return the settings of every connection.

        Raises:
            ConnectError: a file of the identity cannot be used.
        """
        if self._context is None:
            self._context = make_context(self._identity)
        return self._context


class Channel(asyncio.Transport, asyncio.Protocol):
    """Stands between a TCP transport and a protocol: a protocol to the one, a transport to the other.

    The peer's certificate and name are verified by OpenSSL, or the system, within the handshake; nothing passes before.
    """

    _tcp: asyncio.Transport

    def __init__(self, context: ssl.SSLContext, host: str, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._protocol = protocol
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open = False
        self._finished = False
        self._error: Exception | None = None

    async def handshake(self) -> None:
        """Wait until the peer is verified.

        Raises:
            OSError: it is not, or it has gone.
        """
        await self._ready

    # A protocol, to TCP

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tcp = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one
        self._shake()

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if not self._open:
            self._shake()
            if not self._open:
                return
        try:
            plain = self._read()
        except ssl.SSLError as error:
            self._fail(error)
            return
        if self._outgoing.pending:
            self._tcp.write(self._outgoing.read())
        if plain:
            self._protocol.data_received(plain)
        if self._finished:
            self._protocol.eof_received()

    def eof_received(self) -> None:
        """Take an end without close_notify: a man on the path can cut a stream, so it is never a clean one."""
        self._fail(ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the connection was cut below TLS"))

    def connection_lost(self, exc: Exception | None) -> None:
        error = self._error or exc
        if self._open:
            self._protocol.connection_lost(error)
        else:
            self._give_up(error or ConnectionResetError("closed during the TLS handshake"))

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    # A transport, to the protocol

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        rest = memoryview(data)
        try:
            while rest:  # one record at a time
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._tcp.write(self._outgoing.read())

    def is_closing(self) -> bool:
        return self._tcp.is_closing()

    def abort(self) -> None:
        self._tcp.abort()

    def pause_reading(self) -> None:
        self._tcp.pause_reading()

    def resume_reading(self) -> None:
        self._tcp.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._tcp.get_extra_info(name, default)

    # Inside

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._tcp.write(self._outgoing.read())
            return
        except ssl.SSLError as error:
            self._tcp.write(self._outgoing.read())  # the alert, so that the peer learns why
            self._fail(error)
            return
        self._tcp.write(self._outgoing.read())
        self._open = True
        self._protocol.connection_made(self)
        if not self._ready.done():
            self._ready.set_result(None)

    def _read(self) -> bytes:
        pieces = []
        while self._incoming.pending or self._tls.pending():
            try:
                piece = self._tls.read(RECORD_BYTES)
            except ssl.SSLWantReadError:
                break
            if not piece:  # close_notify
                self._finished = True
                break
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _fail(self, error: Exception) -> None:
        self._error = error
        if not self._open:
            self._give_up(error)
        self._tcp.close()

    def _give_up(self, error: Exception) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # seen, even if whoever dialled has left before awaiting it


def make_context(identity: Identity) -> ssl.SSLContext:
    """Return settings that verify certificate and host name, TLS 1.2 at least."""
    context = system_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        if identity.ca_file:
            context.load_verify_locations(cafile=identity.ca_file)
        if identity.certificate:
            context.load_cert_chain(identity.certificate, identity.key or None)
    except OSError as error:
        names = ", ".join(name for name in (identity.ca_file, identity.certificate, identity.key) if name)
        raise ConnectError(f"the TLS files {names} cannot be used: {error.strerror or error}") from error
    return context


def system_context() -> ssl.SSLContext:
    """Return settings that trust what the system trusts, else what certifi lists.

    Where the system has an interface for verifying, truststore speaks it. Elsewhere its store is a file, which is
    read here, once, and not by truststore, which reads it again for every connection.
    """
    if sys.platform in ("darwin", "win32"):
        import truststore  # noqa: PLC0415 - start-up time: needed on two systems only

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    defaults = ssl.get_default_verify_paths()
    if defaults.cafile or (defaults.capath and any(Path(defaults.capath).glob("*.0"))):
        context.set_default_verify_paths()
    elif store := next(filter(os.path.isfile, SYSTEM_STORES), None):
        context.load_verify_locations(cafile=store)
    else:
        context.load_verify_locations(cafile=bundled())
    return context


def bundled() -> str:
    """Return the file of the authorities that certifi lists, for a system that has none, such as a bare container."""
    try:
        import certifi  # noqa: PLC0415 - start-up time: few systems have no store
    except ImportError as error:
        raise ConnectError("there are no certificates to trust on this system: name a file of them") from error
    return certifi.where()
