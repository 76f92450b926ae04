"""The protocol's operations, for both bindings.

Source: A2A specification 1.0, section 3.1 "Core Operations".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import blake2b
from typing import Any, TypeAlias

import anyio
from msgspec.structs import replace

from clawmesh.a2a.content import heard, said
from clawmesh.a2a.courier import Courier
from clawmesh.a2a.fault import (
    INVALID_PARAMS,
    TASK_NOT_CANCELABLE,
    TASK_NOT_FOUND,
    UNSUPPORTED_OPERATION,
    A2aError,
    task_not_found,
)
from clawmesh.a2a.feed import Feed, Tell
from clawmesh.a2a.listing import Found, Page, find, page
from clawmesh.a2a.mesh import Holder, Mesh
from clawmesh.a2a.request import Configs, Listing, Named, Sending
from clawmesh.a2a.task import KEY, artifacts_of, ended, shortened, status_of, task_of
from clawmesh.a2a.values import TERMINAL, Event, Message, PushConfig, Role, State, Task
from clawmesh.a2a.webhook import Kept, Webhooks, shown
from clawmesh.config.model import AgentConfig
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Outcome
from clawmesh.mesh.record import unpack_envelope
from clawmesh.messages import Emit

Follow: TypeAlias = Callable[[Tell], Awaitable[None]]
"""Tells the events of a stream until its end."""

MESSAGE_ID = 200
# How long one who cancels waits to hear that it is done.
CANCEL_SECONDS = 10.0


class Desk:
    """Does what clients ask for; every method raises A2aError, and what else `kind_of` knows."""

    def __init__(self, mesh: Mesh, webhooks: Webhooks, courier: Courier) -> None:
        self._mesh = mesh
        self._engine = mesh.engine
        self._webhooks = webhooks
        self._courier = courier

    async def send(self, holder: Holder, agent: AgentConfig, sending: Sending) -> Event:
        """Take a message; return its task when it has ended, or at once where that is wished (section 3.1.1)."""
        delivery = await self._begin(holder, agent, sending, None)
        outcome = None if sending.configuration.return_immediately else await self._engine.settled(delivery)
        task = self._new(holder, delivery, sending, outcome or delivery.outcome)
        return Event(task=shortened(task, sending.configuration.history_length))

    async def stream(self, holder: Holder, agent: AgentConfig, sending: Sending) -> Follow:
        """Take a message and return what tells of it as it is answered (section 3.1.2)."""
        feed = Feed(self._engine)
        delivery = await self._begin(holder, agent, sending, feed.emit)
        task = shortened(self._new(holder, delivery, sending, None), sending.configuration.history_length)
        return partial(feed.follow, delivery, task)

    async def get(self, holder: Holder, agent: AgentConfig, named: Named) -> Task:
        """Return a task (section 3.1.3)."""
        found = await self._find(holder, agent, named.id)
        return shortened(task_of(found.account, found.session, holder), named.history_length)

    async def list(self, holder: Holder, agent: AgentConfig, listing: Listing) -> Page:
        """Return the tasks that the holder may know of (section 3.1.4)."""
        return await self._mesh.read(lambda archive: page(archive, agent.name, holder, listing))

    async def cancel(self, holder: Holder, agent: AgentConfig, named: Named) -> Task:
        """Stop a task, and return what has become of it (section 3.1.5)."""
        found = await self._find(holder, agent, named.id)
        self._require_open(found, holder, TASK_NOT_CANCELABLE)
        with anyio.move_on_after(CANCEL_SECONDS):
            await self._mesh.cancel(named.id, Address.parse(found.account.envelope.to))
        found = await self._find(holder, agent, named.id)
        task = task_of(found.account, found.session, holder)
        if task.status.state is not State.CANCELED:
            self._require_open(found, holder, TASK_NOT_CANCELABLE)
        return task

    async def subscribe(self, holder: Holder, agent: AgentConfig, named: Named) -> Follow:
        """Return what tells of a task from now on (section 3.1.6)."""
        found = await self._find(holder, agent, named.id)
        self._require_open(found, holder, UNSUPPORTED_OPERATION)
        feed = Feed(self._engine)
        envelope = unpack_envelope(found.story[0].data, self._engine.clock)
        delivery = await self._engine.take(envelope, feed.emit, again=True)
        return partial(feed.follow, delivery, task_of(found.account, found.session, holder))

    async def create_push(self, holder: Holder, agent: AgentConfig, config: PushConfig) -> PushConfig:
        """Have a task's end told to a webhook (section 3.1.7)."""
        found = await self._find(holder, agent, config.task_id)
        return await self._push(holder, Address.parse(found.account.envelope.to), config)

    async def get_push(self, holder: Holder, agent: AgentConfig, configs: Configs) -> PushConfig:
        """Return one configuration (section 3.1.8)."""
        for config in await self._configs(holder, agent, configs):
            if config.id == configs.id:
                return shown(config)
        message = f'the task {configs.task_id} has no push notification configuration "{configs.id}"'
        raise A2aError(TASK_NOT_FOUND, message, facts={"taskId": configs.task_id})

    async def list_push(self, holder: Holder, agent: AgentConfig, configs: Configs) -> dict[str, Any]:
        """Return the configurations of a task (section 3.1.9); there are never so many that they need pages."""
        known = await self._configs(holder, agent, configs)
        return {"configs": [shown(config) for config in known], "nextPageToken": ""}

    async def delete_push(self, holder: Holder, agent: AgentConfig, configs: Configs) -> dict[str, Any]:
        """Forget a configuration; there may be none (section 3.1.10)."""
        await self._find(holder, agent, configs.task_id)
        if configs.id:
            await self._webhooks.remove(configs.task_id, configs.id)
        return {}

    async def extended_card(self, _holder: Holder, _agent: AgentConfig, _request: Any) -> Any:
        """Refuse: the card, which is shown to holders of a token only, says all (section 3.1.11)."""
        raise A2aError(UNSUPPORTED_OPERATION, "there is no extended card: the agent card says all")

    async def _find(self, holder: Holder, agent: AgentConfig, id: str) -> Found:
        found = await self._mesh.read(lambda archive: find(archive, id, agent.name, holder))
        if found is None:
            raise task_not_found(id)
        return found

    def _require_open(self, found: Found, holder: Holder, kind: Any) -> None:
        state = task_of(found.account, (), holder, artifacts=False).status.state
        if state in TERMINAL:
            message = f"the task {found.account.id} has ended: {state}"
            raise A2aError(kind, message, facts={"taskId": found.account.id, "state": state})

    async def _begin(self, holder: Holder, agent: AgentConfig, sending: Sending, emit: Emit | None) -> Delivery:
        """Accept a message; on return it is on disk, and goes on whoever leaves (section 3.5.2)."""
        message = sending.message
        if message.role is not Role.USER:
            raise A2aError(INVALID_PARAMS, f"found {message.role}, expected {Role.USER}", field="message.role")
        if not 0 < len(message.message_id) <= MESSAGE_ID:
            text = f"expected an id of 1 to {MESSAGE_ID} characters"
            raise A2aError(INVALID_PARAMS, text, field="message.messageId")
        if message.task_id:
            await self._refuse_more(holder, agent, message)
        spoken, seconds = heard(message.parts), sending.seconds
        address = holder.inside(agent.name, message.context_id or _context(holder, agent, message))
        config = sending.configuration.task_push_notification_config
        if config is not None:
            config = self._named(config)
            self._webhooks.check(config)
        key = KEY + message.message_id
        delivery = await self._engine.begin(address, spoken, sender=holder.name, seconds=seconds, emit=emit, key=key)
        await self._engine.kept(delivery)
        if config is not None:
            await self._push(holder, address, replace(config, task_id=delivery.envelope.id))
        return delivery

    async def _refuse_more(self, holder: Holder, agent: AgentConfig, message: Message) -> None:
        """Say why a task takes no further message: a message is a task here, and what continues it is its context."""
        found = await self._find(holder, agent, message.task_id)
        context = holder.outside(Address.parse(found.account.envelope.to))
        if message.context_id not in ("", context):
            text = f"the task {message.task_id} is of the context {context}"
            raise A2aError(INVALID_PARAMS, text, field="message.contextId")
        text = f"the task {message.task_id} takes no more messages: go on in its context {context}, without its id"
        raise A2aError(UNSUPPORTED_OPERATION, text, facts={"taskId": message.task_id, "contextId": context})

    def _new(self, holder: Holder, delivery: Delivery, sending: Sending, outcome: Outcome | None) -> Task:
        """Return a task that was accepted a moment ago, or has ended meanwhile."""
        envelope, now = delivery.envelope, self._engine.clock.now()
        context = holder.outside(envelope.to)
        state = ended(outcome) if outcome else State.WORKING if delivery.taken else State.SUBMITTED
        parts = said(envelope.message.parts)
        id = sending.message.message_id
        asked = Message(message_id=id, role=Role.USER, parts=parts, context_id=context, task_id=envelope.id)
        return Task(
            id=envelope.id,
            context_id=context,
            status=status_of(state, now, task=envelope.id, context=context, error=outcome.error if outcome else None),
            artifacts=tuple(artifacts_of(outcome)) if outcome else (),
            history=(asked,),
        )

    def _named(self, config: PushConfig) -> PushConfig:
        return config if config.id else replace(config, id=self._mesh.app.ids.new("push"))

    async def _push(self, holder: Holder, address: Address, config: PushConfig) -> PushConfig:
        config = self._named(config)
        kept = Kept(config.task_id, str(address), holder.name, holder.outside(address))
        await self._webhooks.add(kept, config)
        self._courier.follow(config.task_id)
        return shown(config)

    async def _configs(self, holder: Holder, agent: AgentConfig, configs: Configs) -> tuple[PushConfig, ...]:
        await self._find(holder, agent, configs.task_id)
        kept = await self._webhooks.of(configs.task_id)
        return kept.configs if kept else ()


def _context(holder: Holder, agent: AgentConfig, message: Message) -> str:
    """Return the name of a new session: the same when the same message comes again (section 3.3.1)."""
    text = f"{holder.name}\0{agent.name}\0{message.message_id}"
    return f"c{blake2b(text.encode(errors='replace'), digest_size=16).hexdigest()}"
