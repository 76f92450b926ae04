"""Turns what a provider says about a failure, in any of its spellings, into one of our errors.

The class follows the HTTP status as the providers' own clients read it; the provider's codes refine it. Texts are
for people and never decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from email.utils import mktime_tz, parsedate_tz
from typing import Any

import msgspec
from msgspec import Struct

from clawmesh.errors import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    ConflictError,
    ContextOverflowError,
    Failure,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    Recourse,
    ServerError,
)
from clawmesh.http.headers import Headers

MESSAGE_CHARACTERS = 2000

STATUSES: Mapping[int, type[BackendError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: QuotaError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
    503: OverloadedError,
    529: OverloadedError,
}

# Codes and types that say more than the status they come with. Sources: the error types of the OpenAI and Anthropic
# clients, and the servers which speak their protocols (vLLM, llama.cpp, DeepSeek, Moonshot).
REFINEMENTS: Mapping[str, type[BackendError]] = {
    "insufficient_quota": QuotaError,
    "billing_hard_limit_reached": QuotaError,
    "billing_not_active": QuotaError,
    "billing_error": QuotaError,
    "contract_spend_limit_reached": QuotaError,
    "enforced_spend_limit_reached": QuotaError,
    "exceeded_current_quota_error": QuotaError,
    "context_length_exceeded": ContextOverflowError,
    "context_window_exceeded": ContextOverflowError,
    "model_context_window_exceeded": ContextOverflowError,
    "exceed_context_size_error": ContextOverflowError,
    "prompt_too_long": ContextOverflowError,
    "overloaded_error": OverloadedError,
    "engine_overloaded_error": OverloadedError,
    "server_is_overloaded": OverloadedError,
    "slow_down": OverloadedError,
    "insufficient_system_resource": OverloadedError,
}

# Codes and types which stand in for a status where there is none: in the middle of a stream, or under 200.
CODES: Mapping[str, type[BackendError]] = {
    "invalid_request_error": BadRequestError,
    "request_too_large": BadRequestError,
    "invalid_prompt": BadRequestError,
    "bio_policy": BadRequestError,
    "misalignment_policy_violation": BadRequestError,
    "image_content_policy_violation": BadRequestError,
    "invalid_image": BadRequestError,
    "invalid_image_format": BadRequestError,
    "invalid_base64_image": BadRequestError,
    "invalid_image_url": BadRequestError,
    "invalid_image_mode": BadRequestError,
    "image_too_large": BadRequestError,
    "image_too_small": BadRequestError,
    "image_parse_error": BadRequestError,
    "image_file_too_large": BadRequestError,
    "image_file_not_found": BadRequestError,
    "unsupported_image_media_type": BadRequestError,
    "empty_image_file": BadRequestError,
    "failed_to_download_image": BadRequestError,
    "authentication_error": AuthenticationError,
    "invalid_api_key": AuthenticationError,
    "permission_error": PermissionDeniedError,
    "not_found_error": NotFoundError,
    "model_not_found": NotFoundError,
    "conflict_error": ConflictError,
    "rate_limit_error": RateLimitError,
    "rate_limit_exceeded": RateLimitError,
    "timeout_error": ServerError,
    "api_error": ServerError,
    "server_error": ServerError,
}


class Fault(Struct, frozen=True):
    """What an error body says. `codes` are the provider's own words, most exact first; `status` is 0 when not said."""

    message: str = ""
    codes: tuple[str, ...] = ()
    status: int = 0
    request_id: str = ""


def parse(body: bytes) -> Fault:
    """Read an error body: JSON in any provider's shape, or text such as a gateway's page."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Fault(" ".join(body[: 4 * MESSAGE_CHARACTERS].decode("utf-8", "replace").split()))
    return read(value)


def read(value: Any) -> Fault:
    """Read a decoded error: the whole body, or the error object inside it."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return Fault(value if isinstance(value, str) else "")
    inner = value.get("error")
    if isinstance(inner, str):
        inner = {"message": inner}
    error = inner if isinstance(inner, dict) else value
    message = error.get("message") or value.get("message") or value.get("detail") or ""
    return Fault(
        message=message if isinstance(message, str) else msgspec.json.encode(message).decode(),
        codes=tuple(_codes(error)),
        status=next((int(number) for number in _numbers(error)), 0),
        request_id=str(value.get("request_id") or ""),
    )


def error(fault: Fault, *, status: int = 0, headers: Headers | None = None, now: float = 0.0) -> BackendError:
    """Return the error for a fault.

    `status` is that of the response, or 0 for a fault inside a 200; `now` is in seconds since 1970 and serves a
    Retry-After that is a date.
    """
    kind = _refined(_kind(status or fault.status), fault.codes) if status else _unstated(fault)
    shown = status or fault.status
    failure = Failure(
        status=shown,
        code=fault.codes[0] if fault.codes else "",
        request_id=_first(headers, "x-request-id", "request-id") or fault.request_id,
        retry_after=retry_after(headers, now) if headers else None,
        recourse=_recourse(kind, shown, headers),
    )
    return kind(_sentence(fault, shown), failure)


def retry_after(headers: Headers, now: float) -> float | None:
    """Return the seconds that the provider asks to wait; source: RFC 9110, section 10.2.3, and `retry-after-ms`."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        seconds = _number(headers.get(name))
        if seconds is not None:
            return seconds / unit
    date = parsedate_tz(headers.get("retry-after") or "")
    return max(0.0, mktime_tz(date) - now) if date else None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _codes(error: Mapping[str, Any]) -> Iterator[str]:
    details = error.get("details")
    exact = details.get("error_code") if isinstance(details, dict) else None
    for value in (exact, error.get("code"), error.get("type")):
        if isinstance(value, str) and value and not value.isdigit():
            yield value


def _numbers(error: Mapping[str, Any]) -> Iterator[int]:
    for name in ("status_code", "status", "code"):
        value = error.get(name)
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:
            yield value


def _kind(status: int) -> type[BackendError]:
    if status in STATUSES:
        return STATUSES[status]
    if status >= 500:
        return ServerError
    # A redirect is not followed with a key in hand: the path in the configuration is the wrong one.
    return BadRequestError if status >= 400 else NotFoundError


def _refined(kind: type[BackendError], codes: tuple[str, ...]) -> type[BackendError]:
    return next((REFINEMENTS[code] for code in codes if code in REFINEMENTS), kind)


def _unstated(fault: Fault) -> type[BackendError]:
    known = next((CODES[code] for code in fault.codes if code in CODES), None)
    return _refined(known or _kind(fault.status or 500), fault.codes)


def _recourse(kind: type[BackendError], status: int, headers: Headers | None) -> Recourse | None:
    wish = _first(headers, "x-should-retry")
    if wish == "true" or (status == 408 and wish != "false"):
        return Recourse.RETRY
    if wish == "false" and kind.default_recourse is Recourse.RETRY:
        return Recourse.FALLBACK
    return None


def _first(headers: Headers | None, *names: str) -> str:
    return next((value for name in names if headers and (value := headers.get(name))), "")


def _sentence(fault: Fault, status: int) -> str:
    said = fault.message[:MESSAGE_CHARACTERS] or "no reason given"
    code = f" ({fault.codes[0]})" if fault.codes and fault.codes[0] not in said else ""
    return f"the provider answered {status}: {said}{code}" if status else f"the provider failed: {said}{code}"
