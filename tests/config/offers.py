"""A small catalogue of plugins' callables, to hold configurations against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from clawmesh.config.catalogue import Catalogue
from clawmesh.config.mark import Duration
from clawmesh.secret import Secret


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Rule:
    say: str
    when: str = ""


def openai(
    services: object,
    /,
    *,
    base_url: str = "https://api.example/v1",
    api_key: Secret | None = None,
    api: Literal["chat", "responses"] | None = None,
    model: str = "",
    headers: Mapping[str, str | Secret] | None = None,
    silence: Duration = 120.0,
) -> object:
    """Reach a model.

    Args:
        base_url: The address up to the version,
            such as `http://127.0.0.1:8080/v1`.
        api_key: Sent as a bearer token.
    """


def scripted(services: object, /, *, rules: Sequence[Rule] = (), pace: float = 0.0) -> object:
    """Answer by rules."""


def strict(*, host: str, port: int, certificate: Path | None = None, colour: Colour = Colour.RED) -> object:
    """Need a host and a port."""


class Fetch:
    """Fetch pages."""

    def __init__(self, *, allow: list[str], max_bytes: int = 1024) -> None:
        self.allow = allow
        self.max_bytes = max_bytes


def clock() -> str:
    """Tell the time."""
    return "now"


def ram(*, facts: int = 100) -> object:
    """Keep facts."""


async def workflow(context: Any, message: Any, /, *, rounds: int, style: str = "plain") -> str:
    """Work in rounds."""
    return f"{rounds} {style}"


async def clashing(context: Any, message: Any, /, *, model: str) -> str:
    """Take a parameter which every agent has already."""
    return model


CATALOGUE = Catalogue(
    backends={"openai": openai, "scripted": scripted, "strict": strict},
    tools={"clock": clock, "fetch": Fetch},
    memories={"ram": ram},
    agents={"workflow": workflow, "clashing": clashing},
)
