"""Long lists, page by page.

Source: MCP 2026-07-28, "Pagination".
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence

from clawmesh.mcp.fault import INVALID_PARAMS, RpcError


def page(names: Sequence[str], cursor: str | None, size: int) -> tuple[Sequence[str], str | None]:
    """Return so many of the sorted names, and the cursor of the page after them, None if that would be empty.

    A cursor is the last name before its page, so that it is good whatever comes and goes meanwhile.

    Raises:
        RpcError: it is none of ours.
    """
    start = 0 if cursor is None else bisect_right(names, _decoded(cursor))
    found = names[start : start + size]
    return found, _encoded(found[-1]) if start + size < len(names) else None


def _encoded(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _decoded(cursor: str) -> str:
    try:
        return base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise RpcError(INVALID_PARAMS, "this cursor is none of ours") from error
