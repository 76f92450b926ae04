"""Messages to agents: sent, answered at once or piece by piece, and looked up afterwards."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from msgspec import Struct, to_builtins

from clawmesh.agent.case import examine, facts
from clawmesh.api.call import Call, require
from clawmesh.api.fault import ApiError, answer, body_of, kind_of, say, status_of
from clawmesh.api.markup import to_html
from clawmesh.api.mesh import Mesh
from clawmesh.api.stream import EventSource
from clawmesh.errors import ClawmeshError, FailedError, UnknownError
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Outcome
from clawmesh.messages import Image, Message, Part, Piece, Text
from clawmesh.server.request import Receive, Scope, Send

STREAM = "text/event-stream"
LONGEST = 86_400.0


class Picture(Struct, frozen=True, forbid_unknown_fields=True):
    """An image by value, in base64, or by reference."""

    media_type: str = ""
    data: str = ""
    url: str = ""


class Posted(Struct, frozen=True, forbid_unknown_fields=True):
    """A message from outside; without a `session` it begins one of its own. `wait` is false for one without answer."""

    text: str
    images: tuple[Picture, ...] = ()
    session: str = ""
    seconds: float | None = None
    wait: bool = True

    def message(self) -> Message:
        """Raises ApiError where an image is none."""
        parts: list[Part] = [Text(self.text)] if self.text or not self.images else []
        for picture in self.images:
            try:
                data = base64.b64decode(picture.data, validate=True)
            except (binascii.Error, ValueError) as error:
                raise ApiError(400, f"this is no base64: {error}", param="images") from error
            parts.append(Image(picture.media_type, data, picture.url))
        return Message("user", tuple(parts))


class Messages:
    """The routes of one mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    async def post(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a message and answer with its outcome: whole, or as events where the client accepts these."""
        try:
            call = Call(scope, receive)
            require(call.token, "talk")
            posted = await call.body(Posted)
            if not posted.wait:
                await self._send_only(call, posted, send)
            elif STREAM in call.header(b"accept"):
                await self._stream(call, posted, send)
            else:
                await self._whole(call, posted, send)
        except ClawmeshError as error:
            await say(error, send)

    async def get(self, call: Call) -> dict[str, Any]:
        """Return what became of a message, and of all its kin."""
        id = call.part("id")
        case = await self._mesh.read(lambda archive: examine(archive, id))
        if case is None or not call.token.owns(Address.parse(case.account.envelope.to)):
            raise UnknownError(f'there is no message "{id}"')
        kin = [facts(each) for each in case.kin if each.id != id]
        return {"message": {**facts(case.account), "waits_for": case.waits or None}, "kin": kin}

    def _address(self, call: Call, posted: Posted) -> Address:
        agent = call.part("agent")
        if not call.token.knows(agent):
            raise UnknownError(f'there is no agent "{agent}"')
        self._mesh.engine.check(agent)
        if posted.seconds is not None and not 0 < posted.seconds <= LONGEST:
            raise ApiError(400, f"found {posted.seconds}, expected seconds above 0, a day at most", param="seconds")
        return call.token.inside(agent, posted.session or self._mesh.app.ids.new("s"))

    async def _begin(self, call: Call, posted: Posted, emit: Any = None) -> Delivery:
        return await self._mesh.engine.begin(
            self._address(call, posted),
            posted.message(),
            sender=call.token.name,
            seconds=posted.seconds,
            emit=emit,
            key=call.header(b"idempotency-key"),
        )

    async def _send_only(self, call: Call, posted: Posted, send: Send) -> None:
        address = self._address(call, posted)
        key = call.header(b"idempotency-key")
        id = await self._mesh.engine.send(
            address, posted.message(), sender=call.token.name, seconds=posted.seconds, key=key
        )
        await answer(send, {"id": id, "agent": address.agent, "session": call.token.outside(address)}, status=202)

    async def _whole(self, call: Call, posted: Posted, send: Send) -> None:
        delivery = await self._begin(call, posted)
        outcome = await self._mesh.engine.settled(delivery)
        told = _told(delivery, call)
        if outcome.message is None:
            error = outcome.error or FailedError("there is no answer")
            value = {**told, "ending": outcome.ending, **to_builtins(body_of(error))}
            await answer(send, value, status=status_of(error))
        else:
            await answer(send, {**told, **_answered(outcome)})

    async def _stream(self, call: Call, posted: Posted, send: Send) -> None:
        source = EventSource(call.scope, send)
        early: list[Piece] = []
        accepted = False

        def emit(piece: Piece) -> None:
            if accepted:
                source.tell("piece", piece)
            else:
                early.append(piece)

        delivery = await self._begin(call, posted, emit)
        told = _told(delivery, call)

        async def follow() -> None:
            nonlocal accepted
            try:
                await self._mesh.engine.kept(delivery)
                source.tell("accepted", told)
                for piece in early:
                    source.tell("piece", piece)
                accepted = True
                outcome = await self._mesh.engine.settled(delivery)
            except ClawmeshError as error:
                source.tell("failed", {**told, **_failed(error)})
                return
            if outcome.message is None:
                reason = outcome.error or FailedError("there is no answer")
                source.tell("failed", {**told, "ending": outcome.ending, **_failed(reason)})
            else:
                source.tell("answered", {**told, **_answered(outcome)})

        await source.run(follow)


def _told(delivery: Delivery, call: Call) -> dict[str, Any]:
    to = delivery.envelope.to
    return {"id": delivery.envelope.id, "agent": to.agent, "session": call.token.outside(to)}


def _answered(outcome: Outcome) -> dict[str, Any]:
    assert outcome.message is not None  # it was answered
    text = outcome.message.text
    return {"text": text, "html": to_html(text), "message": outcome.message, "report": outcome.report}


def _failed(error: ClawmeshError) -> dict[str, Any]:
    return {"error": {"message": str(error), "type": kind_of(error, status_of(error))}}
