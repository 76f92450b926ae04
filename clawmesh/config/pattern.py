"""Names, and patterns such as `notes_*` that stand for several of them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from fnmatch import translate

_WILD = re.compile(r"[*?\[]")


def is_pattern(text: str) -> bool:
    """Tell whether the text is a pattern and not a name."""
    return _WILD.search(text) is not None


class Names:
    """A set of names that patterns can be matched against; ten thousand names and as many patterns are no strain."""

    def __init__(self, names: Iterable[str]) -> None:
        self._sorted = sorted(names)
        self._set = frozenset(self._sorted)

    def __contains__(self, name: object) -> bool:
        return name in self._set

    def __iter__(self) -> Iterator[str]:
        return iter(self._sorted)

    def __len__(self) -> int:
        return len(self._sorted)

    def matching(self, pattern: str) -> Iterator[str]:
        """Yield the names that a name or pattern stands for, in alphabetical order."""
        if not is_pattern(pattern):
            yield from (pattern,) if pattern in self._set else ()
            return
        fits = re.compile(translate(pattern)).match
        # Only the names that begin as the pattern does, up to its first wildcard, need be looked at.
        prefix = _WILD.split(pattern, maxsplit=1)[0]
        for index in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            name = self._sorted[index]
            if not name.startswith(prefix):
                return
            if fits(name):
                yield name

    def expand(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """Return the names that the patterns stand for: in their order, each name once."""
        return tuple(dict.fromkeys(name for pattern in patterns for name in self.matching(pattern)))
