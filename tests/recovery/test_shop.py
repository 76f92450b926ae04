"""The plugin of the proofs in the executable: it does what the plan says, and the ledger knows."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.recovery.ledger import Ledger, open_ledger
from tests.recovery.shop import Account, Action, Plan
from tests.recovery.site import Site


def ask(site: Site, to: str, plan: Plan) -> Account:
    return msgspec.json.decode(site.run("ask", to, plan.text).stdout, type=Account)


def done(ledger: Ledger) -> list[tuple[str, object]]:
    return [(effect.name, effect.arguments.get("item", effect.key)) for effect in ledger.effects]


def test_a_plan_is_followed_and_noted(executable: Path, tmp_path: Path) -> None:
    first = Action("charge", {"item": "tea"})
    second = (Action("book", {"item": "seat"}), Action("look", {"item": "map"}))
    inner = Plan("inner", ((Action("look", {"item": "clock"}),),))
    with open_ledger() as ledger:
        site = Site(executable, tmp_path)
        site.furnish(ledger.url)
        ask_ben = Action("ask_agent", {"agent": "ben", "message": inner.text})
        account = ask(site, "ann/s", Plan("outer", ((first,), second, (ask_ben,))))
    assert account.name == "outer"
    assert account.results[:2] == (("charge tea@ann/s",), ("book seat@ann/s", "look map@ann/s"))
    assert msgspec.json.decode(account.results[2][0], type=Account) == Account(
        "inner", (), (("look clock@ben/ann~s",),)
    )
    events = done(ledger)
    assert events[:2] == [("model", "outer#0"), ("charge", "tea@ann/s")]
    assert set(events[3:5]) == {("book", "seat@ann/s"), ("look", "map@ann/s")}
    assert events[5:] == [
        ("model", "outer#2"),
        ("model", "inner#0"),
        ("look", "clock@ben/ann~s"),
        ("model", "inner#1"),
        ("model", "outer#3"),
    ]
