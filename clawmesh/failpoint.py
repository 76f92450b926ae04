"""Failpoints: named places in the code where a process can be made to die, to prove that nothing is lost there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

from clawmesh.errors import UsageError

VARIABLE = "CLAWMESH_FAILPOINT"


class Failpoints:
    """Counts the hits of each place; at the planned one it calls `action` with the place's name.

    `plan` maps a name to the hit at which it strikes, from 1. Without a plan a hit costs next to nothing.
    """

    def __init__(self, plan: Mapping[str, int] | None = None, action: Callable[[str], None] | None = None) -> None:
        self._left = dict(plan or {})
        self._action = action or _kill

    def hit(self, name: str) -> None:
        """Say that the place is reached."""
        if not self._left or name not in self._left:
            return
        self._left[name] -= 1
        if not self._left[name]:
            del self._left[name]
            self._action(name)


def planned(text: str) -> Failpoints:
    """Return the failpoints of a plan such as `journal.commit:3:kill,journal.rows:1:kill`; none where it is empty.

    Raises:
        UsageError: the plan cannot be read.
    """
    plan: dict[str, int] = {}
    for item in filter(None, text.split(",")):
        name, _, rest = item.partition(":")
        count, _, action = rest.partition(":")
        if not (name and count.isascii() and count.isdigit() and int(count) and action == "kill"):
            raise UsageError(f'{VARIABLE}: "{item}" is no failpoint; expected NAME:COUNT:kill, COUNT from 1')
        plan[name] = int(count)
    return Failpoints(plan)


def _kill(_name: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
