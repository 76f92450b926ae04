"""The checker of the proofs: it says nothing of a run in good order, and finds each thing that must not be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clawmesh.abc.journal import Entry, Kind
from clawmesh.errors import FailedError
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.mesh.record import pack_envelope, pack_outcome
from clawmesh.messages import Message, Report
from clawmesh.testing import ManualClock
from tests.recovery.checker import Checker
from tests.recovery.shop import Account, Action, Plan
from tests.recovery.witness import Deed, Wish, Witness

SESSION = "ann/s"


class Run:
    """What a run in good order leaves: two plans of one caller for one session, both answered."""

    def __init__(self) -> None:
        self.witness = Witness()
        self.log: list[Entry] = []
        self._seen: tuple[str, ...] = ()
        for number in range(2):
            self._live(f"caller0.{number}", number)

    def _live(self, name: str, number: int) -> None:
        plan = Plan(name, ((Action("charge", {"item": f"{name}.00"}),), (Action("book", {"item": f"{name}.10"}),)))
        id = f"env_{number}"
        self.witness.wishes.append(Wish(name, "caller0", SESSION, number, sure=True))
        results = tuple(
            tuple(f"{each.tool} {each.arguments['item']}@{SESSION}" for each in step) for step in plan.steps
        )
        outcome = answered(Account(name, self._seen, results))
        self._seen += (name,)
        self.log += [accepted(id, plan), Entry(Kind.STEP, id, 0.0), ended(id, outcome)]
        self.witness.hear(name, outcome)
        self.witness.promise(name, id)
        for step, (action,) in enumerate(plan.steps):
            item = {"item": f"{action.arguments['item']}@{SESSION}"}
            self.witness.deeds.append(Deed(1, f"{name}#{step}", "model", {"session": SESSION}))
            self.witness.deeds.append(Deed(1, f"{name} {step}", action.tool, item))

    def faults(self) -> list[str]:
        return Checker(self.witness, self.log).faults(calm=True)


def accepted(id: str, plan: Plan) -> Entry:
    clock = ManualClock()
    envelope = Envelope(
        id=id,
        sender="caller0",
        to=Address.parse(SESSION),
        kind="ask",
        message=Message.user(plan.text),
        deadline=clock.monotonic() + 60,
    )
    return Entry(Kind.ACCEPTED, id, 0.0, pack_envelope(envelope, clock), SESSION)


def answered(account: Account) -> Outcome:
    return Outcome(Ending.ANSWERED, Message.assistant(account.text), Report())


def ended(id: str, outcome: Outcome) -> Entry:
    return Entry(Kind.ENDED, id, 0.0, pack_outcome(outcome))


def test_nothing_is_wrong_with_a_run_in_good_order() -> None:
    assert Run().faults() == []


def lose_an_envelope(run: Run) -> None:
    del run.log[3:]


def lose_an_outcome(run: Run) -> None:
    del run.log[-1]


def end_twice(run: Run) -> None:
    run.log.append(run.log[2])


def accept_twice(run: Run) -> None:
    run.log.insert(1, run.log[0])


def go_on_after_the_end(run: Run) -> None:
    run.log.append(run.log[1])


def tell_something_else(run: Run) -> None:
    run.witness.hear("caller0.0", Outcome(Ending.FAILED, error=FailedError("no")))


def promise_another(run: Run) -> None:
    run.witness.promise("caller0.0", "env_9")


def answer_out_of_order(run: Run) -> None:
    run.log.append(run.log.pop(2))


def accept_out_of_order(run: Run) -> None:
    run.witness.wishes.reverse()


def forget(run: Run) -> None:
    results = (("charge caller0.1.00@ann/s",), ("book caller0.1.10@ann/s",))
    outcome = answered(Account("caller0.1", (), results))
    run.log[5] = ended("env_1", outcome)
    run.witness.told["caller0.1"] = [outcome]


def charge_twice(run: Run) -> None:
    run.witness.deeds.append(run.witness.deeds[1])


def book_under_another_key(run: Run) -> None:
    run.witness.deeds.append(Deed(2, "other", "book", run.witness.deeds[3].arguments))


def buy_what_the_journal_had(run: Run) -> None:
    run.witness.own(2, SESSION, "caller0.1", 1)
    run.witness.deeds.append(Deed(2, "caller0.1#0", "model", {"session": SESSION}))


def buy_what_was_acted_on(run: Run) -> None:
    run.witness.deeds.append(run.witness.deeds[0])


def answer_what_was_not_asked(run: Run) -> None:
    outcome = answered(Account("caller0.1", ("caller0.0",), ()))
    run.log[5] = ended("env_1", outcome)
    run.witness.told["caller0.1"] = [outcome]


def tell_of_what_was_not_done(run: Run) -> None:
    del run.witness.deeds[-1]


def fail_without_a_reason(run: Run) -> None:
    outcome = Outcome(Ending.FAILED, error=FailedError("no"))
    run.log[5] = ended("env_1", outcome)
    run.witness.told["caller0.1"] = [outcome]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose_an_envelope, "caller0.1 is not in the journal"),
        (lose_an_outcome, "has 0 outcomes"),
        (end_twice, "has 2 outcomes"),
        (accept_twice, "was accepted twice"),
        (go_on_after_the_end, "STEP of env_0 after its end"),
        (tell_something_else, "caller0.0 was told as"),
        (promise_another, "promised as"),
        (answer_out_of_order, "ann/s took"),
        (accept_out_of_order, "what caller0 said to ann/s came as"),
        (forget, "caller0.1 remembers ()"),
        (charge_twice, "charge caller0.0.00@ann/s: 2 times"),
        (book_under_another_key, "under 2 keys"),
        (buy_what_the_journal_had, "the journal had 1 steps"),
        (buy_what_was_acted_on, "was bought again after its calls were made"),
        (answer_what_was_not_asked, "env_1 answers caller0.1"),
        (tell_of_what_was_not_done, "done: False"),
        (fail_without_a_reason, "nothing was wrong, yet env_1 failed"),
    ],
)
def test_what_must_not_be_is_found(spoil: Callable[[Run], None], said: str) -> None:
    run = Run()
    spoil(run)
    assert any(said in fault for fault in run.faults())
