"""Forgets what is old enough, a little at a time, so that the file does not grow for ever."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

from clawmesh.clock import Clock
from clawmesh.failpoint import Failpoints
from clawmesh.journal.connection import PASSING
from clawmesh.journal.store import Store, roll_back

Values: TypeAlias = Mapping[str, int | float | str]

INTAKE_SECONDS = 7 * 86_400.0
"""As long as a caller's key is known, so long the story that it stands for is kept."""
PASS_SECONDS = 600.0
"""Between the end of one pass over the file and the next."""
SHARE = 20
"""A step of so many milliseconds is followed by as many times that pause."""
SHORTEST_PAUSE = 0.01
ROWS = 256
PAGES = 256
FREE_PAGES = 1_024
"""Free pages up to so many stay in the file for what comes."""
DRIFT_SECONDS = 3_600.0
"""A wall clock that ran so far away from the monotonic one says nothing of what is old."""


class Retention:
    """Deletes what ended more than `keep` seconds ago; None keeps everything but the callers' keys.

    What stays for longer: an envelope that has no outcome, a dead letter, what a session needs to wake. A session that
    nobody used for so long goes whole.
    """

    def __init__(self, keep: float | None, clock: Clock, failpoints: Failpoints) -> None:
        self._keep = keep
        self._clock = clock
        self._failpoints = failpoints
        self._lead = clock.now() - clock.monotonic()
        self._due = clock.monotonic() + PASS_SECONDS
        self._pass: Iterator[None] | None = None

    def step(self, store: Store, now: float) -> float:
        """Do a little if it is time; return the seconds until it is time again. `now` is of the monotonic clock."""
        if now < self._due:
            return self._due - now
        if self._pass is None and abs(self._clock.now() - now - self._lead) < DRIFT_SECONDS:
            self._pass = self._work(store, self._clock.now())
        try:
            more = self._pass is not None and next(self._pass, True) is None
        except PASSING:
            more = False  # the writer meets the same disk and says so
        if not more:
            self._pass = None
        pause = max(SHARE * (self._clock.monotonic() - now), SHORTEST_PAUSE) if more else PASS_SECONDS
        self._due = now + pause
        return pause

    def _work(self, store: Store, now: float) -> Iterator[None]:
        intake = now - INTAKE_SECONDS
        if self._keep is not None:
            values = {"cutoff": now - self._keep, "intake": intake, "future": now + DRIFT_SECONDS}
            yield from self._window(store, OLD_ENTRIES, partial(_forget, FROM_ENTRIES), values)
            yield from self._window(store, OLD_SNAPSHOTS, partial(_forget, FROM_SNAPSHOTS), values)
        yield from self._window(store, OLD_KEYS, _forget_keys, {"intake": intake}, "")
        while (free := store.connection.pragma("freelist_count")) > FREE_PAGES:
            list(store.connection.execute(f"PRAGMA incremental_vacuum({min(PAGES, free)})"))
            yield

    def _window(
        self, store: Store, look: str, forget: Callable[[Store, Values], None], values: Values, low: int | str = 0
    ) -> Iterator[None]:
        """Go through a table in small windows, each a transaction, until one has nothing old in it."""
        while True:
            connection = store.connection
            high, old = connection.execute(look, {**values, "low": low, "rows": ROWS}).get
            if not old:
                return
            self._failpoints.hit("journal.prune")
            connection.execute("BEGIN IMMEDIATE")
            try:
                forget(store, {**values, "low": low, "high": high})
                connection.execute("COMMIT")
            except BaseException:
                roll_back(connection)
                raise
            self._failpoints.hit("journal.pruned")
            low = high
            yield


def _forget(gather: str, store: Store, values: Values) -> None:
    """Forget the stories and sessions of one window that may go."""
    connection = store.connection
    connection.execute(TABLES)
    connection.execute(gather, values)
    sessions = json.loads(connection.execute(GATHERED).get)
    heads = {session: head for session in sessions if (head := store.heads.of(session)) is not None}
    connection.execute(UNUSED, {**values, "heads": json.dumps(heads)})
    connection.execute(STORIES, values)


def _forget_keys(store: Store, values: Values) -> None:
    store.connection.execute("DELETE FROM intake WHERE key > :low AND key <= :high AND at < :intake", values)


# Each finds, above `low`, the end of the next window and whether something in it is old.
OLD_ENTRIES = """
SELECT max(seq), max(at < :cutoff OR at > :future)
FROM (SELECT seq, at FROM entry WHERE seq > :low ORDER BY seq LIMIT :rows)
"""
OLD_SNAPSHOTS = """
SELECT max(seq), max(at < :cutoff OR at > :future)
FROM (SELECT seq, at FROM snapshot WHERE seq > :low ORDER BY seq LIMIT :rows)
"""
OLD_KEYS = """
SELECT max(key), count(*) FROM (SELECT key FROM intake WHERE key > :low ORDER BY key LIMIT :rows)
"""

# Sessions that may go are gathered, in the first window of stories or of snapshots, ...
TABLES = """
CREATE TEMP TABLE IF NOT EXISTS forgotten(session TEXT PRIMARY KEY, head INTEGER);
CREATE TEMP TABLE IF NOT EXISTS gone(envelope TEXT PRIMARY KEY);
DELETE FROM temp.forgotten;
DELETE FROM temp.gone;
"""
FROM_ENTRIES = """
INSERT OR IGNORE INTO temp.forgotten(session) SELECT session FROM entry
WHERE seq > :low AND seq <= :high AND kind = 1 AND at < :cutoff
"""
FROM_SNAPSHOTS = """
INSERT OR IGNORE INTO temp.forgotten(session) SELECT session FROM snapshot
WHERE seq > :low AND seq <= :high AND at < :cutoff
"""
GATHERED = "SELECT json_group_array(session) FROM temp.forgotten"
# ... and those that were used since stay: the newest message was told of, a snapshot was made, or something is pending.
UNUSED = """
UPDATE temp.forgotten SET head = coalesce(
    (SELECT value FROM json_each(:heads) WHERE key = forgotten.session),
    (SELECT seq FROM main.head WHERE head.session = forgotten.session),
    0
);
DELETE FROM temp.forgotten
WHERE EXISTS (
        SELECT 1 FROM entry AS newest CROSS JOIN entry ON entry.envelope = newest.envelope
        WHERE newest.seq = forgotten.head AND newest.session = forgotten.session AND entry.at >= :cutoff
    )
    OR coalesce((SELECT at FROM snapshot WHERE session = forgotten.session), 0) >= :cutoff
    OR session IN (SELECT session FROM pending);
"""
# Of stories go all of those sessions, and what a snapshot holds; but not what has no outcome, rests among the dead
# letters, was told of lately, or stands for a caller's key.
STORIES = """
INSERT OR IGNORE INTO temp.gone
    WITH RECURSIVE chain(session, seq, envelope, previous) AS (
        SELECT entry.session, entry.seq, envelope, previous
        FROM temp.forgotten CROSS JOIN entry ON entry.seq = forgotten.head
        WHERE entry.session = forgotten.session AND kind = 1
        UNION ALL
        SELECT entry.session, entry.seq, entry.envelope, entry.previous
        FROM chain CROSS JOIN entry ON entry.seq = chain.previous
        WHERE entry.seq < chain.seq AND entry.session = chain.session AND kind = 1
    )
    SELECT envelope FROM chain;
INSERT OR IGNORE INTO temp.gone SELECT envelope FROM entry
    WHERE seq > :low AND seq <= :high AND kind = 1 AND session IN (SELECT session FROM temp.forgotten);
INSERT OR IGNORE INTO temp.gone SELECT envelope
    FROM entry CROSS JOIN snapshot ON snapshot.session = entry.session AND snapshot.seq > entry.seq
    WHERE entry.seq > :low AND entry.seq <= :high AND kind = 1;
DELETE FROM temp.gone
WHERE EXISTS (SELECT 1 FROM pending WHERE pending.envelope = gone.envelope)
    OR EXISTS (SELECT 1 FROM dead WHERE dead.envelope = gone.envelope)
    OR EXISTS (
        SELECT 1 FROM entry
        WHERE entry.envelope = gone.envelope AND (at >= :cutoff OR key <> '' AND at >= :intake)
    );
DELETE FROM entry WHERE envelope IN (SELECT envelope FROM temp.gone);
DELETE FROM snapshot WHERE session IN (SELECT session FROM temp.forgotten);
DELETE FROM main.head WHERE session IN (SELECT session FROM temp.forgotten);
"""
