"""Messages to agents: sent, answered at once or piece by piece, and looked up afterwards."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import anyio
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
from clawmesh.messages import Image, Message, Part, Piece, Retraction, Text
from clawmesh.server.request import Receive, Scope, Send

STREAM = "text/event-stream"
LONGEST = 86_400.0
KEY, LAST = b"idempotency-key", b"last-event-id"
LAST_EVENT = re.compile(r"([0-9a-f]{1,16})\.([0-9]{1,9})")


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
        seen = (each for each in case.kin if each.id != id and call.token.knows(Address.parse(each.envelope.to).agent))
        kin = [facts(each) for each in seen]
        return {"message": {**facts(case.account), "waits_for": case.waits or None}, "kin": kin}

    def _address(self, call: Call, posted: Posted) -> Address:
        agent = call.part("agent")
        if not call.token.knows(agent):
            raise UnknownError(f'there is no agent "{agent}"')
        self._mesh.engine.check(agent)
        if posted.seconds is not None and not 0 < posted.seconds <= LONGEST:
            raise ApiError(400, f"found {posted.seconds}, expected seconds above 0, a day at most", param="seconds")
        key = call.header(KEY)
        if key and not posted.session:
            return call.token.apart(agent, key)
        return call.token.inside(agent, posted.session or self._mesh.app.ids.new("s"))

    async def _begin(self, call: Call, posted: Posted, emit: Any = None) -> Delivery:
        return await self._mesh.engine.begin(
            self._address(call, posted),
            posted.message(),
            sender=call.token.name,
            seconds=posted.seconds,
            emit=emit,
            key=call.header(KEY),
        )

    async def _send_only(self, call: Call, posted: Posted, send: Send) -> None:
        address = self._address(call, posted)
        key = call.header(KEY)
        id = await self._mesh.engine.send(
            address, posted.message(), sender=call.token.name, seconds=posted.seconds, key=key
        )
        await answer(send, {"id": id, "agent": address.agent, "session": call.token.outside(address)}, status=202)

    async def _whole(self, call: Call, posted: Posted, send: Send) -> None:
        outcome = None
        with anyio.CancelScope() as scope:
            call.scope["extensions"]["clawmesh.left"](scope.cancel)
            delivery = await self._begin(call, posted)
            outcome = await self._mesh.engine.settled(delivery)
        if outcome is None:
            return  # the client has left
        told = _told(delivery, call)
        if outcome.message is None:
            error = outcome.error or FailedError("there is no answer")
            value = {**told, "ending": outcome.ending, **to_builtins(body_of(error))}
            await answer(send, value, status=status_of(error))
        else:
            await answer(send, {**told, **_answered(outcome)})

    async def _stream(self, call: Call, posted: Posted, send: Send) -> None:
        address = self._address(call, posted)
        epoch, after = await self._resumed(call, str(address))
        source = EventSource(call.scope, send, epoch=epoch, after=after or 0)
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
                if after == 0:
                    source.tell("piece", Retraction("the answer is told from its beginning"))
                for piece in early:
                    source.tell("piece", piece)
                accepted = True
                outcome = await self._mesh.engine.settled(delivery)
            except ClawmeshError as error:
                source.tell("failed", {**told, **_failed(error)}, last=True)
                return
            if outcome.message is None:
                reason = outcome.error or FailedError("there is no answer")
                source.tell("failed", {**told, "ending": outcome.ending, **_failed(reason)}, last=True)
            else:
                source.tell("answered", {**told, **_answered(outcome)}, last=True)

        await source.run(follow)

    async def _resumed(self, call: Call, session: str) -> tuple[str, int | None]:
        """Return the epoch of a stream's numbers, and up to which of them the client has heard the events.

        The latter is None for one who begins, and 0 for one who has heard events of an earlier epoch.

        Raises:
            ApiError: the client wants to go on with what has no key, or says where in no words of ours.
        """
        key, last = call.header(KEY), call.header(LAST)
        if not key:
            if last:
                raise ApiError(400, "only a message that was sent with an Idempotency-Key can be heard on")
            return "0", None
        epoch: str = await self._mesh.there("epoch", session)
        if not last:
            return epoch, None
        match = LAST_EVENT.fullmatch(last)
        if match is None:
            raise ApiError(400, f"found Last-Event-ID {last!r}, expected one that was told here")
        return epoch, int(match[2]) if match[1] == epoch else 0


def _told(delivery: Delivery, call: Call) -> dict[str, Any]:
    to = delivery.envelope.to
    return {"id": delivery.envelope.id, "agent": to.agent, "session": call.token.outside(to)}


def _answered(outcome: Outcome) -> dict[str, Any]:
    assert outcome.message is not None  # it was answered
    text = outcome.message.text
    return {"text": text, "html": to_html(text), "message": outcome.message, "report": outcome.report}


def _failed(error: ClawmeshError) -> dict[str, Any]:
    return {"error": {"message": str(error), "type": kind_of(error, status_of(error))}}
