"""The memory `ram`: facts in this process only, found again by their words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from clawmesh import Fact, Memory, Services, ToolError

CHARACTERS = 8000
_WORD = re.compile(r"\w+")


class Entry(Struct, frozen=True):
    fact: Fact
    words: frozenset[str]


class Ram:
    """Keeps the newest `facts` facts of all scopes together; the oldest is dropped for a new one."""

    def __init__(self, services: Services, facts: int) -> None:
        self._services = services
        self._most = facts
        self._entries: dict[str, Entry] = {}
        self._scopes: dict[str, dict[str, Entry]] = {}

    async def remember(self, scope: str, text: str) -> Fact:
        """Keep a fact; raises ToolError if it is longer than 8,000 characters."""
        if len(text) > CHARACTERS:
            raise ToolError(f"a fact may have {CHARACTERS} characters; this one has {len(text)}")
        fact = Fact(self._services.ids.new("fact"), scope, text, self._services.clock.now())
        entry = Entry(fact, frozenset(_words(text)))
        if len(self._entries) >= self._most:
            self._drop(next(iter(self._entries)))
        self._entries[fact.id] = entry
        self._scopes.setdefault(scope, {})[fact.id] = entry
        return fact

    async def recall(self, scope: str, query: str, limit: int) -> Sequence[Fact]:
        """Return the facts that share words with the query: rare words count more, and the newer fact wins a tie."""
        entries = self._scopes.get(scope, {}).values()
        wanted = set(_words(query))
        having = Counter(word for entry in entries for word in wanted & entry.words)
        weights = {word: math.log1p(len(entries) / count) for word, count in having.items()}
        scored = [(sum(weights[word] for word in wanted & entry.words), entry.fact) for entry in reversed(entries)]
        best = sorted((each for each in scored if each[0]), key=lambda each: each[0], reverse=True)
        return [fact for _, fact in best[:limit]]

    async def forget(self, scope: str, id: str) -> bool:
        """Drop a fact of this scope; False if there was none."""
        if id not in self._scopes.get(scope, {}):
            return False
        self._drop(id)
        return True

    def _drop(self, id: str) -> None:
        scope = self._entries.pop(id).fact.scope
        del self._scopes[scope][id]
        if not self._scopes[scope]:
            del self._scopes[scope]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def ram(services: Services, /, *, facts: Annotated[int, Meta(ge=1)] = 10_000) -> Memory:
    """Keep facts until the program ends, at most `facts` of them."""
    return Ram(services, facts)


def register_memories() -> Mapping[str, Callable[..., Memory]]:
    """Offer the type `ram`."""
    return {"ram": ram}
