"""Many rows in few statements."""

from __future__ import annotations

from typing import Any

import apsw

ROWS = (1, 4, 16, 64, 256)


class Bulk:
    """An INSERT of any number of rows, of `width` values each.

    It takes few statements, because each gives the interpreter's lock away and has to wait for it again. The rows
    that a statement has too many are NULL and not inserted: the first value of a row must not be.
    """

    def __init__(self, into: str, width: int, *, select: str = "*", rest: str = "") -> None:
        row = f"({', '.join('?' * width)})"
        self._width = width
        self._statements = {
            width * rows: " ".join(
                ("INSERT", into, "SELECT", select, "FROM (VALUES", ", ".join([row] * rows), ")", LEFT_OUT, rest)
            )
            for rows in ROWS
        }

    def insert(self, connection: apsw.Connection, values: list[Any]) -> None:
        """Insert rows, given as the values of one after the other."""
        start = 0
        while start < len(values):
            missing = len(values) - start
            length = next((length for length in self._statements if length >= missing), self._width * ROWS[-1])
            part = values[start : start + length]
            part += [None] * (length - len(part))
            connection.execute(self._statements[length], part)
            start += length


LEFT_OUT = "WHERE column1 NOTNULL"
