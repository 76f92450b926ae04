"""Requests that go through a proxy: over httpx's own transport, which knows how."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import anyio
import httpx2

from clawmesh.errors import (
    ConnectError,
    ConnectionLostError,
    FramingError,
    OversizeError,
    TransportError,
    TransportTimeoutError,
    URLError,
)
from clawmesh.http.exchange import Sink
from clawmesh.http.headers import Headers
from clawmesh.http.limits import Bounds, Deadlines
from clawmesh.http.target import Target
from clawmesh.http.tls import TLS


class Detour:
    """One proxy, and the connections through it."""

    def __init__(self, proxy: str, tls: TLS, bounds: Bounds) -> None:
        self._bounds = bounds
        limits = httpx2.Limits(
            max_connections=bounds.per_origin,
            max_keepalive_connections=None,
            keepalive_expiry=bounds.idle_seconds,
        )
        self._transport = httpx2.AsyncHTTPTransport(
            verify=tls.context, trust_env=False, limits=limits, proxy=checked(proxy)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request of httpx."""
        return await self._transport.handle_async_request(request)

    async def exchange(
        self, target: Target, body: bytes, sink: Sink, deadlines: Deadlines, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        """Do what `Transport.exchange` does.

        Raises:
            TransportError: by type.
            Exception: whatever `sink` raised.
        """
        # httpx reads the timeouts anew when it begins to read the body, so that "read" can mean two things in turn.
        timeout = {
            "pool": deadlines.wait,
            "connect": deadlines.connect,
            "write": deadlines.head,
            "read": deadlines.head,
        }
        request = httpx2.Request(
            target.method,
            target.url,
            headers=[*target.fields, *headers],
            content=body,
            extensions={"timeout": timeout},
        )
        with anyio.move_on_after(deadlines.total) as scope:
            async with self._sent(request) as response:
                timeout["read"] = deadlines.silence
                await self._pump(response, sink)
        if scope.cancelled_caught:
            raise TransportTimeoutError(f"the exchange took longer than {deadlines.total:g} s in all", phase="total")

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    @asynccontextmanager
    async def _sent(self, request: httpx2.Request) -> AsyncIterator[httpx2.Response]:
        with translated("head"):
            response = await self._transport.handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def _pump(self, response: httpx2.Response, sink: Sink) -> None:
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        sink.head(response.status_code, Headers(response.headers.raw))
        received = 0
        with translated("silence"):
            async for data in response.stream:
                received += len(data)
                if received > self._bounds.body_bytes:
                    raise OversizeError(f"the body is larger than {self._bounds.body_bytes} bytes")
                sink.feed(data)


def checked(proxy: str) -> httpx2.Proxy:
    """Return the proxy as httpx wants it.

    Raises:
        URLError: `proxy` is not the URL of an HTTP proxy; what it holds may be secret and is not named.
    """
    try:
        url = httpx2.URL(proxy)
    except httpx2.InvalidURL:
        raise URLError("the proxy's URL cannot be read: expected http://host:port") from None  # it shows the URL
    if url.scheme not in ("http", "https") or not url.host:
        raise URLError(f"a proxy must be named as http://host:port, not with {url.scheme or 'no'}://")
    return httpx2.Proxy(url)


@contextmanager
def translated(phase: str) -> Iterator[None]:
    """Turn the errors of httpx into ours; `phase` names the deadline that a read can miss."""
    try:
        yield
    except httpx2.PoolTimeout as error:
        raise TransportTimeoutError("no connection became free in time", phase="wait") from error
    except httpx2.ConnectTimeout as error:
        raise TransportTimeoutError("no connection in time", phase="connect") from error
    except httpx2.TimeoutException as error:
        raise TransportTimeoutError(f"nothing arrived in time ({phase})", phase=phase) from error
    except (httpx2.ConnectError, httpx2.ProxyError) as error:
        raise ConnectError(f"no connection through the proxy: {error}") from error
    except httpx2.NetworkError as error:
        raise ConnectionLostError(f"the connection was lost: {error}") from error
    except httpx2.ProtocolError as error:
        raise FramingError(f"the response is not whole or not HTTP/1.1: {error}") from error
    except httpx2.TransportError as error:
        raise TransportError(str(error)) from error
