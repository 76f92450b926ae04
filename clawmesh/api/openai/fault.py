"""What went wrong, as OpenAI's API says it: a status, and a body with message, type, param and code.

Source: OpenAI API reference, "Error codes" and "The error object". What a client may send again follows the official
SDKs, which try 408, 409, 429 and 5xx again unless `x-should-retry` says otherwise.
"""

from __future__ import annotations

from math import ceil

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from clawmesh import errors
from clawmesh.errors import BackendError, ClawmeshError
from clawmesh.mesh.envelope import Ending, Outcome

INVALID, SERVER, LIMIT = "invalid_request_error", "server_error", "rate_limit_error"
# Seconds after which those may come again whom there was no room for.
PAUSE = 1.0

encode = msgspec.json.Encoder().encode


class Fault(Struct, frozen=True, kw_only=True):
    """One error. `again` tells whether the same request may be sent again; None leaves it to the client."""

    status: int
    message: str
    type: str = INVALID
    param: str | None = None
    code: str | None = None
    retry_after: float | None = None
    again: bool | None = None

    @property
    def body(self) -> bytes:
        return encode(Body(Detail(self.message, self.type, self.param, self.code)))

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        headers = []
        if self.retry_after is not None:
            headers.append((b"retry-after", b"%d" % max(1, ceil(self.retry_after))))
        if self.again is not None:
            headers.append((b"x-should-retry", b"true" if self.again else b"false"))
        return headers


class Detail(Struct, frozen=True):
    """The error object itself."""

    message: str
    type: str
    param: str | None
    code: str | None


class Body(Struct, frozen=True):
    """An answer that is an error, and the event that ends a stream of chunks."""

    error: Detail


class Rejection(Exception):
    """The request is not passed on; `fault` is what its sender hears."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def invalid(message: str, param: str | None = None, code: str | None = None) -> Rejection:
    """Return what there is to raise for a request that is wrong."""
    return Rejection(Fault(status=400, message=message, param=param, code=code))


# The first that an error is one of. A turn that ran is not to be run again by itself: it is paid for, and its tools may
# have done what must not be done twice. What was not let in may come again, and where a provider has no room at present
# the client decides.
FAULTS: tuple[tuple[type[ClawmeshError], Fault], ...] = (
    (errors.UnknownError, Fault(status=404, message="", code="not_found")),
    (errors.UsageError, Fault(status=400, message="")),
    (errors.LimitError, Fault(status=429, message="", type=LIMIT, code="limit_reached", again=False)),
    (errors.RefusedError, Fault(status=403, message="", type="permission_error", code="refused")),
    (errors.FullError, Fault(status=429, message="", type=LIMIT, code="full", retry_after=PAUSE, again=True)),
    (errors.BusyError, Fault(status=503, message="", type=SERVER, code="busy", retry_after=PAUSE, again=True)),
    (errors.ExpiredError, Fault(status=504, message="", type=SERVER, code="expired", again=False)),
    (
        errors.StorageError,
        Fault(
            status=503,
            message="the mesh cannot write its journal at present",
            type=SERVER,
            code="storage",
            retry_after=PAUSE,
            again=False,
        ),
    ),
    (errors.ContextOverflowError, Fault(status=400, message="", code="context_length_exceeded")),
    (errors.BadRequestError, Fault(status=400, message="", code="backend_refused")),
    # A provider's words about a key may hold some of it.
    (
        errors.AuthenticationError,
        Fault(
            status=502,
            message="the agent's backend does not accept its key",
            type=SERVER,
            code="backend_authentication",
            again=False,
        ),
    ),
    (
        errors.PermissionDeniedError,
        Fault(
            status=502,
            message="the agent's backend does not allow this to its key",
            type=SERVER,
            code="backend_permission",
            again=False,
        ),
    ),
    (
        errors.QuotaError,
        Fault(status=429, message="", type="insufficient_quota", code="insufficient_quota", again=False),
    ),
    (errors.RateLimitError, Fault(status=429, message="", type=LIMIT, code="rate_limit_exceeded", retry_after=PAUSE)),
    (errors.OverloadedError, Fault(status=503, message="", type=SERVER, code="overloaded", retry_after=PAUSE)),
    (errors.BackendError, Fault(status=502, message="", type=SERVER, code="backend", again=False)),
    (errors.ClawmeshError, Fault(status=500, message="", type=SERVER, code="failed", again=False)),
)


def fault_of(error: ClawmeshError) -> Fault:
    """Return what the caller hears of an error."""
    fault = next(fault for kind, fault in FAULTS if isinstance(error, kind))
    if isinstance(error, BackendError) and error.failure.retry_after is not None and fault.retry_after is not None:
        fault = replace(fault, retry_after=error.failure.retry_after)
    return fault if fault.message else replace(fault, message=str(error) or type(error).__name__)


def failure_of(outcome: Outcome) -> Fault | None:
    """Return what the caller hears of an outcome that is no answer."""
    if outcome.message is not None:
        return None
    error = outcome.error or errors.FailedError(f"the message is {outcome.ending}")
    if outcome.ending is Ending.DEAD and isinstance(error, errors.FailedError):
        return Fault(status=503, message=str(error), type=SERVER, code="dead", again=False)
    return fault_of(error)
