"""Responses given before, as the journal has them: what a new one may go on from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from clawmesh.abc.journal import Story
from clawmesh.agent.exchange import exchange
from clawmesh.api.openai.caller import Caller
from clawmesh.api.openai.fault import invalid
from clawmesh.mesh.address import Address
from clawmesh.mesh.record import read_accepted
from clawmesh.messages import Message

PARAM = "previous_response_id"
PREFIX = "resp"
Stories: TypeAlias = Callable[[str], Awaitable[Story]]
"""Finds the story of an envelope in the journal, of whichever worker; none where it is not known."""


def identify(prefix: str, envelope: str) -> str:
    """Return the id of an answer, which says what message it answers."""
    return f"{prefix}_{envelope.partition('_')[2]}"


def envelope_of(id: str) -> str:
    """Return the id of the message that a response with this id answers."""
    return f"env_{id.partition('_')[2]}"


async def recall(stories: Stories, id: str, caller: Caller) -> tuple[Message, ...]:
    """Return all that was said up to the end of a response, its own tools' calls and results included.

    Raises:
        Rejection: this caller has no such response, or it has no answer, or a session has what was said before it.
        StorageError: the journal cannot be read.
    """
    story = await stories(envelope_of(id)) if id.startswith(f"{PREFIX}_") else ()
    accepted = read_accepted(story[0].data) if story else None
    if accepted is None or not caller.token.owns(Address.parse(accepted.to)):
        raise invalid(f'there is no response "{id}"', PARAM, "previous_response_not_found")
    if accepted.wishes is None or accepted.wishes.history is None:
        session = caller.token.outside(Address.parse(accepted.to))
        raise invalid(f'"{id}" belongs to the conversation "{session}": name that instead', PARAM)
    said = exchange(story)
    if not said:
        raise invalid(f'"{id}" has come to no answer to go on from', PARAM)
    return (*accepted.wishes.history, *said)
