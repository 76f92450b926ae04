"""One message with all its kin: what became of it, for people and for programs."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, to_builtins

from clawmesh.agent.story import PENDING, Account, awaited, read, read_all
from clawmesh.journal.archive import Archive
from clawmesh.mesh.record import Fault


class Case(Struct, frozen=True):
    """A message with all that goes back to the same one, itself included; `waits` says what a pending one waits for."""

    account: Account
    kin: tuple[Account, ...]
    waits: str


def examine(archive: Archive, id: str) -> Case | None:
    """Return the case of a message, None where the journal does not know it.

    Raises:
        StorageError: the journal cannot be read.
    """
    story = archive.story(id)
    if not story:
        return None
    account = read(story)
    # A cause may have so many kin that not all of them are read; those before it always are.
    causes = [archive.story(cause) for cause in account.envelope.causes]
    known = {each.id: each for each in read_all([*archive.kin(id), *causes]) if each.root == account.root}
    known[id] = account
    waits = ""
    if account.state == PENDING:
        pending = [each for each in read_all(archive.session(account.envelope.to)) if each.state == PENDING]
        waits = awaited(account, known.values(), pending)
    return Case(account, tuple(known.values()), waits)


def facts(account: Account) -> dict[str, Any]:
    """Return all of an account as JSON has it; times are in seconds since 1970, durations in seconds."""
    envelope, outcome = account.envelope, account.outcome
    return {
        "id": account.id,
        "from": envelope.sender,
        "to": envelope.to,
        "kind": envelope.kind,
        "state": account.state,
        "text": envelope.message.text,
        "message": to_builtins(envelope.message),
        "key": envelope.key or None,
        "causes": envelope.causes,
        "waiting": envelope.waiting,
        "accepted": account.accepted,
        "deadline": envelope.deadline,
        "ended": account.ended or None,
        "waited": account.waited,
        "took": account.took,
        "resumed": account.resumed,
        "usage": to_builtins(account.usage),
        "steps": to_builtins(account.steps),
        "answer": to_builtins(outcome.message) if outcome else None,
        "error": {"type": error.type, "message": reason(error)} if outcome and (error := outcome.error) else None,
        "rests": to_builtins(account.rests),
    }


def reason(error: Fault) -> str:
    """Return what an error says, and which backend it came from."""
    backend = error.failure.backend if error.failure else ""
    return f"{backend}: {error.text}" if backend else error.text
