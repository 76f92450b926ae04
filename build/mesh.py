"""Measures the executable's suite `mesh` beside its peers, in turn and in one run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct
from msgspec.structs import replace

import peers
from clawmesh.bench.memory import EXCHANGES
from clawmesh.bench.suite import Check, Result
from contest import Contender, Messages, Rate, Turns, Waits, middle
from steps import StepError

OWN = "ClawMesh"


class Comparison(Struct, frozen=True):
    """ClawMesh's own figures with their goals, and all contenders, ClawMesh first."""

    result: Result
    contenders: Sequence[Contender]


def compare(program: Path, rounds: int, counts: Sequence[int], names: Iterable[str]) -> Comparison:
    """Measure everything; raises StepError if the executable, `program`, cannot be measured."""
    others = [peers.prepared(name) for name in names]
    results: list[Result] = []
    measured: list[list[Contender]] = []
    for number in range(rounds):
        said = f"round {number + 1} of {rounds}"
        tell(f"{said}: {OWN}")
        own = {count: executable(program, count) for count in counts}
        results.append(own[max(counts)])
        measured.append([contender(own)])
        for peer in others:
            tell(f"{said}: {peer.name}")
            measured[-1].append(peers.measured(peer, counts))
    return Comparison(merged(results), [middle(each) for each in zip(*measured, strict=True)])


def tell(text: str) -> None:
    """Say what is being measured."""
    print(text, file=sys.stderr, flush=True)


def executable(program: Path, sessions: int) -> Result:
    """Run the executable's suite; raises StepError if it comes to no result."""
    return printed([str(program), "bench", "--suite", "mesh", "--sessions", str(sessions), "--json"])


def printed(words: Sequence[str]) -> Result:
    """Return the result that a command prints as JSON; raises StepError if there is none."""
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE)
        return msgspec.json.decode(done.stdout, type=Result)
    except OSError as error:
        raise StepError(f"{' '.join(words)}\ncannot be started: {error}") from error
    except msgspec.DecodeError as error:
        raise StepError(f"{' '.join(words)}\nended with {done.returncode} and without a result: {error}") from error


def contender(results: Mapping[int, Result]) -> Contender:
    """Return ClawMesh's figures as its peers report theirs; raises StepError if one is missing."""
    figures = {count: {check.name: check.value for check in result.checks} for count, result in results.items()}
    try:
        turns = {count: own_turns(count, values) for count, values in figures.items()}
        return Contender(OWN, turns, own_messages(figures[max(results)]))
    except KeyError as error:
        raise StepError(f"the executable's suite has no figure {error}: it was built from other sources") from error


def own_turns(count: int, figures: Mapping[str, float]) -> Turns:
    """Pick the figures of the turns."""
    crowd = f"{count:,} conversations at once"
    return Turns(
        count,
        int(figures[f"{crowd}: failed"]),
        figures[f"{crowd}: all done after"],
        figures[f"{crowd}: CPU each"],
        figures[f"{crowd}: peak memory"],
    )


def own_messages(figures: Mapping[str, float]) -> Messages:
    """Pick the figures of the messages, and of a session that rests in memory as its peers' agents do."""
    peak = Rate(figures["peak: messages a second"], figures["peak: CPU a message"])
    half = Waits(*(figures[f"half of peak: wait {what}"] for what in ("p50", "p99", "p99.9")))
    return Messages(peak, half, figures[f"memory of a warm session, {EXCHANGES} exchanges"])


def merged(results: Sequence[Result]) -> Result:
    """Return the medians of some rounds, judged anew."""
    values = [{check.name: check.value for check in result.checks} for result in results]
    last = results[-1]
    return replace(last, checks=[judged(check, median(each[check.name] for each in values)) for check in last.checks])


def judged(check: Check, value: float) -> Check:
    """Return a check with another value."""
    ok = check.goal is None or (value >= check.goal if check.least else value <= check.goal)
    return replace(check, value=value, ok=ok)
