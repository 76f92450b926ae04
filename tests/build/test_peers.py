"""Those who are measured beside ClawMesh: each runs its turns, or its reason is told."""

from __future__ import annotations

import sys

import pytest

import peers
from contest import Contender, Turns
from environment import REQUIREMENTS
from peers import Peer, PeerError
from steps import BUILD

FRAMEWORKS = [name for name in peers.PEERS if name not in ("python", "go", "openai")]


def prepared(name: str) -> Peer:
    """Prepare a peer, but make no environment for it."""
    if name in FRAMEWORKS and not (BUILD / "venv" / f"peers-{name}" / f"peers-{name}.installed").is_file():
        pytest.skip(f"{name} is not installed: python3 build/make.py bench --peers {name} does that")
    if name == "go" and peers.go_compiler() is None:
        pytest.skip("this environment has no Go: python3 build/make.py test installs it")
    return peers.prepared(name)


def test_names_are_chosen() -> None:
    assert peers.chosen("none") == []
    assert peers.chosen("all") == [*peers.PEERS]
    assert peers.chosen("go,agno") == ["go", "agno"]
    with pytest.raises(ValueError, match="no peer 'agn': expected all, none, or names of python, go, openai, agno"):
        peers.chosen("agn,go")


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_framework_is_locked_and_has_a_script(name: str) -> None:
    assert "--hash=sha256:" in (REQUIREMENTS / f"peers-{name}.txt").read_text()
    assert (peers.REFERENCES / f"turns_{name.replace('-', '_')}.py").is_file()


@pytest.mark.parametrize("name", peers.PEERS)
def test_turns_are_run(name: str) -> None:
    told = peers.run_turns(prepared(name), 3)
    assert (told.turns, told.failed, told.reason) == (3, 0, "")
    assert min(told.wall_seconds, told.cpu_ms_per_turn, told.peak_rss_mb) > 0


def test_a_peer_that_cannot_be_prepared_says_why() -> None:
    told = peers.measured(Peer("one", reason="no wheel"), [10])
    assert told == Contender("one", {10: Turns(10, 10, reason="no wheel")})


def test_a_script_that_fails_says_why() -> None:
    words = [sys.executable, "-c", "raise SystemExit('it is broken')"]
    told = peers.measured(Peer("one", words, words), [10])
    reason = "ended with 1: it is broken"
    assert told == Contender("one", {10: Turns(10, 10, reason=reason)}, reason=reason)


def test_a_script_that_prints_something_else_says_so() -> None:
    told = peers.run_turns(Peer("one", [sys.executable, "-c", "print('hello')"]), 10)
    assert (told.measured, told.failed) == (False, 10)
    assert "JSON is malformed" in told.reason


def test_a_script_that_does_not_end_is_killed() -> None:
    with pytest.raises(PeerError, match=r"killed after 0\.1 s"):
        peers.report([sys.executable, "-c", "import signal; signal.pause()"], 0.1)
    with pytest.raises(PeerError, match="cannot be started"):
        peers.report(["/nothing"])
