"""What went wrong, as HTTP says it: one body for all doors, a status by the error's type."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

from clawmesh import errors
from clawmesh.errors import ClawmeshError, ConfigError
from clawmesh.server.request import Send

JSON = b"application/json"
RETRY_SECONDS = 1

# The nearest ancestor of an error's type counts.
STATUSES: dict[type[BaseException], int] = {
    errors.UsageError: 400,
    errors.UnknownError: 404,
    errors.ConfigError: 422,
    errors.RefusedError: 403,
    errors.FullError: 429,
    errors.BusyError: 503,
    errors.ExpiredError: 504,
    errors.StorageError: 503,
    errors.JointError: 503,
    errors.BackendError: 502,
    errors.ContextOverflowError: 400,
    errors.BadRequestError: 400,
    errors.RateLimitError: 429,
    errors.QuotaError: 429,
    errors.FailedError: 502,
    ClawmeshError: 500,
}
WORTH_ANOTHER_TRY = frozenset({429, 503})


class Detail(Struct, frozen=True):
    """`type` is the error's kind in a word, `code` the status that was answered with, `param` the field at fault."""

    message: str
    type: str
    code: int
    param: str | None = None


class Body(Struct, frozen=True, omit_defaults=True):
    """The body of every answer that is an error; `problems` are those of a configuration."""

    error: Detail
    problems: Sequence[errors.Problem] = ()


class ApiError(ClawmeshError):
    """A request that is answered with this status."""

    def __init__(self, status: int, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param


def status_of(error: ClawmeshError) -> int:
    """Return the status for an error."""
    if isinstance(error, ApiError):
        return error.status
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def kind_of(error: ClawmeshError, status: int) -> str:
    """Return what programs tell an error by: its type without "Error", or the status in words."""
    if isinstance(error, ApiError):
        return HTTPStatus(status).name.lower()
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name).lstrip("_")


def body_of(error: ClawmeshError) -> Body:
    """Return the body that says an error."""
    status = status_of(error)
    param = error.param if isinstance(error, ApiError) else None
    problems = error.problems if isinstance(error, ConfigError) else ()
    return Body(Detail(str(error), kind_of(error, status), status, param), problems)


async def say(error: ClawmeshError, send: Send) -> None:
    """Answer a request with an error."""
    status = status_of(error)
    headers = [(b"retry-after", b"%d" % RETRY_SECONDS)] if status in WORTH_ANOTHER_TRY else []
    await answer(send, body_of(error), status=status, headers=headers)


async def answer(
    send: Send, value: Any, *, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = (), media: bytes = JSON
) -> None:
    """Answer a request with a value as JSON, or with bytes as they are."""
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    length = (b"content-length", b"%d" % len(body))
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-type", media), length, *headers]}
    )
    await send({"type": "http.response.body", "body": body})
