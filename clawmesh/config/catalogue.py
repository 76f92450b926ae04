"""What the plugins offer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from clawmesh.config.model import BackendSettings
from clawmesh.config.record import Fields
from clawmesh.config.signature import fields_of

Offers: TypeAlias = Mapping[str, Callable[..., Any]]


class Catalogue(Struct, frozen=True):
    """What may stand as `type` in a table, by kind: the callables which the plugins registered."""

    backends: Offers = {}
    tools: Offers = {}
    memories: Offers = {}
    agents: Offers = {}

    def of(self, kind: str) -> Offers:
        """Return the offers for the tables of one kind, such as "backends"."""
        offers: Offers = getattr(self, kind)
        return offers

    def fields(self, kind: str, type: str) -> Fields:
        """Return the keys of a table of this kind and type; a plain function that is a tool has none.

        Raises:
            PluginError: the signature is no configuration.
        """
        offer = self.of(kind)[type]
        if kind == "tools" and inspect.isroutine(offer):
            return {}
        return {**fields_of(BackendSettings), **fields_of(offer)} if kind == "backends" else fields_of(offer)
