"""What is wrong with one value, before it is known in which file the value stands."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

SHOWN = 60
_WORDS: Mapping[type, str] = {
    str: "string",
    list: "list",
    dict: "table",
    bool: "boolean",
    int: "integer",
    float: "number",
    datetime.datetime: "date and time",
    datetime.date: "date",
    datetime.time: "time of day",
}
# What an Authorization header carries, and the prefixes of the keys that providers and forges hand out. A digit in it
# tells a key from words such as "task-management".
_KEY = re.compile(
    r"^\s*(?i:bearer|basic|token)\s+(?=\S*[0-9=])\S{8,}\s*$"
    r"|(?<![\w-])(?:sk|pk|rk|gsk|xai|hf|pplx|r8|tvly|ghp|gho|ghs|github_pat|glpat|xox[abprs]|nvapi)[-_]"
    r"(?=[\w-]*[0-9])[\w-]{12,}"
    r"|(?<![\w-])(?:AIza[\w-]{20,}|AKIA[A-Z0-9]{12,}|eyJ[\w-]{8,}\.[\w-]{8,}\.)"
)
_SECRET_NAME = re.compile(r"(?i:authorization|api[-_]?key|token|secret|password|cookie)$")


class Fault(Struct, frozen=True):
    """One thing wrong; `path` leads from the table at hand to the value: keys, and the indices of list items."""

    message: str
    path: tuple[str | int, ...] = ()

    def under(self, step: str | int) -> Fault:
        """Return the same fault as seen from one table or list further out."""
        return Fault(self.message, (step, *self.path))


class Faults(tuple[Fault, ...]):
    """What a conversion returns instead of a value; never empty."""

    __slots__ = ()

    @classmethod
    def of(cls, message: str, *path: str | int) -> Faults:
        return cls((Fault(message, path),))

    def under(self, step: str | int) -> Faults:
        return Faults(fault.under(step) for fault in self)


def looks_like_key(text: str) -> bool:
    """Tell whether the text has the shape of an API key or of an Authorization header."""
    return _KEY.search(text) is not None


def names_secret(key: str) -> bool:
    """Tell whether a key, such as a header's name, stands for a secret."""
    return _SECRET_NAME.search(key) is not None


def kind_of(value: Any) -> str:
    """Return the TOML type of a value, with its article, and not the value."""
    word = _WORDS.get(type(value), "value")
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def describe(value: Any) -> str:
    """Return a found value with its TOML type; what looks like a key is named and not shown."""
    if isinstance(value, str):
        if looks_like_key(value):
            return "a string that looks like a key (not shown)"
        shown = value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
        return f"{json.dumps(shown, ensure_ascii=False)} (string)"
    if isinstance(value, list | dict):
        return kind_of(value) if value else f"an empty {kind_of(value)[2:]}"
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{shown} ({_WORDS.get(type(value), type(value).__name__)})"
