"""Is the database whole?"""

from __future__ import annotations

from time import monotonic

import apsw

SECONDS = 2.0
STEPS_BETWEEN_LOOKS = 10_000


def require_sound(connection: apsw.Connection, seconds: float = SECONDS) -> bool:
    """Look through the database for damage, for so many seconds at most: a restart must not wait for a large one.

    Returns whether that was enough to see all of it.

    Raises:
        apsw.CorruptError: there is some.
    """
    end = monotonic() + seconds
    connection.set_progress_handler(lambda: monotonic() > end, STEPS_BETWEEN_LOOKS)
    try:
        found = str(connection.pragma("quick_check", 1))
    except apsw.InterruptError:
        return False
    finally:
        connection.set_progress_handler(None)
    if found != "ok":
        raise apsw.CorruptError(" ".join(found.split()))
    return True


def require_whole(connection: apsw.Connection) -> None:
    """Look at everything in the database, indexes against tables too, however long that takes.

    Raises:
        apsw.CorruptError: it is damaged.
    """
    found = str(connection.pragma("integrity_check", 1))
    if found != "ok":
        raise apsw.CorruptError(" ".join(found.split()))
