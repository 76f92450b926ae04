"""The tool `http_get`: reads text from the web, and nothing from this machine or its private network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from typing import Annotated, Any

from msgspec import Meta

from clawmesh import Context, Effect, ToolSpec
from clawmesh.config.mark import Duration

PARAMETERS = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "description": "the whole address, beginning with https:// or http://"},
        "raw": {"type": "boolean", "default": False, "description": "give HTML as it is, and not only its text"},
    },
    "required": ["url"],
    "additionalProperties": False,
}


class HttpGet:
    """Read a web page.

    allow: hosts that may be read, such as "*.example.com"; without it every public one
    deny: hosts that may not be read
    ports: ports that may be reached
    networks: private networks that may be read, too, such as "10.2.0.0/16"; "127.0.0.0/8" is this machine
    max_bytes: how much of a page is read
    timeout: how long it may take, redirects included
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        deny: Sequence[str] = (),
        ports: Sequence[int] = (80, 443),
        networks: Sequence[str] = (),
        max_bytes: Annotated[int, Meta(ge=1, le=16 << 20)] = 1 << 20,
        timeout: Duration = 30.0,
    ) -> None:
        # Here, not above: what HTTP and HTML take to load is paid where an agent has the tool.
        from clawmesh.http.egress import EgressPolicy  # noqa: PLC0415
        from clawmesh.http.fetch import Reach  # noqa: PLC0415

        from .web import Web  # noqa: PLC0415

        for network in networks:
            ip_network(network)  # raises ValueError, which says what is wrong
        policy = EgressPolicy(networks=tuple(networks), allow=tuple(allow), deny=tuple(deny), ports=tuple(ports))
        self._web = Web(policy, Reach(body_bytes=max_bytes, seconds=timeout))
        self.spec = ToolSpec(
            "http_get", "Read a web page or another text at a URL; follows redirects.", PARAMETERS, Effect.PURE
        )

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> str:
        """Return status, type and text; raises ToolError where there is no text, TransportError where nothing came."""
        return await self._web.read(arguments["url"], raw=arguments.get("raw", False))


def register_tools() -> Mapping[str, Callable[..., Any]]:
    """Offer the tool `http_get`."""
    return {"http_get": HttpGet}


EXAMPLES = [
    {"tool": "http_get", "arguments": {"url": "http://127.0.0.1/"}, "error": "not on the public internet"},
    {"tool": "http_get", "arguments": {"url": "http://0x7f.1:80/"}, "error": "not on the public internet"},
    {"tool": "http_get", "arguments": {"url": "file:///etc/passwd"}, "error": "http"},
    {
        "tool": "http_get",
        "arguments": {"url": "https://example.org/"},
        "config": {"allow": ["*.example.com"]},
        "error": "none of those allowed",
    },
]
