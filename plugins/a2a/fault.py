"""What an agent elsewhere says went wrong, as one of our errors: by its code, and never by its words.

Source: A2A specification 1.0, sections 5.4, 9.5 and 11.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawmesh.errors import BusyError, ClawmeshError, FailedError, RefusedError, UnknownError

CHARACTERS = 1000
REASONS: Mapping[str, type[ClawmeshError]] = {
    "TASK_NOT_FOUND": UnknownError,
    "PERMISSION_DENIED": RefusedError,
    "UNAUTHENTICATED": RefusedError,
    "UNAVAILABLE": BusyError,
    "RESOURCE_EXHAUSTED": BusyError,
}
CODES: Mapping[int, type[ClawmeshError]] = {-32001: UnknownError}
STATUSES: Mapping[int, type[ClawmeshError]] = {
    401: RefusedError,
    403: RefusedError,
    404: UnknownError,
    429: BusyError,
    503: BusyError,
}


def error_of(status: int, said: Any, url: str) -> ClawmeshError:
    """Return the error for an answer with this status, of which `said` is the error object, if there is any."""
    said = said if isinstance(said, dict) else {}
    details = said.get("details") or said.get("data") or ()
    reasons = (
        [str(each.get("reason")) for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    )
    by_reason = next((REASONS[reason] for reason in reasons if reason in REASONS), None)
    code = said.get("code")
    by_code = CODES.get(code) if isinstance(code, int) else None
    kind = by_reason or by_code or STATUSES.get(status) or FailedError
    message = said.get("message")
    text = message[:CHARACTERS] if isinstance(message, str) else f"it answered {status}"
    return kind(f"{url}: {text}")
