"""Both bindings on the wire: shapes, names, errors and who may see what."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.a2a.house import events, house, message, rpc

pytestmark = pytest.mark.anyio
VERSION = {"a2a-version": "1.0"}


async def test_a_message_becomes_a_task_with_the_answer_as_its_artifact(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        told = await rpc(client, "teller", "SendMessage", message("6 by 7?", contextId="s1"))
        task = told["result"]["task"]
        assert (task["contextId"], task["status"]["state"]) == ("s1", "TASK_STATE_COMPLETED")
        assert task["artifacts"][0]["parts"] == [{"text": "It is **42**.", "mediaType": "text/plain"}]
        assert task["history"][0]["messageId"] == "m1"
        again = (await rpc(client, "teller", "GetTask", {"id": task["id"]}))["result"]
        assert again["status"]["state"] == task["status"]["state"]
        assert (again["artifacts"], again["history"]) == (task["artifacts"], task["history"])
        answer = await client.get(f"/a2a/teller/tasks/{task['id']}?historyLength=0", headers=VERSION)
        assert answer.headers["content-type"] == "application/a2a+json"
        assert "history" not in answer.json()
        answer = await client.get(f"/a2a/teller/tasks/{task['id']}", headers=VERSION)
        assert answer.json() == again
        # It is a message of the mesh like any other.
        found = (await client.get(f"/api/messages/{task['id']}")).json()["message"]
        assert (found["to"], found["state"]) == ("teller/s1", "answered")


async def test_a_conversation_goes_on_in_its_context(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        first = (await rpc(client, "echo", "SendMessage", message("one")))["result"]["task"]
        again = (await rpc(client, "echo", "SendMessage", message("one")))["result"]["task"]
        assert (again["id"], again["contextId"]) == (first["id"], first["contextId"])
        context = {"contextId": first["contextId"]}
        second = (await rpc(client, "echo", "SendMessage", message("two", "m2", **context)))["result"]["task"]
        assert second["contextId"] == first["contextId"]
        told = (await rpc(client, "echo", "GetTask", {"id": second["id"]}))["result"]["history"]
        assert [(each["role"], each["taskId"]) for each in told] == [
            ("ROLE_USER", first["id"]),
            ("ROLE_AGENT", first["id"]),
            ("ROLE_USER", second["id"]),
        ]
        more = message("three", "m3", taskId=second["id"])
        assert (await rpc(client, "echo", "SendMessage", more))["error"]["code"] == -32004
        more = message("three", "m3", taskId=second["id"], contextId="other")
        assert (await rpc(client, "echo", "SendMessage", more))["error"]["code"] == -32602
        more = message("three", "m3", taskId="env_none")
        assert (await rpc(client, "echo", "SendMessage", more))["error"]["code"] == -32001


async def test_an_answer_comes_in_pieces_over_both_bindings(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin"), **VERSION) as client:
        body = {"jsonrpc": "2.0", "id": "a", "method": "SendStreamingMessage", "params": message("6 by 7?")}
        async with client.stream("POST", "/a2a/teller", json=body) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            wrapped = [value async for _, value in events(answer)]
        async with client.stream("POST", "/a2a/teller/message:stream", json=message("6 by 7?", "m2")) as answer:
            bare = [value async for _, value in events(answer)]
    assert {(each["jsonrpc"], each["id"]) for each in wrapped} == {("2.0", "a")}
    for told in ([each["result"] for each in wrapped], bare):
        assert all(len(each) == 1 for each in told)
        assert told[0]["task"]["status"]["state"] in ("TASK_STATE_SUBMITTED", "TASK_STATE_WORKING")
        assert told[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
        pieces = [each["artifactUpdate"] for each in told if "artifactUpdate" in each]
        said = ""
        for piece in pieces:
            text = piece["artifact"]["parts"][0]["text"]
            said = said + text if piece.get("append") else text
        assert said == "It is **42**."
        assert pieces[-1]["lastChunk"] is True
        assert "think" not in str(told)


async def test_a_failure_is_a_state_and_not_an_error(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        task = (await rpc(client, "busy", "SendMessage", message("hi")))["result"]["task"]
        assert task["status"]["state"] == "TASK_STATE_FAILED"
        assert task["status"]["message"]["role"] == "ROLE_AGENT"
        assert "artifacts" not in task
        late = {**message("hi"), "metadata": {"clawmesh/seconds": 0.2}}
        task = (await rpc(client, "slow", "SendMessage", late))["result"]["task"]
        assert task["status"]["state"] == "TASK_STATE_FAILED"
        late = {**message("hi"), "metadata": {"clawmesh/seconds": "soon"}}
        assert (await rpc(client, "slow", "SendMessage", late))["error"]["code"] == -32602


async def test_a_task_is_cancelled_and_others_hear_of_it(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin"), **VERSION) as client:
        wish = {**message("hi"), "configuration": {"returnImmediately": True}}
        task = (await client.post("/a2a/slow/message:send", json=wish)).json()["task"]
        assert task["status"]["state"] in ("TASK_STATE_SUBMITTED", "TASK_STATE_WORKING")
        async with client.stream("POST", f"/a2a/slow/tasks/{task['id']}:subscribe") as answer:
            told = events(answer)
            assert (await anext(told))[1]["task"]["status"]["state"] == "TASK_STATE_WORKING"
            cancelled = await client.post(f"/a2a/slow/tasks/{task['id']}:cancel", json={})
            assert cancelled.json()["status"]["state"] == "TASK_STATE_CANCELED"
            last = [value async for _, value in told][-1]
        assert last["statusUpdate"]["status"]["state"] == "TASK_STATE_CANCELED"
        assert home.node.app.engine.under_way == 0
        again = await client.post(f"/a2a/slow/tasks/{task['id']}:cancel", json={})
        assert (again.status_code, again.json()["error"]["details"][0]["reason"]) == (400, "TASK_NOT_CANCELABLE")
        gone = await client.get(f"/a2a/slow/tasks/{task['id']}:subscribe")
        assert (gone.status_code, gone.json()["error"]["details"][0]["reason"]) == (400, "UNSUPPORTED_OPERATION")
        # It was wanted so: nobody need look at it again.
        assert (await client.get("/api/dead")).json() == {"letters": []}
        assert home.warnings == []


async def test_one_who_leaves_a_stream_leaves_the_task_be(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin"), **VERSION) as client:
        async with client.stream("POST", "/a2a/slow/message:stream", json=message("hi")) as answer:
            task = (await anext(events(answer)))[1]["task"]
        told = (await client.get(f"/a2a/slow/tasks/{task['id']}")).json()
        assert told["status"]["state"] == "TASK_STATE_WORKING"
        assert home.node.app.engine.under_way == 1
        await client.post(f"/a2a/slow/tasks/{task['id']}:cancel", json={})


async def test_tasks_are_listed_newest_first_in_pages(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        ids = []
        for number in range(5):
            wish = message(str(number), f"m{number}", contextId=f"s{number % 2}")
            ids.append((await rpc(client, "echo", "SendMessage", wish))["result"]["task"]["id"])
        first = (await rpc(client, "echo", "ListTasks", {"pageSize": 3}))["result"]
        assert [each["id"] for each in first["tasks"]] == ids[:1:-1]
        assert (first["pageSize"], first["totalSize"]) == (3, 5)
        assert all("artifacts" not in each for each in first["tasks"])
        query = {"pageSize": "3", "pageToken": first["nextPageToken"], "includeArtifacts": "true"}
        second = (await client.get("/a2a/echo/tasks", params=query, headers=VERSION)).json()
        assert [each["id"] for each in second["tasks"]] == ids[1::-1]
        assert second["nextPageToken"] == ""
        assert second["tasks"][0]["artifacts"][0]["parts"][0]["text"] == "You said: 1"
        listed = (await rpc(client, "echo", "ListTasks", {"contextId": "s1"}))["result"]
        assert [each["id"] for each in listed["tasks"]] == [ids[3], ids[1]]
        listed = (await rpc(client, "echo", "ListTasks", {"status": "TASK_STATE_FAILED"}))["result"]
        assert (listed["tasks"], listed["totalSize"]) == ([], 0)
        after = {"statusTimestampAfter": first["tasks"][0]["status"]["timestamp"]}
        listed = (await rpc(client, "echo", "ListTasks", after))["result"]
        assert ids[4] in [each["id"] for each in listed["tasks"]]
        for wrong in ({"pageSize": 101}, {"pageToken": "x"}, {"status": "TASK_STATE_RUNNING"}, {"historyLength": -1}):
            assert (await rpc(client, "echo", "ListTasks", wrong))["error"]["code"] == -32602


async def test_nobody_sees_what_is_anothers(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        shop, rival = home.token("shop", "talk", agents=("echo",)), home.token("rival", "talk", "read")
        async with (
            home.client(shop) as one,
            home.client(rival) as other,
            home.client(home.token("boss", "admin")) as all_,
        ):
            task = (await rpc(one, "echo", "SendMessage", message("secret", contextId="s1")))["result"]["task"]
            assert task["contextId"] == "s1"
            named: dict[str, Any] = {"id": task["id"]}
            for method in ("GetTask", "CancelTask", "SubscribeToTask"):
                told = await rpc(other, "echo", method, named)
                assert told["error"]["code"] == -32001
                assert "secret" not in str(told)
            hook = {"taskId": task["id"], "url": "http://127.0.0.1:1/", "id": "x"}
            for method in ("Create", "Get", "Delete"):
                told = await rpc(other, "echo", f"{method}TaskPushNotificationConfig", hook)
                assert told["error"]["code"] == -32001
            told = await rpc(other, "echo", "ListTaskPushNotificationConfigs", hook)
            assert told["error"]["code"] == -32001
            # Nor by another agent's name, nor by the context of that name.
            assert (await rpc(all_, "teller", "GetTask", named))["error"]["code"] == -32001
            for listing in ({}, {"contextId": "s1"}, {"contextId": "shop.s1"}):
                assert (await rpc(other, "echo", "ListTasks", listing))["result"]["tasks"] == []
            assert [each["id"] for each in (await rpc(one, "echo", "ListTasks", {}))["result"]["tasks"]] == [task["id"]]
            assert [each["id"] for each in (await rpc(all_, "echo", "ListTasks", {}))["result"]["tasks"]] == [
                task["id"]
            ]
            assert (await rpc(one, "teller", "SendMessage", message("hi")))["error"]["code"] == -32602


async def test_the_version_is_agreed_on(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": message("hi")}
        for headers, code in (({}, -32009), ({"a2a-version": "0.3"}, -32009), ({"a2a-version": "2.0"}, -32009)):
            told = (await client.post("/a2a/echo", json=body, headers=headers)).json()
            assert told["error"]["code"] == code
            answer = await client.post("/a2a/echo/message:send", json=message("hi"), headers=headers)
            assert (answer.status_code, answer.json()["error"]["details"][0]["reason"]) == (
                400,
                "VERSION_NOT_SUPPORTED",
            )
        told = (await client.post("/a2a/echo", json=body, headers={"a2a-version": "1.0.1"})).json()
        assert "result" in told
        told = (await client.post("/a2a/echo?A2A-Version=1.0", json=body)).json()
        assert "result" in told


async def test_what_is_no_request_is_said(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin"), **VERSION) as client:
        json = {"content-type": "application/json"}
        for content, code in ((b"{", -32700), (b"[]", -32600), (b"{}", -32600), (b'{"id": 1}', -32600)):
            told = (await client.post("/a2a/echo", content=content, headers=json)).json()
            assert told["error"]["code"] == code
        assert (await rpc(client, "echo", "message/send", message("hi")))["error"]["code"] == -32601
        assert (await rpc(client, "nobody", "SendMessage", message("hi")))["error"]["code"] == -32602
        assert (await rpc(client, "", "SendMessage", message("hi")))["error"]["code"] == -32602
        assert (await rpc(client, "", "SendMessage", {**message("hi"), "tenant": "echo"}))["result"]["task"]["id"]
        wrong: list[tuple[dict[str, Any], int]] = [
            ({"parts": []}, -32602),
            ({"parts": [{}]}, -32602),
            ({"parts": [{"text": "a", "url": "b"}]}, -32602),
            ({"parts": [{"raw": "AAAA", "mediaType": "audio/wav"}]}, -32005),
            ({"role": "user"}, -32602),
            ({"role": "ROLE_AGENT"}, -32602),
            ({"messageId": ""}, -32602),
            ({"contextId": "../x"}, -32602),
        ]
        for change, code in wrong:
            told = await rpc(client, "echo", "SendMessage", message("hi", **change))
            assert told["error"]["code"] == code, change
            assert told["error"]["data"][0]["domain"] == "a2a-protocol.org"
        answer = await client.post("/a2a/echo/message:send", json=message("hi", role="user"))
        assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
        assert (await client.get("/a2a/echo/nothing")).status_code == 404
        assert (await client.get("/a2a/echo/message:send")).status_code == 405
        assert (await client.get("/a2a/echo")).status_code == 405
        assert (await client.get("/a2a/echo/extendedAgentCard")).status_code == 400


async def test_parts_of_all_kinds_are_heard(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        picture = {"raw": base64.b64encode(b"png").decode(), "media_type": "image/png", "filename": None}
        wish = {"message": {"message_id": "m1", "role": "ROLE_USER", "parts": [{"data": {"some_key": None}}, picture]}}
        task = (await rpc(client, "echo", "SendMessage", wish))["result"]["task"]
        assert task["history"][0]["parts"][0]["text"] == '{"some_key":null}'
        assert task["history"][0]["parts"][1] == {"raw": "cG5n", "mediaType": "image/png"}


async def test_cards_say_what_there_is_to_those_who_have_a_token(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        async with home.client() as client:
            for path in ("/.well-known/agent-card.json", "/a2a/echo/.well-known/agent-card.json", "/a2a/echo/tasks"):
                answer = await client.get(path)
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        async with home.client(home.token("shop", "talk", agents=("echo",))) as client:
            card = (await client.get("/.well-known/agent-card.json")).json()
            assert {each["tenant"] for each in card["supportedInterfaces"]} == {"echo"}
            answer = await client.get("/a2a/echo/.well-known/agent-card.json")
            assert "max-age" in answer.headers["cache-control"]
            card = answer.json()
            assert (card["name"], card["description"]) == ("echo", "Says again what it hears.")
            assert card["securitySchemes"]["bearer"]["httpAuthSecurityScheme"]["scheme"] == "Bearer"
            assert card["securityRequirements"] == [{"schemes": {"bearer": {"list": []}}}]
            assert [each["url"] for each in card["supportedInterfaces"]] == [f"{home.url}/a2a/echo"] * 2
            tag = {"if-none-match": answer.headers["etag"]}
            assert (await client.get("/a2a/echo/.well-known/agent-card.json", headers=tag)).status_code == 304
            assert (await client.get("/a2a/teller/.well-known/agent-card.json")).status_code == 404
        async with home.client(home.token("idle", "read")) as client:
            answer = await client.post("/a2a/echo/message:send", json=message("hi"), headers=VERSION)
            assert (answer.status_code, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


async def test_tasks_survive_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        done = (await rpc(client, "echo", "SendMessage", message("hi")))["result"]["task"]
        wish = {**message("hi", "m2"), "configuration": {"returnImmediately": True}}
        open_ = (await rpc(client, "slow", "SendMessage", wish))["result"]["task"]
    async with house(tmp_path) as home, home.client(home.token("chief", "admin"), **VERSION) as client:
        told = (await rpc(client, "echo", "GetTask", {"id": done["id"]}))["result"]
        assert (told["status"]["state"], told["artifacts"]) == ("TASK_STATE_COMPLETED", done["artifacts"])
        told = (await rpc(client, "slow", "GetTask", {"id": open_["id"]}))["result"]
        assert told["status"]["state"] == "TASK_STATE_WORKING"
        with anyio.fail_after(10):
            async with client.stream("GET", f"/a2a/slow/tasks/{open_['id']}:subscribe") as answer:
                told = events(answer)
                assert (await anext(told))[1]["task"]["id"] == open_["id"]
                await rpc(client, "slow", "CancelTask", {"id": open_["id"]})
                last = [value async for _, value in told][-1]
        assert last["statusUpdate"]["status"]["state"] == "TASK_STATE_CANCELED"
