"""Those who watch the mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from clawmesh.mesh.envelope import Envelope, Outcome
from clawmesh.messages import Piece


class Observer(Protocol):
    """Sees what goes through the engine, as it happens; must return at once."""

    def accepted(self, envelope: Envelope) -> None: ...

    def piece(self, envelope: Envelope, piece: Piece) -> None: ...

    def ended(self, envelope: Envelope, outcome: Outcome) -> None: ...


class Observers:
    """Tells everything to every observer; one that raises is dropped, and `warn` hears why."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._observers: list[Observer] = []
        self._warn = warn

    def add(self, observer: Observer) -> None:
        self._observers.append(observer)

    def __bool__(self) -> bool:
        return bool(self._observers)

    def accepted(self, envelope: Envelope) -> None:
        for observer in [*self._observers]:
            self._tell(observer, observer.accepted, envelope)

    def piece(self, envelope: Envelope, piece: Piece) -> None:
        for observer in [*self._observers]:
            self._tell(observer, observer.piece, envelope, piece)

    def ended(self, envelope: Envelope, outcome: Outcome) -> None:
        for observer in [*self._observers]:
            self._tell(observer, observer.ended, envelope, outcome)

    def _tell(self, observer: Observer, method: Callable[..., None], *news: Any) -> None:
        try:
            method(*news)
        except Exception as error:  # noqa: BLE001 - whatever an onlooker does wrong, the mesh goes on
            self._observers.remove(observer)
            self._warn(f"{type(observer).__name__} watches the mesh no more: {type(error).__name__}: {error}")
