"""What went wrong, as JSON-RPC says it.

Source: JSON-RPC 2.0, section 5.1; MCP 2026-07-28, "Base Protocol", section "Error Codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawmesh.errors import ClawmeshError, UnknownError, UsageError

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
RESOURCE_NOT_FOUND = -32002
"""Up to 2025-11-25; later it is INVALID_PARAMS."""
HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022
FORBIDDEN = 403
"""Our own: codes that the specification does not define lie outside of what JSON-RPC reserves."""

# What HTTP says since 2026-07-28 ("Streamable HTTP", sections "Request Metadata" and "Server Validation"); for the rest
# the error's body is all that is said.
STATUSES = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
    FORBIDDEN: 403,
}


class RpcError(ClawmeshError):
    """A request that is answered with this error."""

    def __init__(self, code: int, message: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data

    @classmethod
    def of(cls, error: ClawmeshError) -> RpcError:
        """Return what an error of the mesh is to a client."""
        if isinstance(error, RpcError):
            return error
        return cls(INVALID_PARAMS if isinstance(error, UsageError) else INTERNAL_ERROR, str(error))

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": str(self), **({"data": self.data} if self.data is not None else {})}


class StatusError(ClawmeshError):
    """A request that is answered with a status of HTTP; no JSON-RPC message is to blame."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class AbsentError(UnknownError):
    """There is no such resource, or it is somebody else's; `uri` is what was asked for."""

    def __init__(self, uri: str) -> None:
        super().__init__("there is no such resource")
        self.uri = uri


def kind_of(error: ClawmeshError) -> str:
    """Return what programs tell an error by: its type without "Error", in small letters."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name).lstrip("_")
