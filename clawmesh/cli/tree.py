"""What caused a message and what it caused, as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from clawmesh.agent.story import Account


class Branch(Struct, frozen=True):
    """A message in the tree, so deep below the first; `line` says that it led to the one asked for, or came of it."""

    account: Account
    depth: int
    line: bool


def branches(kin: Sequence[Account], own: Account) -> list[Branch]:
    """Return the kin of a message as a tree, each before what it caused, in the order in which they came."""
    ids = {account.id for account in kin}
    below: dict[str, list[Account]] = {}
    for account in sorted(kin, key=lambda account: (account.accepted, account.id), reverse=True):
        below.setdefault(account.parent if account.parent in ids else "", []).append(account)
    stack = [(account, 0) for account in below.get("", ())]
    found = []
    while stack:
        account, depth = stack.pop()
        found.append(Branch(account, depth, _in_line(account, own)))
        stack += [(child, depth + 1) for child in below.get(account.id, ())]
    return found


def nearest(tree: Sequence[Branch], most: int) -> Sequence[Branch]:
    """Return at most so many branches of a tree: first those in line, whatever is left in its order."""
    chosen = sorted(range(len(tree)), key=lambda index: not tree[index].line)[:most]
    return [tree[index] for index in sorted(chosen)]


def rows(tree: Sequence[Branch], own: Account) -> Iterator[tuple[str, str, Account]]:
    """Yield a mark for the message asked for, who spoke to whom, and the account of it."""
    for branch in tree:
        envelope = branch.account.envelope
        who = f"→ {envelope.to}" if branch.depth else f"{envelope.sender} → {envelope.to}"
        yield ">" if branch.account.id == own.id else "", "  " * branch.depth + who, branch.account


def _in_line(account: Account, own: Account) -> bool:
    return account.id == own.id or account.id in own.envelope.causes or own.id in account.envelope.causes
