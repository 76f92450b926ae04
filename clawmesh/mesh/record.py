"""What the journal keeps of envelopes and outcomes, and what travels between processes: msgpack, by field names.

Fields may be added with a default; none is ever renamed or given another meaning.
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

from clawmesh import errors
from clawmesh.clock import Clock
from clawmesh.codec import pack, unpacker
from clawmesh.errors import (
    BackendError,
    ClawmeshError,
    ConfigError,
    FailedError,
    Failure,
    LimitError,
    MeshError,
    PluginError,
    Problem,
    StorageError,
    ToolError,
    UsageError,
)
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Ending, Envelope, Outcome, Wishes
from clawmesh.messages import Message, Report


class Accepted(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An envelope; its deadline is in seconds since 1970, which a restart and another process understand."""

    id: str
    sender: str
    to: str
    kind: Literal["ask", "send"]
    message: Message
    deadline: float
    causes: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    key: str = ""
    wishes: Wishes | None = None


class Fault(Struct, frozen=True, omit_defaults=True):
    """An error: its type's name, what it says, and what it carries."""

    type: str
    text: str
    limit: str = ""
    failure: Failure | None = None
    notes: tuple[str, ...] = ()


class Ended(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An outcome; `taken` is when its envelope left the mailbox, in seconds since 1970, or 0 where it never did."""

    ending: Ending
    message: Message | None = None
    report: Report | None = None
    error: Fault | None = None
    taken: float = 0.0

    def outcome(self) -> Outcome:
        return Outcome(self.ending, self.message, self.report, _raised(self.error) if self.error else None)


read_accepted = unpacker(Accepted, "envelope")
read_ended = unpacker(Ended, "outcome")


def pack_envelope(envelope: Envelope, clock: Clock) -> bytes:
    return pack(
        Accepted(
            id=envelope.id,
            sender=envelope.sender,
            to=str(envelope.to),
            kind=envelope.kind,
            message=envelope.message,
            deadline=clock.now() + envelope.deadline - clock.monotonic(),
            causes=envelope.causes,
            waiting=tuple(map(str, envelope.waiting)),
            key=envelope.key,
            wishes=envelope.wishes,
        )
    )


def unpack_envelope(data: bytes, clock: Clock) -> Envelope:
    """Raises StorageError where that is no envelope."""
    kept = read_accepted(data)
    if not math.isfinite(kept.deadline):
        raise StorageError(f"this is no envelope: its deadline is {kept.deadline}")
    return Envelope(
        id=kept.id,
        sender=kept.sender,
        to=Address.parse(kept.to),
        kind=kept.kind,
        message=kept.message,
        deadline=clock.monotonic() + kept.deadline - clock.now(),
        causes=kept.causes,
        waiting=tuple(map(Address.parse, kept.waiting)),
        key=kept.key,
        wishes=kept.wishes,
    )


def pack_outcome(outcome: Outcome, taken: float = 0.0) -> bytes:
    error = _fault(outcome.error) if outcome.error else None
    ended = Ended(ending=outcome.ending, message=outcome.message, report=outcome.report, error=error, taken=taken)
    return pack(ended)


def unpack_outcome(data: bytes) -> Outcome:
    """Raises StorageError where that is no outcome."""
    return read_ended(data).outcome()


def _fault(error: ClawmeshError) -> Fault:
    return Fault(
        type(error).__name__,
        error.message if isinstance(error, BackendError) else str(error),
        error.limit if isinstance(error, LimitError) else "",
        error.failure if isinstance(error, BackendError) else None,
        tuple(getattr(error, "__notes__", ())),
    )


def _raised(fault: Fault) -> ClawmeshError:
    """Return the error again; one that cannot be made from its text alone comes back as FailedError."""
    kind: type[Exception] = getattr(errors, fault.type, FailedError)
    error: ClawmeshError
    if issubclass(kind, BackendError):
        error = kind(fault.text, fault.failure)
    elif issubclass(kind, LimitError):
        error = kind(fault.text, limit=fault.limit)
    elif issubclass(kind, ConfigError):
        error = ConfigError([Problem(line) for line in fault.text.splitlines()])
    elif issubclass(kind, MeshError | UsageError | ToolError | StorageError | PluginError):
        error = kind(fault.text)
    else:
        error = FailedError(fault.text)
    for note in fault.notes:
        error.add_note(note)
    return error
