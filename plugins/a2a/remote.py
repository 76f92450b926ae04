"""An agent elsewhere, asked over A2A."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import anyio
import msgspec
from msgspec import Struct

from clawmesh import messages
from clawmesh.a2a.content import said
from clawmesh.a2a.request import SECONDS
from clawmesh.a2a.values import Message, Role, State, Task, tidy
from clawmesh.abc.context import Context, Services
from clawmesh.errors import BusyError, ClawmeshError, ExpiredError, FailedError, TransportError
from clawmesh.http.fetch import EnoughError, Keeper
from clawmesh.http.limits import Deadlines
from clawmesh.http.target import Target

from .card import Way, location, way
from .fault import error_of
from .thread import Place, Threads
from .tracker import Tracker
from .wire import Wire

# How long a card counts, and what it may take to get it.
FRESH = 300.0
CARD_BYTES, CARD_SECONDS = 1024 * 1024, 30.0
# Between two looks at a task whose stream broke, or that has none; so many in a row may fail.
PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)
FAILURES = 5
CANCEL_SECONDS = 5.0
# A message that was cancelled with the process that sent it is sent again under another id.
TRIES = 3


class Known(Struct, frozen=True):
    way: Way
    until: float


class Remotes:
    """Knows the agents elsewhere: one for each table of the configuration."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Remote] = {}
        self._threads: Threads | None = None

    def at(self, services: Services, url: str, token: str, tenant: str) -> Remote:
        if self._threads is None:
            self._threads = Threads(services.data)
        key = (url, token, tenant)
        if key not in self._known:
            self._known[key] = Remote(services, self._threads, url, token, tenant)
        return self._known[key]


class Remote:
    """One agent."""

    def __init__(self, services: Services, threads: Threads, url: str, token: str, tenant: str) -> None:
        self._services = services
        self._threads = threads
        self._url = url
        self._tenant = tenant
        self._headers: Mapping[str, str] = {"authorization": f"Bearer {token}"} if token else {}
        self._way: Known | None = None

    async def ask(self, context: Context, message: messages.Message, seconds: float) -> messages.Message:
        """Return the answer to a message; what it takes over there ends when nobody waits here any more.

        Raises:
            RefusedError: the agent will not, or does not let us in.
            FailedError: it could not.
            BusyError: it takes nothing at present.
            ExpiredError: it took longer than so many seconds.
            TransportError: it cannot be reached.
        """
        wire = Wire(self._services.transport, known := await self._reached(), self._headers)
        thread = f"{self._url}\n{self._tenant}\n{context.address}"
        for number in range(TRIES):
            id = f"{context.key}.{number}" if number else context.key
            tracker, place = Tracker(context.emit), await self._threads.of(thread)
            params = {"message": _message(message, id, place), "metadata": {SECONDS: seconds}}
            with anyio.move_on_after(seconds) as scope:
                first = await self._follow(wire, known, tracker, params, seconds)
            if scope.cancelled_caught:
                raise ExpiredError(f"{self._url}: no answer within {seconds:g} s")
            if tracker.context:
                waiting = tracker.task if tracker.state is State.INPUT_REQUIRED else ""
                await self._threads.move(thread, Place(tracker.context, waiting))
            if first is not State.CANCELED:
                break
        return tracker.answer(self._url)

    async def _follow(
        self, wire: Wire, known: Way, tracker: Tracker, params: Mapping[str, Any], seconds: float
    ) -> State | None:
        """Ask, and follow the task until it is settled; return the state in which it was when first heard of."""
        first: list[State | None] = []

        def take(event: Any) -> bool:
            going = tracker.take(event)
            first.append(tracker.state)
            return going

        try:
            if known.streaming:
                await self._streamed(wire, "SendStreamingMessage", params, tracker, take, seconds)
            else:
                # At once, so that the task is known, and can be cancelled, from the beginning.
                configuration = {"configuration": {"returnImmediately": True}}
                await wire.stream("SendMessage", {**params, **configuration}, take, seconds)
            await self._settle(wire, known, tracker, take, seconds)
        finally:
            if tracker.task and not tracker.settled:
                with anyio.CancelScope(shield=True), anyio.move_on_after(CANCEL_SECONDS), suppress(ClawmeshError):
                    await wire.call("CancelTask", {"id": tracker.task})
        return first[0] if first else None

    async def _settle(self, wire: Wire, known: Way, tracker: Tracker, take: Any, seconds: float) -> None:
        """Look at a task until it is settled, where no stream has told its end."""
        looks = failures = 0
        while not tracker.settled:
            if not tracker.task:
                raise FailedError(f"{self._url}: it told neither a task nor an answer")
            await anyio.sleep(PAUSES[min(looks, len(PAUSES) - 1)])
            looks += 1
            try:
                tracker.snapshot(_task(await wire.call("GetTask", {"id": tracker.task})))
                if known.streaming and not tracker.settled:
                    await self._streamed(wire, "SubscribeToTask", {"id": tracker.task}, tracker, take, seconds)
                failures = 0
            except (TransportError, BusyError):
                failures += 1
                if failures >= FAILURES:
                    raise

    async def _streamed(
        self, wire: Wire, method: str, params: Mapping[str, Any], tracker: Tracker, take: Any, seconds: float
    ) -> None:
        """Follow a stream; that it breaks is no failure where the task is known, which goes on without it."""
        try:
            await wire.stream(method, params, take, seconds)
        except TransportError:
            if not tracker.task:
                raise

    async def _reached(self) -> Way:
        """Return the way to the agent, from its card."""
        now = self._services.clock.monotonic()
        if self._way is None or self._way.until <= now:
            self._way = Known(await self._card(), now + FRESH)
        return self._way.way

    async def _card(self) -> Way:
        keeper = Keeper(CARD_BYTES)
        target = Target.parse(location(self._url), method="GET", headers=self._headers)
        total = CARD_SECONDS
        deadlines = Deadlines(head=total, silence=total, total=total)
        with suppress(EnoughError):  # what is cut off is no card
            await self._services.transport.exchange(target, b"", keeper, deadlines)
        if keeper.status != 200:
            raise error_of(keeper.status, None, location(self._url))
        return way(bytes(keeper.body), self._url, self._tenant)


def _message(message: messages.Message, id: str, place: Place) -> Any:
    spoken = Message(
        message_id=id,
        role=Role.USER,
        parts=said(message.parts),
        context_id=place.context,
        task_id=place.task,
    )
    return msgspec.to_builtins(spoken)


def _task(value: Any) -> Task:
    try:
        return msgspec.convert(tidy(value), Task)
    except (msgspec.ValidationError, RecursionError) as error:
        raise FailedError(f"this is no task of A2A: {error}") from error
