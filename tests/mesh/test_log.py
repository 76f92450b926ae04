"""What the mesh says of envelopes whose outcome nobody hears of."""

from __future__ import annotations

import pytest

from clawmesh.clock import SystemClock
from clawmesh.errors import FailedError
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.mesh.log import Log
from clawmesh.messages import Message


@pytest.mark.parametrize(("ending", "became"), [(Ending.DEAD, "is dead"), (Ending.FAILED, "failed")])
def test_what_nobody_hears_of_is_told_in_a_sentence(ending: Ending, became: str) -> None:
    clock = SystemClock()
    warnings: list[str] = []
    log = Log(MemoryJournal(clock), clock, warnings.append)
    address, message = Address.parse("a/s"), Message.user("hi")
    envelope = Envelope(id="env_1", sender="user", to=address, kind="send", message=message, deadline=clock.monotonic())
    delivery = Delivery(envelope)
    delivery.detached = True
    log.accepted(delivery)
    log.ended(delivery, Outcome(ending, error=FailedError("no luck")))
    assert warnings == [f"what user sent to a/s {became}: no luck (env_1 is a dead letter)"]
