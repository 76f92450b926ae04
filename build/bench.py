"""Measure the executable beside what else there is: build/make.py bench [--suite mesh|backends|http] [--rounds N]

mesh      turns and messages, beside frameworks in environments of their own, Go, and the least that Python takes;
          writes table.md and turns.svg to build/figures
backends  streamed answers, beside Go's net/http and aiohttp
http      clients of one served process, beside Go's net/http

All are measured in turn and in one run, against the same mock provider. Each figure is the median over the rounds; exit
code 1 says that one of ClawMesh's misses its goal.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

import backends
import door
import mesh
import peers
import plot
import table
from clawmesh.bench.suite import Result
from executable import EXECUTABLE
from steps import BUILD, StepError

FIGURES = BUILD / "figures"
TURNS = """All turns begin at once. Each is a conversation of its own, with two model calls of 200 ms and a tool call
between them. ClawMesh streams the answers and journals each step on disk, and its memory is what it takes to have all
under way at the same time; the others take whole answers and store nothing. All but Go, Python and ClawMesh use the
OpenAI SDK, here over aiohttp, its quickest client."""
MESSAGES = """Agents pass messages on in chains of eight: first as many as it takes, then half as many a second, whether
or not those before have ended. ClawMesh journals each message on disk. In LangGraph and agno they go from step to step
of a workflow, and agno takes one workflow after the other."""
COUNTS = (1_000, 10_000)
CLIENTS = 10_000


def main(words: Sequence[str]) -> int:
    """Measure what the words say, print the tables, and return 1 if a goal is missed."""
    arguments = parser().parse_args(words)
    try:
        result = run(arguments)
    except StepError as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if result.ok else 1


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Measure the executable beside what else there is.")
    parser.add_argument("--suite", choices=("mesh", "backends", "http"), default="mesh")
    parser.add_argument("--rounds", type=positive, help="default: 3 of backends, else 1")
    parser.add_argument("--peers", type=names, default="all", help="mesh: all, none or NAME,NAME (default: all)")
    parser.add_argument("--turns", type=counts, default=COUNTS, help="mesh: turns at once, N,N (default: 1000,10000)")
    parser.add_argument("--clients", type=positive, default=CLIENTS, help="http: clients at once (default: 10000)")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="mesh: the folder for table.md and turns.svg")
    parser.add_argument("--executable", type=Path, default=EXECUTABLE, help="default: build/dist/clawmesh")
    parser.add_argument("--json", action="store_true", help="print JSON in place of tables")
    return parser


def run(arguments: argparse.Namespace) -> Result:
    """Measure one suite and print what it found; raises StepError if something cannot be measured at all."""
    if arguments.suite != "mesh":
        if arguments.suite == "backends":
            result, clients = backends.compare(arguments.executable, arguments.rounds or 3)
        else:
            result, clients = door.compare(arguments.executable, arguments.rounds or 1, arguments.clients)
        show(arguments, result, f"{table.checks(result, clients)}\n\n{table.machine(result.machine)}")
        return result
    comparison = mesh.compare(arguments.executable, arguments.rounds or 1, arguments.turns, arguments.peers)
    text = report(comparison)
    show(arguments, comparison, text)
    arguments.figures.mkdir(parents=True, exist_ok=True)
    (arguments.figures / "table.md").write_text(f"{text}\n", encoding="utf-8")
    (arguments.figures / "turns.svg").write_text(drawing(comparison), encoding="utf-8")
    return comparison.result


def show(arguments: argparse.Namespace, value: msgspec.Struct, text: str) -> None:
    """Print a value as JSON if that is wanted, else its text."""
    print(msgspec.json.encode(value).decode() if arguments.json else text)


def report(comparison: mesh.Comparison) -> str:
    """Return all tables of a comparison, what failed, and the machine."""
    contenders = comparison.contenders
    parts = [
        table.checks(comparison.result),
        TURNS,
        table.turns(contenders),
        MESSAGES,
        table.messages(contenders),
        "\n".join(f"* {note}" for note in table.notes(contenders)),
        table.machine(comparison.result.machine),
    ]
    return "\n\n".join(part for part in parts if part)


def drawing(comparison: mesh.Comparison) -> str:
    """Return the picture of the largest number of turns at once."""
    count = max(comparison.contenders[0].turns)
    first, *others = comparison.contenders
    names = [each.name for each in (first, *sorted(others, key=lambda each: table.cost(each, count)))]
    turns = {each.name: each.turns[count] for each in comparison.contenders if each.turns[count].measured}
    panels = [
        plot.Panel("CPU for each turn, ms", {name: each.cpu_ms_per_turn for name, each in turns.items()}),
        plot.Panel("seconds until all were done", {name: each.wall_seconds for name, each in turns.items()}),
        plot.Panel("memory at most, MB", {name: each.peak_rss_mb for name, each in turns.items()}),
    ]
    title = f"{count:,} conversations at once, each two model calls of 200 ms and a tool call"
    machine = table.machine(comparison.result.machine)
    return plot.chart(title, names, panels, f"Less is better; the axes are logarithmic. {machine}")


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, not {text}")
    return number


def counts(text: str) -> tuple[int, ...]:
    """Read numbers from 1 on, with commas between them."""
    return tuple(positive(each) for each in text.split(","))


def names(text: str) -> list[str]:
    """Read the names of peers."""
    try:
        return peers.chosen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
