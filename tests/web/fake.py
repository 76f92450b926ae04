"""The API that the dashboard speaks, in front of a mesh that does not exist; run as a program it serves it to people.

PYTHONPATH=. python tests/web/fake.py PORT [--hostile]
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import parse_qs, unquote

import anyio

from clawmesh import web
from clawmesh.server.request import Receive, Scope, Send
from clawmesh.server.server import open_server
from tests.web.tales import Json
from tests.web.world import HOSTILE, LINKS, World

Handler: TypeAlias = Callable[[Receive, Send], Coroutine[Any, Any, None]]

SCOPES = {"cm_owner": ["admin"], "cm_reader": ["read"]}
BATCH = 0.1
ANSWER = (
    "Order 88213 is at the depot in Leeds and arrives tomorrow before noon.\n\n- Left the warehouse on Tuesday\n"
    "- On the morning round, between 9:00 and 11:30\n\nThe second charge of 64.90 EUR is refunded."
)
MARKDOWN = (
    "<p>Order <strong>88213</strong> is at the depot in Leeds and arrives <strong>tomorrow before noon</strong>.</p>"
    "<ul><li>Left the warehouse on Tuesday</li><li>On the morning round, between 9:00 and 11:30</li></ul>"
    "<p>The second charge of <code>64.90 EUR</code> is refunded; the auditor signed it as "
    '<a href="https://example.com/A-5521">A-5521</a>.</p>'
)
ATTACK = (
    '<img src=x onerror="window.ran=1"><img src="https://elsewhere.example/pixel.png">'
    '<script>window.ran=1</script><svg onload="window.ran=1"></svg><iframe srcdoc="<script>parent.ran=1</script>">'
    '</iframe><a href="javascript:window.ran=1" onclick="window.ran=1">bad link</a>'
    '<a href=" java\tscript:window.ran=1">worse link</a><a href="data:text/html,x">data</a><form action="//x"><input>'
    '</form><style>body{display:none}</style><p style="position:fixed" class="main" id="main" onmouseover="ran=1">p</p>'
    '<math><mtext><style><img src=x onerror="window.ran=1"></style></mtext></math>'
)
CALLS = (
    ("c1", "orders_find", '{"order": 88213}', '{"state": "at depot", "depot": "Leeds"}'),
    ("c2", "ask_agent", '{"agent": "billing", "message": "Refund in_3392"}', "refunded, reference A-5521"),
)


class Answer(Exception):
    """Ends a request with this status and this body."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body


def refusal(status: int, message: str, type: str, **more: Any) -> Answer:
    return Answer(status, {"error": {"message": message, "type": type, "code": status}, **more})


class Fake:
    """Answers as the contract says; `asked` are the requests, `resumed` the Last-Event-IDs, `speed` events a second."""

    def __init__(self, *, hostile: bool = False, speed: int = 17, policy: str = web.POLICY) -> None:
        self.world = World(time.time(), hostile=hostile)
        self.hostile = hostile
        self.speed = speed
        self.policy = policy
        self.asked: list[str] = []
        self.resumed: list[str] = []
        self.cancelled = 0
        self.reloads = 0
        self.revoked: set[str] = set()
        self.cut = anyio.Event()
        self.files = {file.path: file for file in web.files()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["raw_path"].decode().partition("?")[0], scope["method"]
        self.asked.append(f"{method} {path}")
        if path.startswith("/test/"):
            await self._wish(path.split("/")[2:], send)
        elif not path.startswith("/api/"):
            await self._file(path, send)
        else:
            try:
                await self._api(scope, path)(receive, send)
            except Answer as answer:
                await _json(send, answer.status, answer.body)

    async def _wish(self, words: list[str], send: Send) -> None:
        """Do what a test wants to see: forget a token, or cut off all who hear events."""
        match words:
            case ["revoke", token]:
                self.revoked.add(token)
            case ["cut"]:
                self.cut.set()
                self.cut = anyio.Event()
        await _json(send, 200, {})

    async def _file(self, path: str, send: Send) -> None:
        file = self.files.get(path)
        if file is None:
            await _json(send, 404, {})
            return
        headers = {"content-security-policy": self.policy, "x-content-type-options": "nosniff", "etag": file.etag}
        await _start(send, 200, {**headers, "content-type": file.media_type})
        await send({"type": "http.response.body", "body": file.content})

    def _api(self, scope: Scope, path: str) -> Handler:
        headers = dict(scope["headers"])
        scopes = self._scopes(headers)
        words = [unquote(word) for word in path.split("/")[2:]]
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        match scope["method"], words:
            case "GET", ["events"]:
                if last := headers.get(b"last-event-id", b"").decode():
                    self.resumed.append(last)
                return self._events
            case "POST", ["agents", _, "messages"]:
                return self._talk
        body = self._look(words, query, scopes) if scope["method"] == "GET" else self._deed(scope["method"], words)

        async def respond(receive: Receive, send: Send) -> None:
            await _json(send, 200, body)

        return respond

    def _scopes(self, headers: dict[bytes, bytes]) -> list[str]:
        token = headers.get(b"authorization", b"").decode().removeprefix("Bearer ")
        if token not in SCOPES or token in self.revoked:
            raise refusal(401, "a bearer token is needed", "AccessError")
        return SCOPES[token]

    def _look(self, words: list[str], query: dict[str, str], scopes: list[str]) -> Json:
        world = self.world
        match words:
            case ["status"]:
                return self._status(scopes)
            case ["agents"]:
                return {"agents": world.agents}
            case ["sessions"]:
                return self._sessions(query)
            case ["sessions", agent, session]:
                return {"address": f"{agent}/{session}", "messages": world.transcript(f"{agent}/{session}")}
            case ["messages", id]:
                own, kin = world.case(id)
                return {"message": own, "kin": kin}
            case ["graph"]:
                return world.graph(random.random())
            case ["dead"]:
                return {
                    "letters": [each for each in world.letters if each["session"].startswith(query.get("agent", ""))]
                }
            case ["cost"]:
                return world.cost(int(query.get("days", "14")))
            case ["config"]:
                return {"path": "/etc/clawmesh/clawmesh.toml", "toml": world.toml()}
        raise refusal(404, "there is nothing here", "UsageError")

    def _deed(self, method: str, words: list[str]) -> Json:
        match method, words:
            case ("POST", ["dead", id, "redrive"]) | ("DELETE", ["dead", id]):
                letters = [each for each in self.world.letters if each["id"] != id]
                if len(letters) == len(self.world.letters):
                    raise refusal(404, f"there is no dead letter {id}", "UsageError")
                self.world.letters = letters
                return {"id": "env_1m8again"} if method == "POST" else {}
            case "POST", ["reload"]:
                return self._reload()
        raise refusal(404, "there is nothing here", "UsageError")

    def _status(self, scopes: list[str]) -> Json:
        workers = [
            {"worker": number, "pid": 4211 + number, "rss": rss, "under_way": 17 + number, "warm": 612, "trouble": ""}
            for number, rss in enumerate((48_300_000, 46_900_000))
        ]
        if self.hostile:
            workers[1]["trouble"] = HOSTILE
        return {
            "version": "0.1.0",
            "started": self.world.now - 271_300,
            "now": time.time(),
            "token": {"name": "owner", "scopes": scopes, "agents": []},
            "ready": not self.hostile,
            "reasons": [HOSTILE] if self.hostile else [],
            "config": "/etc/clawmesh/clawmesh.toml",
            "data": "/var/lib/clawmesh",
            "deadline": 300,
            "workers": workers,
        }

    def _sessions(self, query: dict[str, str]) -> Json:
        agent, after, limit = query.get("agent"), query.get("after", ""), int(query.get("limit", "200"))
        found = [each for each in self.world.sessions if each["address"] > after and agent in (None, each["agent"])]
        page = found[:limit]
        return {"sessions": page, "next": page[-1]["address"] if len(found) > limit else None}

    def _reload(self) -> Json:
        self.reloads += 1
        if self.reloads == 1:
            what = 'there is no backend "locl"; did you mean "local"?'
            where = {"file": "/etc/clawmesh/clawmesh.toml", "line": 14, "table": "agents.writer", "key": "backend"}
            raise refusal(422, "1 problem in the configuration", "ConfigError", problems=[{"message": what, **where}])
        return {"version": "7c41d2"}

    # Streams

    async def _events(self, receive: Receive, send: Send) -> None:
        await _stream(send)
        cut, number = self.cut, 0
        async with _until_gone(receive):
            while not cut.is_set():
                many = max(1, round(self.speed * BATCH * (0.5 + random.random())))
                batch = [event for each in range(number, number + many) for event in _life(each)]
                number += many
                await _event(send, "events", batch, number)
                await anyio.sleep(BATCH)
        if cut.is_set():
            await send({"type": "http.response.body", "body": b""})

    async def _talk(self, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        asked = json.loads(body)
        await _stream(send)
        finished = False
        async with _until_gone(receive):
            await self._reply(asked["text"], asked.get("session") or "s_1m8fxphyjmegny03", send)
            await send({"type": "http.response.body", "body": b""})
            finished = True
        self.cancelled += not finished

    async def _reply(self, text: str, session: str, send: Send) -> None:
        for number, (type, data) in enumerate(self._pieces(text, session)):
            await _event(send, type, data, number)
            if data.get("type") == "text":
                await anyio.sleep(0.05 if "slowly" in text else 0.008)

    def _pieces(self, text: str, session: str) -> list[tuple[str, Json]]:
        hurt = HOSTILE if self.hostile else ""
        begin: tuple[str, Json] = ("accepted", {"id": "env_1m8talk", "session": session})
        if "fail" in text:
            error = {"message": f"anthropic: 529 {HOSTILE}", "type": "BackendError"}
            return [begin, ("failed", {"id": "env_1m8talk", "ending": "failed", "error": error})]
        pieces: list[Json] = [
            {"type": "text", "text": "This is void and must not stay."},
            {"type": "retraction", "reason": "the stream broke"},
        ]
        why = f"The customer asks for two things: the parcel and the second charge. Look up both. {hurt}"
        pieces += [{"type": "reasoning", "text": f"{word} "} for word in why.split(" ")]
        pieces += [{"type": "tool_call", "id": id, "name": name, "arguments": made} for id, name, made, _ in CALLS]
        for id, name, _, gave in CALLS:
            content = [{"type": "text", "text": f"{gave}{hurt}"}]
            pieces.append({"type": "tool_result", "call": id, "name": name, "content": content, "failed": False})
        said = f"{ANSWER}{hurt}".split(" ") * (40 if "slowly" in text else 1)
        pieces += [{"type": "text", "text": f"{word} "} for word in said]
        used = {"input_tokens": 2140, "output_tokens": 212, "total_tokens": 2352}
        report = {"steps": 2, "tool_calls": 2, "usage": used, "stop": "end", "backend": "openai", "model": "sonnet-5"}
        html = MARKDOWN + (ATTACK if self.hostile else "")
        end = ("answered", {"id": "env_1m8talk", "text": ANSWER, "html": html, "report": report})
        return [begin, *(("piece", piece) for piece in pieces), end]


def _life(number: int) -> list[Json]:
    """The beginning and the end of one message."""
    ((sender, to),) = random.choices(list(LINKS), list(LINKS.values()))
    id, to = f"env_1m8live{number}", f"{to}/customer-{number % 997:05}"
    ending = ("failed", "expired")[number % 2] if number % 61 == 7 else "answered"
    return [
        {"t": "accepted", "id": id, "from": sender, "to": to, "kind": "ask", "root": id, "at": time.time()},
        {"t": "ended", "id": id, "to": to, "ending": ending, "took": 0.2 + number % 40 / 9, "tokens": 320},
    ]


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})


async def _json(send: Send, status: int, body: Json) -> None:
    await _start(send, status, {"content-type": "application/json"})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def _stream(send: Send) -> None:
    await _start(send, 200, {"content-type": "text/event-stream", "cache-control": "no-store"})
    await send({"type": "http.response.body", "body": b": welcome\n\n", "more_body": True})


async def _event(send: Send, type: str, data: Any, id: int) -> None:
    text = f"id: {id}\nevent: {type}\ndata: {json.dumps(data)}\n\n"
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


@asynccontextmanager
async def _until_gone(receive: Receive) -> AsyncIterator[None]:
    """Run the block until the client is gone."""
    async with anyio.create_task_group() as tasks:

        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        tasks.start_soon(listen)
        yield
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def serving(fake: Fake, port: int = 0) -> AsyncIterator[str]:
    """Serve on a port of this machine, and yield the address."""
    faults: list[str] = []
    with socket.create_server(("127.0.0.1", port)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        async with open_server(fake, [listener], failed=faults.append):
            yield address
    assert faults == []


async def main(port: str, *flags: str) -> None:
    async with serving(Fake(hostile="--hostile" in flags), int(port)) as address:
        print(address, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
