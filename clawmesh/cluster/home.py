"""Which worker is a session's home."""

from __future__ import annotations

from zlib import crc32


def home(session: str, workers: int) -> int:
    """Return the number of the worker, from 0, where a session lives: an address, or its part after the slash.

    All sessions of one conversation have the same end, after the last "~", and so the same home. The data directory
    is divided by this rule: it never changes.
    """
    conversation = session[max(session.rfind("~"), session.rfind("/")) + 1 :]
    return crc32(conversation.encode()) % workers
