"""The protocol's own client against the real server, over both bindings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.a2a.house import house
from tests.api.house import House

pytest.importorskip("a2a.client", reason="a2a-sdk is not installed")

from a2a.client import Client, ClientConfig, create_client
from a2a.types import a2a_pb2 as proto
from a2a.utils.errors import (
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
    VersionNotSupportedError,
)

pytestmark = pytest.mark.anyio
BINDINGS = ("JSONRPC", "HTTP+JSON")
both = pytest.mark.parametrize("binding", BINDINGS)


@asynccontextmanager
async def client(
    home: House, binding: str, agent: str, *, streaming: bool = True, version: str = "1.0", scope: str = "admin"
) -> AsyncIterator[Client]:
    """Make the protocol's own client of an agent, from its card."""
    headers = {"authorization": f"Bearer {home.token('boss', scope)}", "a2a-version": version}
    async with httpx.AsyncClient(headers=headers, timeout=20) as http:
        config = ClientConfig(streaming=streaming, httpx_client=http, supported_protocol_bindings=[binding])
        made = await create_client(f"{home.url}/a2a/{agent}", config)
        yield made


def wish(text: str, id: str = "m1", *, now: bool = False, **more: Any) -> proto.SendMessageRequest:
    said = proto.Message(message_id=id, role=proto.ROLE_USER, parts=[proto.Part(text=text)], **more)
    return proto.SendMessageRequest(message=said, configuration=proto.SendMessageConfiguration(return_immediately=now))


async def sent(asker: Client, request: proto.SendMessageRequest) -> proto.Task:
    """Send a message and return the last task that is told."""
    (event,) = [event async for event in asker.send_message(request)]
    return event.task


@both
async def test_a_message_and_its_task(tmp_path: Path, binding: str) -> None:
    async with house(tmp_path) as home, client(home, binding, "teller", streaming=False) as asker:
        task = await sent(asker, wish("6 by 7?", context_id="s1"))
        assert task.status.state == proto.TASK_STATE_COMPLETED
        assert task.context_id == "s1"
        assert task.artifacts[0].parts[0].text == "It is **42**."
        again = await asker.get_task(proto.GetTaskRequest(id=task.id, history_length=1))
        assert (again.artifacts, len(again.history)) == (task.artifacts, 1)
        listed = await asker.list_tasks(proto.ListTasksRequest(context_id="s1", include_artifacts=True))
        assert ([each.id for each in listed.tasks], listed.total_size) == ([task.id], 1)
        assert listed.tasks[0].artifacts == task.artifacts
        with pytest.raises(TaskNotFoundError):
            await asker.get_task(proto.GetTaskRequest(id="env_none"))
        with pytest.raises(TaskNotCancelableError):
            await asker.cancel_task(proto.CancelTaskRequest(id=task.id))


@both
async def test_a_stream(tmp_path: Path, binding: str) -> None:
    async with house(tmp_path) as home, client(home, binding, "teller") as asker:
        events = [event async for event in asker.send_message(wish("6 by 7?"))]
    assert events[0].WhichOneof("payload") == "task"
    said = ""
    for event in events:
        if event.HasField("artifact_update"):
            text = event.artifact_update.artifact.parts[0].text
            said = said + text if event.artifact_update.append else text
    assert said == "It is **42**."
    assert events[-1].status_update.status.state == proto.TASK_STATE_COMPLETED


@both
async def test_cancelling_what_one_is_subscribed_to(tmp_path: Path, binding: str) -> None:
    async with house(tmp_path) as home, client(home, binding, "slow", scope="talk") as asker:
        states = []
        async for event in asker.send_message(wish("hi")):
            if event.HasField("task"):
                id = event.task.id
                told = asker.subscribe(proto.SubscribeToTaskRequest(id=id))
                assert (await anext(told)).task.id == id
                cancelled = await asker.cancel_task(proto.CancelTaskRequest(id=id))
                assert cancelled.status.state == proto.TASK_STATE_CANCELED
                states.append([each async for each in told][-1].status_update.status.state)
            elif event.HasField("status_update"):
                states.append(event.status_update.status.state)
        assert states[0] == states[-1] == proto.TASK_STATE_CANCELED
        with pytest.raises(UnsupportedOperationError):
            await anext(asker.subscribe(proto.SubscribeToTaskRequest(id=id)))


@both
async def test_push_configurations(tmp_path: Path, binding: str) -> None:
    async with house(tmp_path) as home, client(home, binding, "slow", streaming=False) as asker:
        task = await sent(asker, wish("hi", now=True))
        login = proto.AuthenticationInfo(scheme="Bearer", credentials="secret")
        config = proto.TaskPushNotificationConfig(
            task_id=task.id, id="hook", url="http://127.0.0.1:9/", token="t", authentication=login
        )
        made = await asker.create_task_push_notification_config(config)
        assert (made.id, made.task_id, made.url, made.authentication.credentials) == (
            "hook",
            task.id,
            config.url,
            "",
        )
        named = proto.GetTaskPushNotificationConfigRequest(task_id=task.id, id="hook")
        assert await asker.get_task_push_notification_config(named) == made
        all_ = proto.ListTaskPushNotificationConfigsRequest(task_id=task.id)
        assert [*(await asker.list_task_push_notification_configs(all_)).configs] == [made]
        gone = proto.DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="hook")
        for _ in range(2):
            await asker.delete_task_push_notification_config(gone)
        assert [*(await asker.list_task_push_notification_configs(all_)).configs] == []
        with pytest.raises(TaskNotFoundError):
            await asker.get_task_push_notification_config(named)
        await asker.cancel_task(proto.CancelTaskRequest(id=task.id))


@both
async def test_the_server_as_a_whole_has_its_agents_as_tenants(tmp_path: Path, binding: str) -> None:
    async with house(tmp_path) as home:
        token = home.token("shop", "talk", agents=("echo",))
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(headers=headers, timeout=20) as http:
            config = ClientConfig(streaming=False, httpx_client=http, supported_protocol_bindings=[binding])
            asker = await create_client(home.url, config)
            request = wish("hi")
            task = await sent(asker, request)
            assert task.artifacts[0].parts[0].text == "You said: hi"


@both
async def test_another_version_is_refused_by_its_type(tmp_path: Path, binding: str) -> None:
    async with house(tmp_path) as home, client(home, binding, "echo", streaming=False, version="0.3") as asker:
        with pytest.raises(VersionNotSupportedError):
            await sent(asker, wish("hi"))
