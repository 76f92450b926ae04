"""Error bodies and headers of providers, and the errors they become."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clawmesh.errors import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    ConflictError,
    ContextOverflowError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    Recourse,
    ServerError,
)
from clawmesh.http.headers import Headers
from clawmesh.provider import fault

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def headers(**values: str) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode()) for name, value in values.items()])


def error_of(body: Any, status: int = 0, **values: str) -> BackendError:
    return fault.error(fault.parse(msgspec.json.encode(body)), status=status, headers=headers(**values), now=NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (307, NotFoundError),
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, QuotaError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, BadRequestError),
        (409, ConflictError),
        (413, BadRequestError),
        (418, BadRequestError),
        (422, BadRequestError),
        (429, RateLimitError),
        (500, ServerError),
        (502, ServerError),
        (503, OverloadedError),
        (504, ServerError),
        (529, OverloadedError),
    ],
)
def test_the_status_decides(status: int, kind: type[BackendError]) -> None:
    error = error_of({"error": {"message": "m", "type": "some_error"}}, status)
    assert type(error) is kind
    assert error.failure.status == status


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "m"}}, QuotaError),
        (429, {"error": {"code": "rate_limit_exceeded", "type": "tokens", "message": "m"}}, RateLimitError),
        (400, {"error": {"code": "context_length_exceeded", "type": "invalid_request_error"}}, ContextOverflowError),
        (400, {"error": {"code": 400, "type": "exceed_context_size_error", "message": "m"}}, ContextOverflowError),
        (402, {"type": "error", "error": {"type": "billing_error", "message": "m"}}, QuotaError),
        (500, {"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, OverloadedError),
        (
            429,
            {"error": {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}}},
            QuotaError,
        ),
    ],
)
def test_the_code_refines_the_status(status: int, body: Any, kind: type[BackendError]) -> None:
    assert type(error_of(body, status)) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, OverloadedError),
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "m"}}, RateLimitError),
        ({"error": {"code": 429, "message": "m"}}, RateLimitError),
        ({"error": {"code": "502", "message": "m"}}, ServerError),
        ({"error": {"status_code": 400, "code": "tool_use_failed", "message": "m"}}, BadRequestError),
        ({"type": "error", "code": "server_error", "message": "m", "param": None}, ServerError),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "m"}, RateLimitError),
        ({"error": {"code": "invalid_prompt", "message": "m"}}, BadRequestError),
        ({"error": {"code": "something_new", "message": "m"}}, ServerError),
        ({"error": "it broke"}, ServerError),
        ([{"error": {"code": 403, "message": "m", "status": "PERMISSION_DENIED"}}], PermissionDeniedError),
    ],
)
def test_inside_a_stream_the_code_decides(body: Any, kind: type[BackendError]) -> None:
    assert type(error_of(body)) is kind


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"error":{"message":"bad","code":"c"}}', "the provider answered 400: bad (c)"),
        (b'{"error":"model not found"}', "the provider answered 400: model not found"),
        (
            b'{"detail":[{"loc":["body"],"msg":"missing"}]}',
            'the provider answered 400: [{"loc":["body"],"msg":"missing"}]',
        ),
        (
            b'{"object":"error","message":"no","type":"BadRequestError"}',
            "the provider answered 400: no (BadRequestError)",
        ),
        (b"<html>\n <h1>Bad\n gateway</h1>", "the provider answered 400: <html> <h1>Bad gateway</h1>"),
        (b"\xff\xfe", "the provider answered 400: \ufffd\ufffd"),
        (b"", "the provider answered 400: no reason given"),
        (b"null", "the provider answered 400: no reason given"),
        (b'{"error":{"message":null}}', "the provider answered 400: no reason given"),
    ],
)
def test_the_message_is_what_the_provider_says(body: bytes, sentence: str) -> None:
    assert str(fault.error(fault.parse(body), status=400)) == sentence


def test_a_message_is_bounded() -> None:
    assert len(str(error_of({"error": {"message": "x" * 1_000_000}}, 500))) < 2100


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
        ({"retry_after_ms": "soon", "retry_after": "9"}, 9.0),
        ({"retry_after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry_after": "Tue, 14 Nov 2023 22:12:50 GMT"}, 0.0),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "later"}, None),
    ],
)
def test_retry_after(values: dict[str, str], seconds: float | None) -> None:
    assert error_of({}, 429, **values).failure.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "wish", "recourse"),
    [
        (429, "", Recourse.RETRY),
        (429, "false", Recourse.FALLBACK),
        (400, "", Recourse.NONE),
        (400, "true", Recourse.RETRY),
        (400, "false", Recourse.NONE),
        (408, "", Recourse.RETRY),
        (408, "false", Recourse.NONE),
        (401, "", Recourse.FALLBACK),
        (500, "maybe", Recourse.RETRY),
    ],
)
def test_the_provider_may_say_whether_to_try_again(status: int, wish: str, recourse: Recourse) -> None:
    assert error_of({}, status, x_should_retry=wish).recourse is recourse


def test_the_request_id_is_kept() -> None:
    assert error_of({}, 500, x_request_id="r1").failure.request_id == "r1"
    assert error_of({}, 500, request_id="r2").failure.request_id == "r2"
    assert error_of({"request_id": "r3"}, 500).failure.request_id == "r3"
