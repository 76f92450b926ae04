"""Which message a person means who gives an id, or the beginning of one."""

from __future__ import annotations

from collections.abc import Sequence

from clawmesh.errors import UsageError
from clawmesh.journal.archive import Archive

PREFIX = "env_"
# An id goes on with the time: as many equal characters are no more than some hours apart.
ALIKE = len(PREFIX) + 5
SHOWN = 10


def identify(archive: Archive, text: str) -> str:
    """Return the id of the message that is meant.

    Raises:
        UsageError: there is none, or there are several.
    """
    if "/" in text:
        raise UsageError(f"{text} is a session; 'clawmesh why {text}' lists its messages")
    found = [id for beginning in beginnings(text) for id in archive.find_prefix(beginning, SHOWN)]
    id = only(text, found, "messages")
    if id is None:
        raise _unknown(archive, text)
    return id


def beginnings(text: str) -> tuple[str, ...]:
    """Return how an id begins that is meant by a text, which may lack the prefix."""
    # An empty text, as of a script's variable that is not set, means none.
    return (text, PREFIX + text) if text else ()


def only(text: str, found: Sequence[str], what: str) -> str | None:
    """Return, of the ids that begin with the text, the one that is meant; None where there is none.

    Raises:
        UsageError: there are several.
    """
    meant = [id for id in found if id in beginnings(text)] or found
    if len(meant) > 1:
        raise UsageError(f'several {what} begin with "{text}": {", ".join(meant[:SHOWN])}')
    return meant[0] if meant else None


def _unknown(archive: Archive, text: str) -> UsageError:
    wanted = text if text.startswith(PREFIX) else PREFIX + text
    neighbours = archive.near(wanted)
    near = [id for id in neighbours if id[:ALIKE] == wanted[:ALIKE]]
    sessions = [each.session for each in archive.sessions(text)] if text else []
    if near:
        hint = f"; nearest: {', '.join(near)}"
    elif sessions:
        hint = f"; sessions of {text}: {', '.join(sessions[:SHOWN])}{', …' if len(sessions) > SHOWN else ''}"
    else:
        hint = "" if neighbours else "; the journal is empty"
    error = UsageError(f'there is no message "{text}"{hint}')
    error.add_note("'clawmesh why AGENT/SESSION' lists the messages of a session")
    return error
