"""From whatever a handler does to the one outcome of its delivery."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable

import anyio

from clawmesh.errors import ClawmeshError, FailedError, RefusedError
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Ending, Outcome
from clawmesh.messages import Message, Report


async def outcome_of(delivery: Delivery, answer: Callable[[Delivery], Awaitable[tuple[Message, Report]]]) -> Outcome:
    """Let `answer` handle a delivery; only a cancellation by the mesh comes out as what it is."""
    to = delivery.envelope.to
    try:
        message, report = await answer(delivery)
    except RefusedError as error:
        return Outcome(Ending.REFUSED, error=error)
    except ClawmeshError as error:
        return Outcome(Ending.FAILED, error=error)
    except (Exception, BaseExceptionGroup, SystemExit) as error:  # noqa: BLE001 - it may raise anything; the mesh goes on
        failure = FailedError(f"{to} raised {type(error).__name__}: {error}")
        failure.__cause__ = error
        return Outcome(Ending.FAILED, error=failure)
    except CancelledError:
        # Ours goes on from here; one that a task of the agent's own was cancelled with is that agent's failure.
        await anyio.lowlevel.checkpoint_if_cancelled()
        return Outcome(Ending.FAILED, error=FailedError(f"{to} raised CancelledError"))
    return Outcome(Ending.ANSWERED, message, report)
