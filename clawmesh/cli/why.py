"""`clawmesh why`: where a message, a turn or a session went, what it waited for, what it cost, how it ended."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import to_builtins
from msgspec.structs import replace

from clawmesh.agent.case import Case, examine, facts
from clawmesh.agent.story import Account, read_all
from clawmesh.cli import tree
from clawmesh.cli.account import STATES, show, used
from clawmesh.cli.archive import archived
from clawmesh.cli.console import Console
from clawmesh.cli.identity import identify
from clawmesh.cli.phrase import ago, count, cut, moment, size, span
from clawmesh.cluster.hold import holder
from clawmesh.config.location import locate
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import UsageError
from clawmesh.journal.archive import Archive
from clawmesh.messages import Usage

BRANCHES = 40
NEWEST = 20
LINE = 60


def why(arguments: argparse.Namespace, console: Console) -> int:
    """Tell the story of one envelope, or of the newest ones of a session."""
    places = locate(arguments.config, arguments.data, console.environ)
    with archived(arguments, console) as archive:
        if "/" in arguments.id:
            _show_session(archive, arguments.id, console)
        else:
            _show_case(_case(archive, identify(archive, arguments.id), places.data), console)
    return 0


def _case(archive: Archive, id: str, data: Path) -> Case:
    case = examine(archive, id)
    assert case is not None  # it was found there a moment ago
    if case.waits and not _runs(data):
        return replace(case, waits=f"a process that goes on with it, such as 'clawmesh serve'; then for {case.waits}")
    return case


def _runs(data: Path) -> bool:
    """Whether a process has the mesh of this data directory."""
    if (found := holder(data)) is None:
        return False
    with suppress(PermissionError):
        try:
            os.kill(found.pid, 0)
        except ProcessLookupError:
            return False
    return True


def _show_case(case: Case, console: Console) -> None:
    account = case.account
    if console.as_json:
        kin = [facts(each) for each in case.kin if each.id != account.id]
        console.json({**facts(account), "waits_for": case.waits or None, "kin": kin})
        return
    show(account, case.waits, console, together=_together(case))
    grown = tree.branches(case.kin, account)
    if len(grown) > 1:
        console.print()
        _show_tree(grown, account, console)


def _together(case: Case) -> Usage | None:
    """Return what was used by the message and all that came of it, None where nothing that came of it used any."""
    own = case.account.id
    caused = sum((each.usage for each in case.kin if own in each.envelope.causes), Usage())
    return case.account.usage + caused if caused.total_tokens else None


def _show_tree(grown: Sequence[tree.Branch], own: Account, console: Console) -> None:
    shown = tree.nearest(grown, BRANCHES)
    rows = []
    for mark, who, account in tree.rows(shown, own):
        kind = "sent again" if _again(account, grown) else account.envelope.kind
        tokens = f"{account.usage.total_tokens:,}" if account.usage.total_tokens else ""
        took = "" if account.took is None else span(account.took)
        rows.append((mark, who, kind, account.state, took, tokens, account.id))
    head = ("", "MESSAGES", "KIND", "STATE", "TOOK", "TOKENS", "ID")
    console.table(rows, head=head, styles=STATES, spare=("TOKENS", "TOOK", "KIND"))
    if len(shown) < len(grown):
        console.print(f"and {len(grown) - len(shown):,} more; --json shows them")


def _again(account: Account, grown: Sequence[tree.Branch]) -> bool:
    """Whether a message is a dead letter that was sent again."""
    return any(rest.state == "revived" and rest.text == account.id for each in grown for rest in each.account.rests)


def _show_session(archive: Archive, address: str, console: Console) -> None:
    """Show the newest messages of a session, and what it takes."""
    accounts = read_all(archive.session(address))
    kept = {each.session: each for each in archive.sessions(address.partition("/")[0])}
    found = kept.get(address)
    if found is None:
        known = kept or {each.session: each for each in archive.sessions()}
        raise UsageError(f'there is no session "{address}"{did_you_mean(address, known, otherwise="there are")}')
    if console.as_json:
        console.json({**to_builtins(found), "messages": [facts(each) for each in accounts]})
        return
    states = Counter(account.state for account in accounts)
    told = ", ".join(f"{number} {state}" for state, number in states.most_common())
    console.print(console.style(console.clean(f"{address}: {count(len(accounts), 'message')}, {told}"), "bold"))
    disk = f"{size(found.journal_bytes)} of messages, {size(found.snapshot_bytes)} of what it remembers"
    console.table([("used", used(accounts)), ("last", ago(found.used)), ("on disk", disk)])
    console.print()
    head = ("ACCEPTED", "FROM", "STATE", "WAITED", "TOOK", "TOKENS", "ID", "MESSAGE")
    rows = [_row(account) for account in accounts[-NEWEST:]]
    console.table(rows, head=head, styles=STATES, spare=("WAITED", "TOKENS", "TOOK", "FROM"), brief=True)
    if len(accounts) > NEWEST:
        console.print(f"and {len(accounts) - NEWEST} before them; --json shows more")


def _row(account: Account) -> tuple[str, ...]:
    return (
        moment(account.accepted),
        account.envelope.sender,
        account.state,
        "" if account.waited is None else span(account.waited),
        "" if account.took is None else span(account.took),
        f"{account.usage.total_tokens:,}" if account.usage.total_tokens else "",
        account.id,
        cut(account.envelope.message.text, LINE),
    )
