"""What plugins offer, by the names that the configuration uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The registered factories of each kind: the key is the `type` in TOML.

    A factory's keyword-only parameters are the other keys of the table; a positional-only one takes `Services`.
    An agent is itself the coroutine function: its keyword-only parameters are the keys.
    """

    backends: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    tools: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    memories: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    agents: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
