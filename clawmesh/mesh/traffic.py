"""What goes through the engine, counted: for ever by outcome, for a minute by who talks to whom."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from msgspec import Struct

from clawmesh.clock import Clock
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.messages import Piece

SECONDS = 60
NEWS = 20_000
# Whoever looks comes again within this time; single events are noted only while somebody looks. In seconds.
ATTENTION = 10.0
WELL = frozenset({Ending.ANSWERED})


class Second(Struct):
    """What happened in one second, by sender and receiver: messages accepted, and those that came to no answer."""

    at: int
    messages: Counter[tuple[str, str]]
    errors: Counter[tuple[str, str]]
    tokens: Counter[str]


class Traffic:
    """Observes one engine; see `clawmesh.mesh.observer.Observer`.

    `endings` counts outcomes by agent and ending, `tokens` what the model calls of each agent used, `took` the seconds
    of all turns together.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = 0.0
        self._seconds: deque[Second] = deque(maxlen=SECONDS)
        self._news: deque[dict[str, Any]] = deque(maxlen=NEWS)
        self._number = 1  # of what happens next; 0 is nobody's
        self.accepted_by_kind: Counter[str] = Counter()
        self.endings: Counter[tuple[str, str]] = Counter()
        self.tokens: Counter[tuple[str, str]] = Counter()

    def accepted(self, envelope: Envelope) -> None:
        self.accepted_by_kind[envelope.kind] += 1
        self._second().messages[_agent(envelope.sender), envelope.to.agent] += 1
        if self._watched():
            news = {"t": "accepted", "id": envelope.id, "from": envelope.sender, "to": str(envelope.to)}
            self._tell({**news, "kind": envelope.kind, "root": envelope.root, "at": self._clock.now()})

    def piece(self, envelope: Envelope, piece: Piece) -> None: ...

    def ended(self, envelope: Envelope, outcome: Outcome) -> None:
        agent = envelope.to.agent
        self.endings[agent, outcome.ending.value] += 1
        tokens = 0
        if outcome.report is not None and outcome.report.usage.total_tokens:
            usage = outcome.report.usage
            tokens = usage.total_tokens
            self.tokens[agent, "input"] += usage.input_tokens
            self.tokens[agent, "output"] += usage.output_tokens
            self._second().tokens[agent] += tokens
        if outcome.ending not in WELL:
            self._second().errors[_agent(envelope.sender), agent] += 1
        if self._watched():
            news = {"t": "ended", "id": envelope.id, "to": str(envelope.to), "ending": outcome.ending.value}
            self._tell({**news, "tokens": tokens, "at": self._clock.now()})

    def news(self, since: int) -> dict[str, Any]:
        """Return what happened after the number `since`, which the last answer gave as `next`; 0 begins now."""
        self._until = self._clock.monotonic() + ATTENTION
        fresh = self._number - since if 0 < since <= self._number else 0
        missed = fresh > len(self._news)
        events = [*self._news][-fresh:] if fresh else []
        return {"next": self._number, "events": events, "missed": missed}

    def minute(self) -> dict[str, Any]:
        """Return who talked to whom in the last minute, as lists of sender, receiver, messages and errors."""
        oldest = int(self._clock.now()) - SECONDS
        messages: Counter[tuple[str, str]] = Counter()
        errors: Counter[tuple[str, str]] = Counter()
        tokens: Counter[str] = Counter()
        for second in self._seconds:
            if second.at > oldest:
                messages.update(second.messages)
                errors.update(second.errors)
                tokens.update(second.tokens)
        links = [[*link, messages[link], errors[link]] for link in {*messages, *errors}]
        return {"links": links, "tokens": dict(tokens)}

    def counts(self) -> dict[str, Any]:
        """Return the counts since the start, as lists."""
        return {
            "accepted": dict(self.accepted_by_kind),
            "endings": [[*key, count] for key, count in self.endings.items()],
            "tokens": [[*key, count] for key, count in self.tokens.items()],
        }

    def _watched(self) -> bool:
        return self._until > 0 and self._clock.monotonic() < self._until

    def _second(self) -> Second:
        at = int(self._clock.now())
        if not self._seconds or self._seconds[-1].at != at:
            self._seconds.append(Second(at, Counter(), Counter(), Counter()))
        return self._seconds[-1]

    def _tell(self, event: dict[str, Any]) -> None:
        self._number += 1
        self._news.append(event)


def _agent(sender: str) -> str:
    """Return the agent of an address, or the word for the outside as it is."""
    return sender.partition("/")[0]
