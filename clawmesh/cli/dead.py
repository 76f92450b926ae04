"""`clawmesh dead`: list, show, send again and discard what failed and nobody was told of."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

from clawmesh.agent.case import facts
from clawmesh.agent.story import Account, read
from clawmesh.cli import account as accounts
from clawmesh.cli.archive import archived
from clawmesh.cli.console import Console, fault
from clawmesh.cli.identity import beginnings, only
from clawmesh.cli.loop import run
from clawmesh.cli.opening import opened
from clawmesh.cli.phrase import age, count, cut, moment
from clawmesh.cluster.access import Access
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import ClawmeshError, UsageError
from clawmesh.journal.archive import Archive, DeadLetter

REASON = 60
LISTED = 1000
MOST = 100_000

Deed: TypeAlias = Callable[[Access, DeadLetter], Awaitable[dict[str, Any]]]
"""Does something with one dead letter; returns what there is to say of it in JSON."""


def list_(arguments: argparse.Namespace, console: Console) -> int:
    """List the dead letters, oldest first."""
    with archived(arguments, console) as archive:
        letters = archive.dead(LISTED, arguments.agent)
        senders = [_account(archive, letter).envelope.sender for letter in letters]
    if console.as_json:
        console.json([_facts(letter, sender) for letter, sender in zip(letters, senders, strict=True)])
        return 0
    if not letters:
        console.note("there are no dead letters")
        return 0
    rows = [
        (letter.envelope, moment(letter.at), age(letter.at), sender, letter.session, cut(letter.reason, REASON))
        for letter, sender in zip(letters, senders, strict=True)
    ]
    console.table(rows, head=("ID", "SINCE", "AGE", "FROM", "TO", "REASON"), spare=("SINCE", "FROM"), brief=True)
    if len(letters) == LISTED:
        console.note(f"these are the oldest {LISTED}")
    return 0


def show(arguments: argparse.Namespace, console: Console) -> int:
    """Show one dead letter whole: what became of it, and all of its message."""
    with archived(arguments, console) as archive:
        (letter,) = _chosen(archive, [arguments.id])
        account = _account(archive, letter)
    if console.as_json:
        console.json(facts(account))
        return 0
    accounts.show(account, "", console)
    console.print(f"\n{console.clean(account.envelope.message.text)}")
    return 0


def redrive(arguments: argparse.Namespace, console: Console) -> int:
    """Send dead letters again, each to the session that it was for."""
    letters = _letters(arguments, console)

    async def one(access: Access, letter: DeadLetter) -> dict[str, Any]:
        new = await access.query("redrive", letter.session, id=letter.envelope)
        if not console.as_json:
            console.print(f"{letter.envelope} is sent again as {new}")
        return {"new": new}

    return _each(letters, one, arguments, console)


def discard(arguments: argparse.Namespace, console: Console) -> int:
    """Take dead letters away for good."""
    letters = _letters(arguments, console)
    if letters and not arguments.yes and not _confirmed(letters, console):
        console.note("nothing is discarded")
        return 0

    async def one(access: Access, letter: DeadLetter) -> dict[str, Any]:
        await access.query("discard", letter.session, id=letter.envelope)
        if not console.as_json:
            console.print(f"{letter.envelope} is discarded")
        return {"discarded": True}

    return _each(letters, one, arguments, console)


def _each(letters: Sequence[DeadLetter], deed: Deed, arguments: argparse.Namespace, console: Console) -> int:
    """Do something with each letter, whatever happens to the others; return the first error's exit code."""
    done: list[dict[str, Any]] = []
    codes: list[int] = []

    async def one(access: Access, letter: DeadLetter) -> None:
        try:
            result = await deed(access, letter)
        except ClawmeshError as error:
            result = {"error": fault(error)}
            codes.append(error.exit_code)
            console.error(f"{letter.envelope}: {error}")
        done.append({"id": letter.envelope, **result})

    async def main() -> None:
        async with opened(arguments, console) as access:
            for letter in letters:
                await one(access, letter)
            console.flush()

    if letters:
        run(main)
    else:
        console.note("there are no dead letters")
    if console.as_json:
        console.json(done)
    return codes[0] if codes else 0


def _letters(arguments: argparse.Namespace, console: Console) -> Sequence[DeadLetter]:
    """Return the dead letters that are meant.

    Raises:
        UsageError: none is named, or one that is not there.
    """
    if bool(arguments.ids) == arguments.all or (arguments.agent and not arguments.all):
        raise UsageError("say which: ids of dead letters, or --all (of one agent: --all --agent NAME)")
    with archived(arguments, console) as archive:
        if arguments.all:
            return archive.dead(MOST, arguments.agent)
        return _chosen(archive, arguments.ids)


def _chosen(archive: Archive, texts: Sequence[str]) -> Sequence[DeadLetter]:
    """Return the letters that ids, or the beginnings of them, mean, each once."""
    letters = {letter.envelope: letter for letter in archive.dead(MOST)}
    chosen: dict[str, DeadLetter] = {}
    for text in texts:
        id = only(text, [id for id in letters if id.startswith(beginnings(text))], "dead letters")
        if id is None:
            raise _unknown(archive, text, letters)
        chosen[id] = letters[id]
    return list(chosen.values())


def _unknown(archive: Archive, text: str, letters: Iterable[str]) -> UsageError:
    error = UsageError(f'there is no dead letter "{text}"{did_you_mean(text, letters, otherwise="those that rest:")}')
    if archive.story(text):
        error.add_note(f"'clawmesh why {text}' tells what became of it")
    return error


def _account(archive: Archive, letter: DeadLetter) -> Account:
    return read(archive.story(letter.envelope))


def _facts(letter: DeadLetter, sender: str) -> dict[str, Any]:
    return {"id": letter.envelope, "at": letter.at, "from": sender, "to": letter.session, "reason": letter.reason}


def _confirmed(letters: Sequence[DeadLetter], console: Console) -> bool:
    """Ask the person at the terminal; without one nobody can be asked, and what was said counts."""
    if not sys.stdin.isatty() or not console.interactive:
        return True
    console.print(f"Discard {count(len(letters), 'dead letter')} for good? [y/N] ", end="")
    console.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
