"""What a look at one thing has found."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

Status: TypeAlias = Literal["ok", "warn", "fail"]


class Finding(Struct, frozen=True):
    """`check` names what was looked at, `text` says what was found; `mend` what to do where it is not ok."""

    check: str
    status: Status
    text: str
    mend: str = ""


def ok(check: str, text: str) -> Finding:
    return Finding(check, "ok", text)


def warn(check: str, text: str, mend: str) -> Finding:
    return Finding(check, "warn", text, mend)


def fail(check: str, text: str, mend: str) -> Finding:
    return Finding(check, "fail", text, mend)
