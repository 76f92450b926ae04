"""Agents as models, and what is not offered."""

from __future__ import annotations

import pytest

from tests.api.openai.office import GUEST, agent, office

pytestmark = pytest.mark.anyio


async def test_agents_are_models() -> None:
    async with office([], agent(), agent("other")) as place:
        answer = await place.call("/v1/models", method="GET")
        assert answer.json["object"] == "list"
        assert [model["id"] for model in answer.json["data"]] == ["helper", "other"]
        one = (await place.call("/v1/models/other", method="GET")).json
        assert one == {"id": "other", "created": one["created"], "object": "model", "owned_by": "clawmesh"}


async def test_a_caller_sees_the_agents_of_its_token() -> None:
    async with office([], agent(), agent("other")) as place:
        answer = await place.call("/v1/models", method="GET", token=GUEST)
        assert [model["id"] for model in answer.json["data"]] == ["helper"]
        hidden = await place.call("/v1/models/other", method="GET", token=GUEST)
        assert (hidden.status, hidden.json["error"]["code"]) == (404, "model_not_found")


async def test_a_wrong_name_brings_the_right_one() -> None:
    async with office() as place:
        answer = await place.call("/v1/models/helpr", method="GET")
        assert answer.status == 404
        assert answer.json["error"] == {
            "message": 'there is no model "helpr"; did you mean "helper"?',
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }


async def test_embeddings_are_not_offered() -> None:
    async with office() as place:
        answer = await place.call("/v1/embeddings", {"model": "helper", "input": "x"})
        assert (answer.status, answer.json["error"]["code"]) == (400, "unsupported")
