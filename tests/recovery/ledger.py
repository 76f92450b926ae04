"""A service that remembers every effect that really happened: the oracle for what tools and models did.

It speaks HTTP, lives in the process of the test and so survives whatever happens to the product. `POST /effect` with
`{"key", "name", "arguments"}` counts an attempt and answers with its number under this key; `GET /effects` lists all.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BODY = 1 << 20


@dataclass(frozen=True)
class Effect:
    """One attempt that came through: `key` as the caller gave it, `name` is what was done, with `arguments`."""

    key: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """What the service does wrong: waits `before` and `after` the effect, in seconds; fails before or after it."""

    before: float = 0.0
    after: float = 0.0
    refuses: bool = False
    forgets_to_answer: bool = False


FINE = Fault()


@dataclass
class Ledger:
    """What happened, in order; `fault` decides what goes wrong with an attempt."""

    fault: Callable[[Effect], Fault] = lambda _effect: FINE
    effects: list[Effect] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)
    url: str = ""

    def record(self, effect: Effect) -> int:
        """Note an effect; return how often it happened under its key."""
        with self.came:
            self.effects.append(effect)
            self.came.notify_all()
            return self.attempts(effect.name)[effect.key]

    def attempts(self, name: str) -> Counter[str]:
        """Return how often each key came under this name."""
        return Counter(effect.key for effect in [*self.effects] if effect.name == name)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until effects have come that satisfy a condition."""
        with self.came:
            assert self.came.wait_for(condition, seconds), f"after {seconds} s: {self.effects}"


class _Service(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ledger = ledger
        self.failures: list[BaseException] = []
        self.ending = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what went wrong, unless it is a caller who was killed."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.failures.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Service

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        if self.path != "/effect" or length > BODY:
            self._answer(404, {})
            return
        told = json.loads(self.rfile.read(length))
        effect = Effect(told["key"], told["name"], told["arguments"])
        fault = self.server.ledger.fault(effect)
        self.server.ending.wait(fault.before)
        if fault.refuses:
            self._answer(503, {})
            return
        times = self.server.ledger.record(effect)
        self.server.ending.wait(fault.after)
        if fault.forgets_to_answer:
            self.close_connection = True
            return
        self._answer(200, {"times": times})

    def do_GET(self) -> None:
        effects = [vars(effect) for effect in [*self.server.ledger.effects]]
        self._answer(200 if self.path == "/effects" else 404, {"effects": effects})

    def _answer(self, status: int, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what happened is in the ledger."""


@contextmanager
def open_ledger(fault: Callable[[Effect], Fault] = lambda _effect: FINE) -> Iterator[Ledger]:
    """Serve a ledger on a free port of this machine until the block ends."""
    ledger = Ledger(fault)
    with _Service(ledger) as service:
        host, port = service.server_address[:2]
        ledger.url = f"http://{host!s}:{port}"
        thread = threading.Thread(target=service.serve_forever, args=(0.05,), name="ledger")
        thread.start()
        try:
            yield ledger
        finally:
            service.ending.set()
            service.shutdown()
            thread.join()
    assert service.failures == []
