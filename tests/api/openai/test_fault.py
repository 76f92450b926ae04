"""Errors: by their type, as OpenAI's clients know them; and requests that are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from clawmesh import errors
from clawmesh.api.openai.fault import failure_of, fault_of
from clawmesh.errors import ClawmeshError, Failure
from clawmesh.mesh.envelope import Ending, Outcome
from clawmesh.testing import said
from tests.api.openai.office import WEATHER, office

ALICE = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("error", "status", "code", "again"),
    [
        (errors.UnknownError("x"), 404, "not_found", None),
        (errors.UsageError("x"), 400, None, None),
        (errors.LimitError("x", limit="steps"), 429, "limit_reached", "false"),
        (errors.RefusedError("x"), 403, "refused", None),
        (errors.RingError("x"), 403, "refused", None),
        (errors.FullError("x"), 429, "full", "true"),
        (errors.BusyError("x"), 503, "busy", "true"),
        (errors.ExpiredError("x"), 504, "expired", "false"),
        (errors.StorageError("x"), 503, "storage", "false"),
        (errors.ContextOverflowError("x"), 400, "context_length_exceeded", None),
        (errors.BadRequestError("x"), 400, "backend_refused", None),
        (errors.AuthenticationError("x"), 502, "backend_authentication", "false"),
        (errors.PermissionDeniedError("x"), 502, "backend_permission", "false"),
        (errors.NotFoundError("x"), 502, "backend", "false"),
        (errors.QuotaError("x"), 429, "insufficient_quota", "false"),
        (errors.RateLimitError("x"), 429, "rate_limit_exceeded", None),
        (errors.OverloadedError("x"), 503, "overloaded", None),
        (errors.ServerError("x"), 502, "backend", "false"),
        (errors.ReplyError("x"), 502, "backend", "false"),
        (errors.UnreachableError("x"), 502, "backend", "false"),
        (errors.ToolError("x"), 500, "failed", "false"),
        (errors.FailedError("x"), 500, "failed", "false"),
    ],
)
def test_an_error_has_its_status(error: ClawmeshError, status: int, code: str | None, again: str | None) -> None:
    fault = fault_of(error)
    headers = dict(fault.headers)
    assert (fault.status, fault.code) == (status, code)
    assert headers.get(b"x-should-retry", b"").decode() == (again or "")
    assert fault.message


def test_a_provider_says_when_to_come_again_and_nothing_of_keys() -> None:
    assert dict(fault_of(errors.RateLimitError("x", Failure(retry_after=2.2))).headers)[b"retry-after"] == b"3"
    assert dict(fault_of(errors.BusyError("x")).headers)[b"retry-after"] == b"1"
    assert "sk-" not in fault_of(errors.AuthenticationError("wrong key sk-12")).message


def test_what_never_came_to_an_answer_may_come_again_later() -> None:
    fault = failure_of(Outcome(Ending.DEAD, error=errors.FailedError("the mesh was closed")))
    assert fault is not None
    assert fault.status == 503


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 1}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [ALICE, {"role": "assistant", "content": "x"}]}, "messages"),
        ({"messages": [ALICE, {"role": "tool", "tool_call_id": "x", "content": "x"}]}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "owner", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "x"}]}]}, "messages[0].tool_calls[0].function"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tools": [WEATHER, WEATHER]}, "tools[1].function.name"),
        ({"tools": [WEATHER] * 129}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice.type"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"stop": ["1", "2", "3", "4", "5"]}, "stop"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"functions": [{"name": "x"}]}, "functions"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
    ],
)
async def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    async with office([said("x")]) as place:
        answer = await place.call("/v1/chat/completions", {"model": "helper", "messages": [ALICE], **fields})
        error = answer.json["error"]
        assert (answer.status, error["type"], error["param"]) == (400, "invalid_request_error", param)
        assert error["message"]


@pytest.mark.anyio
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"messages":' + b"[" * 9999])
async def test_what_is_no_object_is_refused(body: bytes) -> None:
    async with office() as place:
        answer = await place.call("/v1/chat/completions", body)
        assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "url",
    ["http://x.test/a.png", "data:text/html;base64,AAAA", "data:image/png,AAAA", "data:image/png;base64,?", "/a.png"],
)
async def test_images_are_by_value_or_over_https(url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    async with office() as place:
        answer = await place.chat([{"role": "user", "content": [part]}])
        assert (answer.status, answer.json["error"]["param"]) == (400, "messages[0].content[0].image_url.url")


@pytest.mark.anyio
async def test_names_of_sessions_and_keys_are_checked() -> None:
    async with office() as place:
        assert (await place.chat(model="helper/a b")).json["error"]["param"] == "model"
        assert (await place.chat(headers={"X-Clawmesh-Session": "a/b"})).status == 400
        assert (await place.chat(model="helper/a", headers={"X-Clawmesh-Session": "b"})).status == 400
        assert (await place.chat(headers={"Idempotency-Key": "k" * 256})).status == 400


@pytest.mark.anyio
async def test_a_mesh_that_is_closed_lets_nothing_in() -> None:
    async with office([said("x")]) as place:
        place.engine.gate.hold("test", "the mesh rests")
        for stream in (False, True):
            answer = await place.chat(stream=stream)
            assert (answer.status, answer.json["error"]["message"]) == (503, "the mesh rests")
            assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("1", "true")


@pytest.mark.anyio
async def test_tools_and_forms_that_cannot_be_are_told_by_the_turn() -> None:
    async with office() as place:
        schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "strange"}}}
        answer = await place.chat(response_format=schema)
        assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
