"""The revisions of the protocol, and which of them a message is written in.

Sources: MCP 2026-07-28, "Versioning and Compatibility", section "Backward Compatibility with Initialization-Based
Versions"; "Streamable HTTP", sections "Request Metadata" and "Server Validation".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from clawmesh.mcp.fault import HEADER_MISMATCH, INVALID_PARAMS, UNSUPPORTED_VERSION, RpcError
from clawmesh.mcp.frame import Id, Request

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18")
"""Those that begin with a handshake, the newest first."""
SUPPORTED = (MODERN, *LEGACY)

PREFIX = "io.modelcontextprotocol/"
SERVER_INFO = f"{PREFIX}serverInfo"
SUBSCRIPTION = f"{PREFIX}subscriptionId"
VERSION_HEADER = b"mcp-protocol-version"
METHOD_HEADER = b"mcp-method"
NAME_HEADER = b"mcp-name"
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
ENCODED, END = "=?base64?", "?="


class Meta(Struct, frozen=True):
    """What a request says about itself."""

    progress: Id | None = field(name="progressToken", default=None)
    version: Any = field(name=f"{PREFIX}protocolVersion", default=UNSET)
    capabilities: Any = field(name=f"{PREFIX}clientCapabilities", default=UNSET)


class Params(Struct, frozen=True):
    """What all parameters may hold, and what headers repeat of them."""

    meta: Meta = field(name="_meta", default=Meta())
    name: Any = UNSET
    uri: Any = UNSET


def is_modern(request: Request, params: Params, named: str) -> bool:
    """Whether a message speaks for itself, by its own words or the version that its header names."""
    if params.meta.version is not UNSET:
        return True
    return request.method != "initialize" and named != "" and named not in LEGACY


def check_modern(request: Request, params: Params, header: Callable[[bytes], str]) -> None:
    """Hold a request against what every one has to say, and against its headers.

    Raises:
        RpcError: it leaves something out, contradicts its headers, or is of a revision that is not spoken here.
    """
    version, capabilities = params.meta.version, params.meta.capabilities
    if not (isinstance(version, str) and isinstance(capabilities, dict)):
        wanted = f"{PREFIX}protocolVersion and {PREFIX}clientCapabilities"
        raise RpcError(INVALID_PARAMS, f"every request says {wanted} in its _meta")
    _check(header, VERSION_HEADER, version)
    _check(header, METHOD_HEADER, request.method)
    if (key := NAMED_BY.get(request.method)) is not None:
        value = params.name if key == "name" else params.uri
        if isinstance(value, UnsetType) or not isinstance(value, str):
            raise RpcError(INVALID_PARAMS, f'found no "{key}"')
        _check(header, NAME_HEADER, value)
    if version != MODERN:
        data = {"supported": SUPPORTED, "requested": version}
        raise RpcError(UNSUPPORTED_VERSION, "this revision of the protocol is not spoken here", data)


def _check(header: Callable[[bytes], str], name: bytes, value: str) -> None:
    if _decoded(header(name)) != value:
        raise RpcError(HEADER_MISMATCH, f"the header {name.decode()} does not say what the body says")


def _decoded(text: str) -> str | None:
    """Read a header's value, which may be in base64 ("Streamable HTTP", section "Value Encoding")."""
    if not (text.startswith(ENCODED) and text.endswith(END)):
        return text
    try:
        return base64.b64decode(text[len(ENCODED) : -len(END)], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
