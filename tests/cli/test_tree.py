"""Messages as a tree of what caused what."""

from __future__ import annotations

from clawmesh.agent.story import Account
from clawmesh.cli.tree import branches, nearest, rows
from clawmesh.mesh.record import Accepted
from clawmesh.messages import Message


def account(id: str, *causes: str, at: float = 0.0) -> Account:
    envelope = Accepted(
        id=id, sender="user", to=f"{id}/s", kind="ask", message=Message.user("x"), deadline=0.0, causes=causes
    )
    return Account(envelope=envelope, accepted=at)


ROOT, LATE, EARLY, DEEP = account("r"), account("l", "r", at=2), account("e", "r", at=1), account("d", "r", "l", at=3)


def test_each_stands_before_what_it_caused_in_the_order_of_arrival() -> None:
    tree = branches([DEEP, LATE, EARLY, ROOT], LATE)
    assert [(branch.account.id, branch.depth) for branch in tree] == [("r", 0), ("e", 1), ("l", 1), ("d", 2)]
    assert [(mark, who) for mark, who, _ in rows(tree, LATE)] == [
        ("", "user → r/s"),
        ("", "  → e/s"),
        (">", "  → l/s"),
        ("", "    → d/s"),
    ]


def test_one_whose_cause_is_not_known_stands_at_the_top() -> None:
    assert [(branch.account.id, branch.depth) for branch in branches([DEEP], DEEP)] == [("d", 0)]


def test_of_too_many_those_in_line_are_kept() -> None:
    tree = branches([ROOT, EARLY, LATE, DEEP], LATE)
    assert [branch.account.id for branch in nearest(tree, 3)] == ["r", "l", "d"]
    assert nearest(tree, 10) == tree
