"""`clawmesh serve`: run the mesh until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio

from clawmesh.a2a.door import open_a2a
from clawmesh.api.front import open_front
from clawmesh.api.listener import Listener, open_listener
from clawmesh.api.mesh import Mesh
from clawmesh.api.token import Tokens
from clawmesh.cli.console import Console
from clawmesh.cli.loop import run
from clawmesh.cli.main import INTERRUPTED
from clawmesh.cli.opening import read
from clawmesh.cli.phrase import count
from clawmesh.clock import SystemClock
from clawmesh.cluster.hold import hold
from clawmesh.cluster.node import Node, Place, open_node, settle
from clawmesh.cluster.reload import Reload, fingerprint, forget, kept
from clawmesh.cluster.supervisor import DRAINED, HURRY, PATIENCE, READY, RELOAD, STOPS, Supervisor, Tell
from clawmesh.cluster.task import beside
from clawmesh.config.location import Places, locate
from clawmesh.config.model import Config
from clawmesh.errors import ClawmeshError, ConfigError, PluginError, UsageError
from clawmesh.machine import cores
from clawmesh.mcp.door import routes
from clawmesh.version import VERSION

# A process that was killed a moment ago may still be about to end.
HOLD_SECONDS = 5.0
# Turns that take longer stay in the journal, and go on at the next start.
DRAIN_SECONDS = 20.0
END_SECONDS = 29
# For answers that have been written and not read; who only looks on is cut off then.
CUT_SECONDS = 1.0
MOST = 8
PORTS = 65_536


def serve(arguments: argparse.Namespace, console: Console) -> int:
    """Open the mesh, in as many processes as there is use for, and say when it is ready."""
    places = locate(arguments.config, arguments.data, console.environ)
    config = read(places, console)
    wanted = config.mesh.workers
    workers = min(cores(), MOST) if wanted == "auto" else wanted
    with (
        hold(places.data, "serve", workers, wait=HOLD_SECONDS),
        open_listener(config.api, _port(arguments, console), config.path) as listener,
    ):
        journals = settle(places.data, workers)
        token = Tokens(places.data).first(SystemClock().now())
        forget(places.data)
        service = Service(config, places, console, workers, journals, listener, token)
        if workers == 1:
            return run(service.alone)
        return Supervisor(service.worker, workers, service.announce, console.error).run()


def _port(arguments: argparse.Namespace, console: Console) -> int | None:
    """Return the port that the command line or the environment says, None where they say none."""
    if arguments.port is not None:
        return int(arguments.port)
    text = console.environ.get("CLAWMESH_PORT", "")
    if text and not (text.isascii() and text.isdigit() and int(text[:6]) < PORTS):
        raise UsageError(f'found CLAWMESH_PORT="{text}", expected a number from 0 to {PORTS - 1}')
    return int(text) if text else None


class Service:
    """What `serve` does in one process, or in each of several."""

    def __init__(
        self,
        config: Config,
        places: Places,
        console: Console,
        workers: int,
        journals: int,
        listener: Listener,
        token: Path | None,
    ) -> None:
        self._config = config
        self._places = places
        self._console = console
        self._workers = workers
        self._journals = journals
        self._listener = listener
        self._token = token
        self._seen = fingerprint(config, places.data)
        self._announced = False

    def announce(self) -> None:
        """Say that the mesh is ready, to people and to systemd."""
        self._announced = True
        agents, data, url = len(self._config.agents), self._places.data, self._listener.url
        if self._console.as_json:
            facts = {"ready": True, "agents": agents, "workers": self._workers, "data": str(data), "url": url}
            self._console.json({**facts, "token": str(self._token) if self._token else None})
        else:
            crew = f"{count(agents, 'agent')}, {count(self._workers, 'worker')}"
            self._console.print(f"clawmesh {VERSION} is ready: {crew}, {url}, data in {data}")
            if self._token:
                self._console.print(f"the first token, which may do everything, is in {self._token}")
        self._console.flush()
        _notify(self._console.environ.get("NOTIFY_SOCKET", ""), "READY=1")

    async def alone(self) -> int:
        """Be the only process of the mesh."""
        place = Place(lambda: signal.raise_signal(signal.SIGTERM), journals=self._journals)
        return await self._run(place, self.announce, None)

    def worker(self, number: int, tell: Tell) -> int:
        """Be one of several processes of the mesh."""
        supervisor = os.getppid()
        place = Place(lambda: os.kill(supervisor, signal.SIGTERM), number, self._workers, self._journals)
        try:
            return run(lambda: self._run(place, lambda: tell(READY), lambda: tell(DRAINED)))
        except ClawmeshError as error:
            # What is wrong for all of them at the start is said by the first.
            if number == 0 or self._announced or not isinstance(error, ConfigError | PluginError):
                self._console.report(error)
            return error.exit_code

    async def _run(self, place: Place, ready: Callable[[], None], drained: Callable[[], None] | None) -> int:
        """Run until the first stop, drain until the next one; if others may still need us, wait for that one."""
        stops = Stops(supervised=drained is not None)
        with stops.heeded():
            warn, environ = self._console.error, self._console.environ
            # What has come into force since the process that forked this one has read it.
            config = kept(self._config, self._places.data, environ)
            async with (
                open_node(config, self._places, environ, warn, place) as node,
                open_a2a(node, warn) as agents,
                open_front(node, self._listener, self._config.api, warn, [*agents, *routes(Mesh(node))]) as server,
                self._reloading(node, supervised=drained is not None),
            ):
                self._note(node, "{} from before, which the journal has, are under way again")
                ready()
                await stops.first.wait()
                self._note(node, f"told to end: no more is let in, {{}} under way may take {DRAIN_SECONDS:g} s")
                await _drain(node, stops)
                await server.drain(CUT_SECONDS)
                if drained is not None:
                    drained()
                    await stops.second.wait()
                if left := node.app.engine.under_way:
                    self._console.error(f"{count(left, 'message')} left in the journal for the next start")
        return 0

    @asynccontextmanager
    async def _reloading(self, node: Node, *, supervised: bool) -> AsyncIterator[None]:
        """In the first worker, put a changed configuration into force, also when SIGHUP asks for it."""
        if node.worker:
            yield
            return
        reload = Reload(node, self._seen, self._say, self._console.error)
        loop = asyncio.get_running_loop()
        before = signal.getsignal(RELOAD)
        # A supervisor passes the signal on, and not what the terminal says to all of us.
        if supervised or before is not signal.SIG_IGN:
            signal.signal(RELOAD, lambda *_: loop.call_soon_threadsafe(reload.ask))
        try:
            async with beside(reload.follow):
                yield
        finally:
            signal.signal(RELOAD, before)

    def _say(self, text: str) -> None:
        if not self._console.as_json:
            self._console.note(f"clawmesh: {text}")

    def _note(self, node: Node, text: str) -> None:
        busy = node.app.engine.under_way
        if busy:
            self._say(text.format(count(busy, "message")))


class Stops:
    """Counts how often we were told to end: the first time in peace, the second time at once, then without a word.

    A supervisor counts by itself, and says which time it is by the signal.
    """

    def __init__(self, *, supervised: bool) -> None:
        self._supervised = supervised
        self.first = anyio.Event()
        self.second = anyio.Event()
        self._loop = asyncio.get_running_loop()
        self._count = 0

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Handle the signals that tell us."""
        heeded = [number for number in (*STOPS, HURRY) if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._handle) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _frame: object) -> None:
        if self._supervised:
            self._count = max(self._count, PATIENCE if number == HURRY else 1)
        else:
            self._count += 1
            # Even if an agent never lets the loop go: the system ends us then, and the journal has all.
            signal.alarm(END_SECONDS)
        if self._count > PATIENCE:
            os._exit(INTERRUPTED)
        self._loop.call_soon_threadsafe(self._hear)

    def _hear(self) -> None:
        self.first.set()
        if self._count == PATIENCE:
            self.second.set()


async def _drain(node: Node, stops: Stops) -> None:
    async with anyio.create_task_group() as tasks:

        async def hurry() -> None:
            await stops.second.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(hurry)
        await node.drain(DRAIN_SECONDS)
        tasks.cancel_scope.cancel()


def _notify(path: str, state: str) -> None:
    """Tell systemd, if it has started us; see sd_notify(3)."""
    if not path:
        return
    # That nobody hears it is no reason not to serve.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier:
        notifier.connect(f"\0{path[1:]}" if path.startswith("@") else path)
        notifier.send(state.encode())
