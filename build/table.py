"""The benchmark's figures as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clawmesh.bench.suite import Machine, Result
from contest import Contender


def checks(result: Result, clients: Sequence[str] = ()) -> str:
    """Return a suite's figures, each with its goal, and beside it those of `clients`."""
    rows = []
    for each in result.checks:
        goal = "" if each.goal is None else f"{'≥' if each.least else '≤'} {number(each.goal)}"
        beside = [number(each.beside[name]) if name in each.beside else "" for name in clients]
        value = f"**{number(each.value)}** {each.unit}".strip()
        rows.append([each.name, value, goal if each.ok else f"{goal} (missed)", *beside])
    return markdown(["", "ClawMesh", "goal", *clients], rows)


def turns(contenders: Sequence[Contender]) -> str:
    """Return what turns at once cost, the cheapest first."""
    counts = sorted(contenders[0].turns)
    head = [""]
    for count in counts:
        head += [f"{count:,} at once: CPU ms each", "all done after s", "peak MB"]
    rows = []
    for each in sorted(contenders, key=lambda each: cost(each, counts[-1])):
        cells = [cell for count in counts for cell in _turns(each, count)]
        rows.append(_row(each.name, cells))
    return markdown(head, rows)


def cost(contender: Contender, count: int) -> float:
    """Return the CPU of a turn, for sorting: who has no figure comes last."""
    turns = contender.turns[count]
    return turns.cpu_ms_per_turn if turns.measured else float("inf")


def messages(contenders: Sequence[Contender]) -> str:
    """Return what messages between agents cost, for those who have any."""
    head = ["", "messages a second", "CPU µs each", "wait p99 ms at half", "p99.9", "idle agent KB"]
    rows = []
    for each in contenders:
        if each.messages is not None:
            peak, half, idle = each.messages.peak, each.messages.half, each.messages.idle_kb
            figures = (peak.messages_per_second, peak.cpu_us, half.wait_p99_ms, half.wait_p999_ms, idle)
            rows.append(_row(each.name, ["" if figure is None else number(figure) for figure in figures]))
    return markdown(head, rows)


def notes(contenders: Sequence[Contender]) -> Iterator[str]:
    """Yield a sentence for whatever failed."""
    for each in contenders:
        reasons: dict[str, list[str]] = {}
        for count, turns in each.turns.items():
            if turns.failed:
                reasons.setdefault(turns.reason or "no reason given", []).append(f"{turns.failed:,} of {count:,} turns")
        yield from (f"{each.name}: {' and '.join(what)} failed: {reason}" for reason, what in reasons.items())
        if each.reason:
            yield f"{each.name}: messages were not measured: {each.reason}"


def machine(value: Machine) -> str:
    """Return the line that says what all was measured on."""
    return f"{value.cores} cores, {value.processor}, {value.memory_gb:g} GB, {value.system}."


def number(value: float) -> str:
    """Return a figure with three digits that count, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, its first column to the left and the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _turns(contender: Contender, count: int) -> list[str]:
    turns = contender.turns[count]
    if not turns.measured:
        return ["-"] * 3
    failed = f" ({turns.failed:,} failed)" if turns.failed else ""
    return [number(turns.cpu_ms_per_turn), number(turns.wall_seconds) + failed, number(turns.peak_rss_mb)]


def _row(name: str, cells: Sequence[str]) -> list[str]:
    own = name == "ClawMesh"
    return [f"**{each}**" if own and each else each for each in (name, *cells)]
