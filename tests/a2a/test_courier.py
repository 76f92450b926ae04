"""Push notifications to a webhook on this machine."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from tests.a2a.house import CONFIG, house, message, rpc
from tests.a2a.receiver import receiver
from tests.api.house import House

pytestmark = pytest.mark.anyio
CREATE = "CreateTaskPushNotificationConfig"


def hooked(text: str, url: str, **more: Any) -> dict[str, Any]:
    """Return the parameters that send a text, and want to hear of its end at a URL."""
    config = {"url": url, "id": "hook", **more}
    return {**message(text), "configuration": {"returnImmediately": True, "taskPushNotificationConfig": config}}


def boss(home: House) -> str:
    return home.token("boss", "admin")


async def task(client: httpx2.AsyncClient, agent: str, params: dict[str, Any]) -> Any:
    return (await rpc(client, agent, "SendMessage", params))["result"]["task"]


async def forgotten(client: httpx2.AsyncClient, agent: str, id: str) -> None:
    """Ask until nothing is kept of a task."""
    with anyio.fail_after(10):
        while (await rpc(client, agent, "ListTaskPushNotificationConfigs", {"taskId": id}))["result"]["configs"]:
            pass


async def test_how_a_task_ends_is_delivered_with_what_it_is_known_by(tmp_path: Path) -> None:
    async with receiver() as hook, house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        login = {"scheme": "Bearer", "credentials": "secret"}
        begun = await task(client, "teller", hooked("6 by 7?", hook.url, token="t1", authentication=login))
        with anyio.fail_after(10):
            await hook.wait(2)
        (headers, answer), (_, end) = hook.heard
        assert headers["authorization"] == "Bearer secret"
        assert headers["x-a2a-notification-token"] == "t1"
        assert headers["content-type"] == "application/a2a+json"
        assert answer["artifactUpdate"]["artifact"]["parts"][0]["text"] == "It is **42**."
        assert end["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
        assert {answer["artifactUpdate"]["taskId"], end["statusUpdate"]["taskId"]} == {begun["id"]}
        assert end["statusUpdate"]["contextId"] == begun["contextId"]
        await forgotten(client, "teller", begun["id"])
        # One that asks afterwards is told as well.
        late = {"taskId": begun["id"], "url": hook.url}
        assert (await rpc(client, "teller", CREATE, late))["result"]["id"]
        with anyio.fail_after(10):
            await hook.wait(4)
        assert "authorization" not in hook.heard[-1][0]
        assert home.warnings == []


async def test_it_is_tried_again(tmp_path: Path) -> None:
    async with receiver(500, 302, 200) as hook, house(tmp_path) as home, home.client(boss(home)) as client:
        await task(client, "echo", hooked("hi", hook.url))
        with anyio.fail_after(10):
            await hook.wait(4)
        assert [("artifactUpdate" in body) for _, body in hook.heard] == [True, True, True, False]


async def test_it_is_given_up_in_the_end(tmp_path: Path) -> None:
    async with receiver(500) as hook, house(tmp_path) as home, home.client(boss(home)) as client:
        begun = await task(client, "echo", hooked("hi", hook.url))
        await forgotten(client, "echo", begun["id"])
        assert len(hook.heard) == 3
        assert "did not arrive: it answered 500" in home.warnings[0]


async def test_a_cancelled_task_is_told_and_its_file_is_the_users_alone(tmp_path: Path) -> None:
    async with receiver() as hook, house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        begun = await task(client, "slow", hooked("hi", hook.url))
        (file,) = (tmp_path / "a2a" / "push").glob("*.json")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        await rpc(client, "slow", "CancelTask", {"id": begun["id"]})
        with anyio.fail_after(10):
            await hook.wait(1)
        assert hook.heard[0][1]["statusUpdate"]["status"]["state"] == "TASK_STATE_CANCELED"


async def test_a_restart_forgets_nobody(tmp_path: Path) -> None:
    async with receiver() as hook:
        async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
            begun = await task(client, "slow", hooked("hi", hook.url))
        assert hook.heard == []
        async with house(tmp_path) as home, home.client(home.token("chief", "admin")) as client:
            named = {"taskId": begun["id"], "id": "hook"}
            told = (await rpc(client, "slow", "GetTaskPushNotificationConfig", named))["result"]
            assert told["url"] == hook.url
            await rpc(client, "slow", "CancelTask", {"id": begun["id"]})
            with anyio.fail_after(10):
                await hook.wait(1)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:7/", "http://0x7f.1/", "http://10.0.0.1/", "http://[::1]/", "http://localhost/", "file:///x"],
)
async def test_nothing_is_sent_into_a_private_network(tmp_path: Path, url: str) -> None:
    config = CONFIG.replace('push_networks = ["127.0.0.0/8"]', "")
    async with house(tmp_path, config) as home, home.client(home.token("boss", "admin")) as client:
        told = await rpc(client, "echo", "SendMessage", hooked("hi", url))
        assert told["error"]["code"] == -32602
        assert (await rpc(client, "echo", "ListTasks", {}))["result"]["tasks"] == []


async def test_what_no_header_can_hold_is_refused_and_so_are_too_many(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        begun = await task(client, "slow", {**message("hi"), "configuration": {"returnImmediately": True}})
        hook: dict[str, Any] = {"taskId": begun["id"], "url": "http://127.0.0.1:9/"}
        wrong: list[dict[str, Any]] = [
            {"token": "a\r\nb: c"},
            {"authentication": {"scheme": "Bearer", "credentials": "a\nb"}},
            {"id": "../x"},
            {"url": ""},
        ]
        for change in wrong:
            assert (await rpc(client, "slow", CREATE, {**hook, **change}))["error"]["code"] == -32602
        for number in range(10):
            assert "result" in await rpc(client, "slow", CREATE, {**hook, "id": f"h{number}"})
        assert (await rpc(client, "slow", CREATE, hook))["error"]["code"] == -32602
        assert "result" in await rpc(client, "slow", CREATE, {**hook, "id": "h1"})
        await rpc(client, "slow", "DeleteTaskPushNotificationConfig", {"taskId": begun["id"], "id": "h1"})
        named = {"taskId": begun["id"]}
        told = (await rpc(client, "slow", "ListTaskPushNotificationConfigs", named))["result"]
        assert len(told["configs"]) == 9
