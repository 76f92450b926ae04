"""What went wrong, in the protocol's words: one error for both bindings, told by its type.

Source: A2A specification 1.0, sections 3.3.2, 5.4 "Error Code Mappings", 9.5 and 11.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from clawmesh import errors
from clawmesh.errors import ClawmeshError

DOMAIN = "a2a-protocol.org"
INFO = "type.googleapis.com/google.rpc.ErrorInfo"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


class Kind(Struct, frozen=True):
    """A type of error: its name in the details, its code in JSON-RPC, its status in HTTP and in gRPC's words."""

    reason: str
    code: int
    status: int
    word: str


TASK_NOT_FOUND = Kind("TASK_NOT_FOUND", -32001, 404, "NOT_FOUND")
TASK_NOT_CANCELABLE = Kind("TASK_NOT_CANCELABLE", -32002, 400, "FAILED_PRECONDITION")
UNSUPPORTED_OPERATION = Kind("UNSUPPORTED_OPERATION", -32004, 400, "FAILED_PRECONDITION")
CONTENT_TYPE_NOT_SUPPORTED = Kind("CONTENT_TYPE_NOT_SUPPORTED", -32005, 400, "INVALID_ARGUMENT")
VERSION_NOT_SUPPORTED = Kind("VERSION_NOT_SUPPORTED", -32009, 400, "FAILED_PRECONDITION")
PARSE_ERROR = Kind("JSON_PARSE_ERROR", -32700, 400, "INVALID_ARGUMENT")
INVALID_REQUEST = Kind("INVALID_REQUEST", -32600, 400, "INVALID_ARGUMENT")
METHOD_NOT_FOUND = Kind("METHOD_NOT_FOUND", -32601, 404, "NOT_FOUND")
INVALID_PARAMS = Kind("INVALID_PARAMS", -32602, 400, "INVALID_ARGUMENT")
INTERNAL = Kind("INTERNAL_ERROR", -32603, 500, "INTERNAL")
# Codes from -32000 on are a server's own (JSON-RPC 2.0, section 5.1), those from -32001 on are A2A's.
PERMISSION_DENIED = Kind("PERMISSION_DENIED", -32000, 403, "PERMISSION_DENIED")
UNAVAILABLE = Kind("UNAVAILABLE", -32603, 503, "UNAVAILABLE")
EXHAUSTED = Kind("RESOURCE_EXHAUSTED", -32603, 429, "RESOURCE_EXHAUSTED")

# The nearest ancestor of an error's type counts.
KINDS: Mapping[type[BaseException], Kind] = {
    errors.UsageError: INVALID_PARAMS,
    errors.RefusedError: PERMISSION_DENIED,
    errors.FullError: EXHAUSTED,
    errors.BusyError: UNAVAILABLE,
    errors.StorageError: UNAVAILABLE,
    errors.JointError: UNAVAILABLE,
    errors.URLError: INVALID_PARAMS,
    errors.EgressError: INVALID_PARAMS,
    ClawmeshError: INTERNAL,
}


class A2aError(ClawmeshError):
    """A request that is answered with an error of this kind; `field` is the one at fault, `facts` say more."""

    def __init__(self, kind: Kind, message: str, *, field: str = "", facts: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.field = field
        self.facts = facts or {}


def task_not_found(id: str) -> A2aError:
    """Return the error that does not tell whether a task is not there or somebody else's (section 3.3.2)."""
    return A2aError(TASK_NOT_FOUND, f'there is no task "{id}"', facts={"taskId": id})


def kind_of(error: ClawmeshError) -> Kind:
    """Return which kind of the protocol's errors an error is."""
    if isinstance(error, A2aError):
        return error.kind
    return next(KINDS[kind] for kind in type(error).__mro__ if kind in KINDS)


def details_of(error: ClawmeshError) -> list[dict[str, Any]]:
    """Return the objects that say more, each with its type."""
    field, facts = (error.field, error.facts) if isinstance(error, A2aError) else ("", {})
    details: list[dict[str, Any]] = [
        {"@type": INFO, "reason": kind_of(error).reason, "domain": DOMAIN, "metadata": facts}
    ]
    if field:
        details.append({"@type": BAD_REQUEST, "fieldViolations": [{"field": field, "description": str(error)}]})
    return details


def rpc_error(error: ClawmeshError) -> dict[str, Any]:
    """Return an error as JSON-RPC has it (section 9.5)."""
    return {"code": kind_of(error).code, "message": str(error), "data": details_of(error)}


def http_error(error: ClawmeshError) -> dict[str, Any]:
    """Return the body that says an error over HTTP, in the form of google.rpc.Status (section 11.6)."""
    kind = kind_of(error)
    status = {"code": kind.status, "status": kind.word, "message": str(error), "details": details_of(error)}
    return {"error": status}
