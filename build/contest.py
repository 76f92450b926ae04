"""What contenders report: the cost of turns and of messages, and the medians of some rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from msgspec import Struct


class Turns(Struct, frozen=True):
    """What so many turns at once cost; `reason` says why some failed, or why there is no figure."""

    turns: int
    failed: int
    wall_seconds: float = 0.0
    cpu_ms_per_turn: float = 0.0
    peak_rss_mb: float = 0.0
    reason: str = ""

    @property
    def measured(self) -> bool:
        """Whether any turn was done."""
        return self.cpu_ms_per_turn > 0


class Rate(Struct, frozen=True):
    """How many messages there were at most, and what each cost."""

    messages_per_second: float
    cpu_us: float


class Waits(Struct, frozen=True):
    """How long messages waited for their agents."""

    wait_p50_ms: float
    wait_p99_ms: float
    wait_p999_ms: float


class Messages(Struct, frozen=True):
    """What messages cost at peak, how long they wait at half of it, and the memory of an idle agent where known."""

    peak: Rate
    half: Waits
    idle_kb: float | None = None


class Contender(Struct, frozen=True):
    """Whatever was measured of one program. `reason` says why its messages were not, though they should have been."""

    name: str
    turns: Mapping[int, Turns]
    messages: Messages | None = None
    reason: str = ""


def middle(rounds: Sequence[Contender]) -> Contender:
    """Return the medians of some rounds."""
    first = rounds[0]
    messages = [each.messages for each in rounds if each.messages is not None]
    reasons = [each.reason for each in rounds if each.reason]
    return Contender(
        first.name,
        {turns: middle_turns([each.turns[turns] for each in rounds]) for turns in first.turns},
        middle_messages(messages) if messages else None,
        reasons[0] if reasons and not messages else "",
    )


def middle_turns(rounds: Sequence[Turns]) -> Turns:
    """Return the medians of the rounds that came to something, with the failures of the worst round."""
    worst = max(rounds, key=lambda each: each.failed)
    measured = [each for each in rounds if each.measured]
    if not measured:
        return worst
    return Turns(
        worst.turns,
        worst.failed,
        median(each.wall_seconds for each in measured),
        median(each.cpu_ms_per_turn for each in measured),
        median(each.peak_rss_mb for each in measured),
        worst.reason,
    )


def middle_messages(rounds: Sequence[Messages]) -> Messages:
    """Return the medians of the rounds."""
    peaks, halves = [each.peak for each in rounds], [each.half for each in rounds]
    idle = [each.idle_kb for each in rounds if each.idle_kb is not None]
    return Messages(
        Rate(median(each.messages_per_second for each in peaks), median(each.cpu_us for each in peaks)),
        Waits(*(median(getattr(each, name) for each in halves) for name in Waits.__struct_fields__)),
        median(idle) if idle else None,
    )
