"""Where the newest accepted entry of each session is; from there a session's entries are linked backwards.

An index of entries by session would be changed at another place by every message, and a commit would write as many
pages as it has messages. So what came lately is kept in memory, and brought to the table `head` in the order of the
sessions, a little with each commit. What is not there yet after a crash is found from the end of the log.
"""

from __future__ import annotations

from itertools import islice

import apsw

from clawmesh.journal.bulk import Bulk

SESSIONS = 16_384
ENTRIES = 100_000
"""So much is kept in memory, or lies unsettled at the end of the log, before it is brought to the table."""
GROUP = 256
"""That are brought there with one commit."""
# But for sessions that were forgotten in the meantime.
SETTLE = Bulk(
    "INTO head",
    2,
    rest="AND EXISTS (SELECT 1 FROM entry WHERE entry.seq = column2)"
    " ON CONFLICT(session) DO UPDATE SET seq = excluded.seq",
)

UNSETTLED = """
SELECT session, max(seq) FROM entry WHERE seq > (SELECT seq FROM settled) AND kind = 1 GROUP BY session
"""


class Heads:
    """Changed by the writing thread alone; others may look things up, before they read the table."""

    def __init__(self) -> None:
        self._fresh: dict[str, int] = {}
        self._settling: dict[str, int] = {}
        self._left: list[tuple[str, int]] = []
        self._through = 0

    def of(self, session: str) -> int | None:
        """Return the position of a session's newest accepted entry, None where only the table may know it."""
        fresh = self._fresh.get(session)
        return self._settling.get(session) if fresh is None else fresh

    def load(self, connection: apsw.Connection) -> None:
        """Find in the log what the table does not have."""
        self._fresh = dict(connection.execute(UNSETTLED))
        self._settling, self._left = {}, []
        self._through = int(connection.execute("SELECT seq FROM settled").get)

    def settle(self, connection: apsw.Connection) -> None:
        """Bring some to the table, in the transaction that is open."""
        if not self._left:
            return
        group = self._left[-GROUP:]
        SETTLE.insert(connection, [value for pair in group for value in pair])
        if len(group) == len(self._left):
            connection.execute("UPDATE settled SET seq = ?", (self._through,))

    def committed(self, accepted: dict[str, int], position: int) -> None:
        """Take note of what was committed, up to the position."""
        self._fresh.update(accepted)
        if self._left:
            del self._left[-GROUP:]
            if not self._left:
                self._settling = {}
        elif len(self._fresh) >= SESSIONS or position - self._through >= ENTRIES:
            self._settling, self._fresh = self._fresh, {}
            self._left = sorted(self._settling.items(), reverse=True)
            self._through = position

    def settle_all(self, connection: apsw.Connection, position: int) -> None:
        """Bring everything to the table."""
        pairs = iter(sorted({**self._settling, **self._fresh}.items()))
        connection.execute("BEGIN IMMEDIATE")
        while group := list(islice(pairs, GROUP)):
            SETTLE.insert(connection, [value for pair in group for value in pair])
        connection.execute("UPDATE settled SET seq = ?", (position,))
        connection.execute("COMMIT")
