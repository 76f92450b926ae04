"""Where we listen: sockets that are bound before any process is forked, and the names by which we may be called."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from clawmesh.config.model import ApiSettings
from clawmesh.errors import ConfigError, Problem, ResourceError

BACKLOG = 2048
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Listener(Struct, frozen=True):
    """Bound sockets; every worker accepts from the same ones, so that none of their clients is lost with a worker."""

    sockets: Sequence[socket.socket]
    url: str
    hosts: frozenset[str]
    tls: ssl.SSLContext | None


@contextmanager
def open_listener(settings: ApiSettings, port: int | None, config: Path | None) -> Iterator[Listener]:
    """Listen as the `[api]` table says, or at another port.

    Raises:
        ConfigError: the certificate cannot be used, or others could read along.
        ResourceError: the address is not to be had.
    """
    problems = [*_problems(settings, str(config or ""))]
    if problems:
        raise ConfigError(problems)
    tls = _tls(settings, str(config or ""))
    number = settings.port if port is None else port
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in _bound(settings.host, number)]
        bound = sockets[0].getsockname()[1]
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        hosts = {*LOOPBACK, settings.host.lower(), *map(str.lower, settings.hosts)}
        yield Listener(sockets, f"{'https' if tls else 'http'}://{shown}:{bound}", frozenset(hosts), tls)


def unfit(settings: ApiSettings, config: Path | None) -> Sequence[Problem]:
    """Return what would keep us from listening as the table says, as far as that is seen without listening."""
    try:
        if not (found := [*_problems(settings, str(config or ""))]):
            _tls(settings, str(config or ""))
    except ConfigError as error:
        return error.problems
    return found


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can connect to an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _problems(settings: ApiSettings, file: str) -> Iterator[Problem]:
    if (settings.certificate is None) != (settings.key is None):
        yield Problem("certificate and key belong together", file, table="api", key="certificate")
    if not is_loopback(settings.host) and settings.certificate is None and not settings.insecure:
        reason = "others could read tokens and messages on their way: give certificate and key, or say insecure = true"
        yield Problem(f'found "{settings.host}" without TLS; {reason}', file, table="api", key="host")


def _tls(settings: ApiSettings, file: str) -> ssl.SSLContext | None:
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        reason = f"{settings.certificate} and {settings.key} cannot be used: {error.strerror or error}"
        raise ConfigError([Problem(reason, file, table="api", key="certificate")]) from error
    return context


def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket for each address of a host; all have one port."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ResourceError(f"{host} is no address of this machine ([api] host): {error.strerror}") from error
    for family, _, _, _, address in dict.fromkeys(found):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address[0], port, *address[2:]))
            sock.listen(BACKLOG)
            sock.setblocking(False)
        except OSError as error:
            sock.close()
            raise ResourceError(f"cannot listen at {host}:{port} ([api] host and port): {error.strerror}") from error
        port = port or sock.getsockname()[1]
        yield sock
