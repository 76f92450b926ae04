"""Whom the benchmark measures beside ClawMesh: how each is prepared and run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

import environment
from clawmesh.bench.provider import provider
from contest import Contender, Messages, Turns
from steps import BUILD, ROOT, WORK, StepError, run

REFERENCES = BUILD / "references"
# A script ends itself after three minutes and reports what was done; this is for one that cannot.
SECONDS = 240.0


class PeerError(Exception):
    """A script did not report; the message says why."""


class Peer(Struct, frozen=True):
    """Someone to measure, with the words that start the scripts; `reason` says why that cannot be."""

    name: str
    turns: Sequence[str] = ()
    messages: Sequence[str] = ()
    reason: str = ""


def floor() -> Peer:
    """Prepare the least that Python takes."""
    return Peer("Python, bare", [sys.executable, str(REFERENCES / "turns_floor.py")])


def sdk() -> Peer:
    """Prepare the OpenAI SDK alone."""
    return Peer("OpenAI SDK", [sys.executable, str(REFERENCES / "turns_sdk.py")])


def go() -> Peer:
    """Prepare Go's standard library; raises StepError if there is no compiler, or one that is too old."""
    compiler = go_compiler()
    if compiler is None:
        raise StepError("Go is not installed")
    for name in ("turns", "mesh"):
        run(compiler, "build", "-o", WORK / f"{name}-go", REFERENCES / f"{name}.go")
    return Peer("Go", [str(WORK / "turns-go")], [str(WORK / "mesh-go")])


def go_compiler() -> Path | None:
    """Return this environment's Go compiler, if it has one."""
    compiler = Path(sys.executable).parent / "go"
    return compiler if compiler.exists() else None


def framework(name: str) -> Peer:
    """Prepare a framework in an environment of its own; raises StepError if that cannot be made."""
    python = str(environment.environment(f"peers-{name}", f"peers-{name}"))
    turns, messages = (REFERENCES / f"{what}_{name.replace('-', '_')}.py" for what in ("turns", "messages"))
    return Peer(name, [python, str(turns)], [python, str(messages)] if messages.is_file() else [])


PEERS: Mapping[str, Callable[[], Peer]] = {
    "python": floor,
    "go": go,
    "openai": sdk,
    **{name: partial(framework, name) for name in environment.PEERS},
}


def chosen(text: str) -> list[str]:
    """Return the names that `all`, `none` or NAME,NAME stand for; raises ValueError if nobody has such a name."""
    if text in ("all", "none"):
        return list(PEERS) if text == "all" else []
    names = text.split(",")
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        raise ValueError(f"no peer {unknown[0]!r}: expected all, none, or names of {', '.join(PEERS)}")
    return names


def prepared(name: str) -> Peer:
    """Prepare a peer, or note why it cannot be measured."""
    try:
        with redirect_stdout(sys.stderr):  # where the steps of an installation are told; the figures are for stdout
            return PEERS[name]()
    except StepError as error:
        return Peer(name, reason=str(error).strip().splitlines()[-1])


def measured(peer: Peer, counts: Iterable[int]) -> Contender:
    """Let a peer run each count of turns, and pass messages if it can."""
    turns = {count: run_turns(peer, count) for count in counts}
    if peer.reason or not peer.messages:
        return Contender(peer.name, turns)
    try:
        messages = msgspec.json.decode(report(peer.messages), type=Messages)
    except (PeerError, msgspec.DecodeError) as error:
        return Contender(peer.name, turns, reason=str(error))
    return Contender(peer.name, turns, messages)


def run_turns(peer: Peer, turns: int) -> Turns:
    """Let a peer run so many turns at once against a fresh provider."""
    if peer.reason:
        return Turns(turns, turns, reason=peer.reason)
    try:
        with provider() as url:
            return msgspec.json.decode(report([*peer.turns, url, str(turns)]), type=Turns)
    except (PeerError, msgspec.DecodeError) as error:
        return Turns(turns, turns, reason=str(error))


def report(words: Sequence[str], seconds: float = SECONDS) -> bytes:
    """Run a script and return what it prints; raises PeerError if it fails or takes too long."""
    try:
        done = subprocess.run(words, capture_output=True, timeout=seconds, cwd=ROOT)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"killed after {seconds:g} s") from error
    except OSError as error:
        raise PeerError(f"cannot be started: {error}") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise PeerError(f"ended with {done.returncode}: {lines[-1] if lines else 'it said nothing'}")
    return done.stdout
