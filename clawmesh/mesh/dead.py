"""Dead letters: what failed and nobody was told of, until a person sends it again or discards it."""

from __future__ import annotations

from msgspec.structs import replace

from clawmesh.abc.journal import Kind, Story
from clawmesh.errors import UnknownError
from clawmesh.ids import derive
from clawmesh.mesh.engine import Engine
from clawmesh.mesh.record import unpack_envelope


async def redrive(engine: Engine, id: str) -> str:
    """Send a dead letter again, with a deadline of its own; return the id of the new envelope.

    Raises:
        UnknownError: there is no such dead letter.
        MeshError: it was not accepted; it stays where it is.
    """
    story = await _letter(engine, id)
    old = unpack_envelope(story[0].data, engine.clock)
    times = sum(entry.kind is Kind.REVIVED for entry in story)
    # The same id if a crash comes between the two records, so that it is never sent twice.
    new = derive(old.id, f"redrive {times}")
    causes = (old.root, old.id) if old.causes else (old.id,)
    envelope = replace(old, id=new, kind="send", causes=causes, waiting=(), key="", deadline=engine.until(None))
    await engine.kept(await engine.take(envelope, again=True))
    await engine.log.journal.durable(engine.log.note(Kind.REVIVED, id, new.encode()))
    return new


async def discard(engine: Engine, id: str) -> None:
    """Take a dead letter away for good.

    Raises:
        UnknownError: there is no such dead letter.
    """
    await _letter(engine, id)
    await engine.log.journal.durable(engine.log.note(Kind.DISCARDED, id))


async def _letter(engine: Engine, id: str) -> Story:
    story = await engine.log.story(id)
    rests = [entry.kind for entry in story if entry.kind in (Kind.DEAD, Kind.REVIVED, Kind.DISCARDED)]
    if not rests or rests[-1] is not Kind.DEAD:
        raise UnknownError(f'there is no dead letter "{id}"')
    return story
