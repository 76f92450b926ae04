"""Where a session lives: in this process, or behind a joint to another one of the same mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery


class Joint(Protocol):
    """Leads to another process of this mesh."""

    async def deliver(self, delivery: Delivery) -> None:
        """Hand an envelope over; return when it is on disk there. Its outcome is set on `delivery` when it comes.

        A joint that breaks is mended and the envelope handed over again, under its id, until its deadline.

        Raises:
            MeshError: as the engine over there refused it.
        """

    def abandon(self, delivery: Delivery) -> None:
        """Say that nobody waits any more for the outcome."""


Route: TypeAlias = Callable[[Address], Joint | None]
"""Returns the joint that leads to a session's home, None where that is this process."""


def here(_address: Address) -> None:
    """Route everything to this process."""
