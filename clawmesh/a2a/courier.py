"""Push notifications: how a task ended is sent to whoever asked for it, again and again until it has arrived.

Source: A2A specification 1.0, section 4.3.3 "Push Notification Payload" and section 13.2. The header for the token is
the one that the protocol's own SDKs send and look for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import anyio
import msgspec
from anyio.abc import TaskGroup

from clawmesh.a2a.feed import closing
from clawmesh.a2a.mesh import Mesh
from clawmesh.a2a.values import Event, PushConfig
from clawmesh.a2a.webhook import Kept, Webhooks
from clawmesh.agent.story import read
from clawmesh.errors import BusyError, ClawmeshError, TransportError, UnknownError
from clawmesh.http.egress import EgressPolicy
from clawmesh.http.headers import Headers
from clawmesh.http.limits import Deadlines
from clawmesh.http.target import Target
from clawmesh.http.transport import Transport
from clawmesh.mesh.address import Address
from clawmesh.mesh.ending import CLOSED
from clawmesh.mesh.envelope import Outcome
from clawmesh.mesh.record import unpack_envelope
from clawmesh.version import VERSION

MEDIA = "application/a2a+json"
TOKEN = "x-a2a-notification-token"  # noqa: S105 - the header's name
# Between two tries, in seconds; after the last one it is given up, and said.
PAUSES = (1.0, 4.0, 16.0)
SECONDS = 15.0
DEADLINES = Deadlines(wait=SECONDS, connect=SECONDS, head=SECONDS, silence=SECONDS, total=SECONDS)
# Tasks that are followed at the same time, and requests under way.
FOLLOWED, SENDING = 1000, 32
ANSWER_BYTES = 64 * 1024


class Courier:
    """Follows tasks that have a webhook, and delivers how they end."""

    def __init__(
        self,
        mesh: Mesh,
        webhooks: Webhooks,
        transport: Transport,
        policy: EgressPolicy,
        warn: Callable[[str], None],
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._mesh = mesh
        self._webhooks = webhooks
        self._transport = transport.guarded(policy)
        self._policy = policy
        self._warn = warn
        self._pauses = pauses
        self._tasks: TaskGroup | None = None
        self._followed: set[str] = set()
        self._lines = anyio.CapacityLimiter(SENDING)

    async def run(self) -> None:
        """Follow until cancelled; at the start those tasks of this worker's sessions that a process before followed."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            for kept in await self._webhooks.all():
                node, session = self._mesh.node, Address.parse(kept.session).session
                if node.home(session) == node.worker and len(self._followed) < FOLLOWED:
                    self.follow(kept.task)
            await anyio.sleep_forever()

    def follow(self, task: str) -> None:
        """Follow a task to its end, unless it is followed already.

        Raises:
            BusyError: too many are followed, or this process is ending.
        """
        if task in self._followed:
            return
        if self._tasks is None or len(self._followed) >= FOLLOWED:
            raise BusyError("no more tasks can have push notifications at present")
        self._followed.add(task)
        self._tasks.start_soon(self._follow, task)

    async def _follow(self, task: str) -> None:
        told: set[str] = set()
        try:
            outcome = await self._outcome(task)
            # What is asked for while this is sent is told, too.
            while kept := await self._webhooks.of(task):
                configs = [config for config in kept.configs if config.id not in told]
                if not configs:
                    break
                told.update(config.id for config in configs)
                events = closing(outcome, task, kept.context, self._mesh.engine.clock.now())
                async with anyio.create_task_group() as tasks:
                    for config in configs:
                        tasks.start_soon(self._deliver, kept, config, events)
        except ClawmeshError as error:
            self._warn(f"no push notification of {task}: {error}")
        finally:
            self._followed.discard(task)

    async def _outcome(self, task: str) -> Outcome:
        """Return how a task ended, once it has.

        Raises:
            UnknownError: the journal does not know it any more.
            BusyError: the mesh was closed before.
            StorageError: the journal cannot be read.
        """
        engine = self._mesh.engine
        story = await self._mesh.read(lambda archive: archive.story(task))
        if not story:
            await self._webhooks.remove(task)
            raise UnknownError(f'there is no task "{task}" any more')
        if account := read(story).outcome:
            return account.outcome()
        delivery = await engine.take(unpack_envelope(story[0].data, engine.clock), again=True)
        outcome = await engine.settled(delivery)
        if outcome is CLOSED:
            raise BusyError("the mesh was closed before its end")
        return outcome

    async def _deliver(self, kept: Kept, config: PushConfig, events: Sequence[Event]) -> None:
        try:
            for event in events:
                if not await self._arrived(kept, config, msgspec.json.encode(event)):
                    break
            await self._webhooks.remove(kept.task, config.id)
        except ClawmeshError as error:
            self._warn(f"the push notification {config.id} of {kept.task} for {kept.holder}: {error}")

    async def _arrived(self, kept: Kept, config: PushConfig, body: bytes) -> bool:
        """Send until it has arrived, or was tried often enough; the last reason is said."""
        reason = ""
        for pause in (0.0, *self._pauses):
            await anyio.sleep(pause)
            try:
                async with self._lines:
                    status = await self._send(config, body)
            except TransportError as error:
                reason = str(error)
            else:
                if status // 100 == 2:
                    return True
                reason = f"it answered {status}"
        self._warn(f"the push notification {config.id} of {kept.task} for {kept.holder} did not arrive: {reason}")
        return False

    async def _send(self, config: PushConfig, body: bytes) -> int:
        headers = {"content-type": MEDIA, "user-agent": f"clawmesh/{VERSION}"}
        if config.token:
            headers[TOKEN] = config.token
        known = config.authentication
        if known and known.scheme and known.credentials:
            headers["authorization"] = f"{known.scheme} {known.credentials}"
        # A redirect is an answer like another: it could lead anywhere, with the credentials.
        target = Target.of(self._policy.check(config.url), method="POST", headers=headers)
        answer = _Answer()
        with suppress(_EnoughError):
            await self._transport.exchange(target, body, answer, DEADLINES)
        return answer.status


class _EnoughError(Exception):
    """Ends an exchange whose answer is longer than anybody needs."""


class _Answer:
    def __init__(self) -> None:
        self.status = 0
        self._size = 0

    def head(self, status: int, _headers: Headers) -> None:
        self.status = status

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > ANSWER_BYTES:
            raise _EnoughError
