"""The nearest right name, for the error that meets a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN = 20
EXPECTED = "expected one of"
# difflib takes about 5 µs a candidate: among many names only those that begin alike are compared.
COMPARED = 500


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant: spelt nearly alike, or containing what was written."""
    known = sorted(names)
    plain = {_plain(candidate): candidate for candidate in reversed(known)}
    wanted = _plain(name)
    if wanted in plain:
        return plain[wanted]
    candidates = list(plain)
    if len(candidates) > COMPARED:
        candidates = [candidate for candidate in candidates if candidate[:2] == wanted[:2]][-COMPARED:]
    close = get_close_matches(wanted, candidates, 1)
    within = [one for one in candidates if min(len(one), len(wanted)) > 2 and (wanted in one or one in wanted)]
    return plain[(close or within)[0]] if close or within else None


def did_you_mean(name: str, names: Iterable[str], *, otherwise: str = EXPECTED) -> str:
    """Return `; did you mean "…"?`, or the names to choose from where none is near."""
    known = sorted(names)
    near = nearest(name, known)
    if near is not None:
        return f'; did you mean "{near}"?'
    if len(known) == 1 and otherwise == EXPECTED:
        return f"; expected {known[0]}"
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"; {otherwise} {', '.join(known[:SHOWN])}{more}" if known else ""


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")
