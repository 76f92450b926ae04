"""Holds what was promised and what happened against what the journal says in the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from clawmesh.abc.journal import Entry, Kind
from clawmesh.mesh.envelope import Ending, Outcome
from clawmesh.mesh.record import Accepted, Ended, pack_outcome, read_accepted, read_ended
from clawmesh.messages import Message
from tests.recovery.shop import Account, Plan
from tests.recovery.traffic import CLERK
from tests.recovery.witness import KNOWN_BY_KEY, Witness


class Life(Struct, frozen=True):
    """An envelope from its acceptance to its outcome, as the journal has it."""

    envelope: Accepted
    entry: Entry
    ends: tuple[Ended, ...]
    endings: tuple[Entry, ...]

    @property
    def plan(self) -> str:
        return msgspec.json.decode(self.envelope.message.text, type=Plan).name

    @property
    def account(self) -> Account | None:
        """What it was answered with."""
        return account(self.ends[0].message) if self.ends and self.ends[0].ending is Ending.ANSWERED else None


def account(message: Message | None) -> Account | None:
    return None if message is None else msgspec.json.decode(message.text, type=Account)


class Checker:
    """`log` is everything in the journal, in its order; each method yields what is wrong."""

    def __init__(self, witness: Witness, log: Sequence[Entry]) -> None:
        self._witness = witness
        self._log = log
        self._lives: dict[str, Life] = {}
        self._faults: list[str] = []
        for entry in log:
            self._read(entry)
        self._by_plan = {(life.envelope.to, life.plan): life for life in self._lives.values()}

    def faults(self, *, calm: bool) -> list[str]:
        """Return all that is wrong; `calm` says that nothing happened which excuses a failure."""
        return [
            *self._witness.complaints,
            *self._faults,
            *self._outcomes(calm=calm),
            *self._promises(),
            *self._order(),
            *self._unsafe(),
            *self._idempotent(),
            *self._purchases(),
            *self._repurchases(),
            *self._accounts(),
        ]

    def _read(self, entry: Entry) -> None:
        life = self._lives.get(entry.envelope)
        if entry.kind is Kind.ACCEPTED:
            if life is not None:
                self._faults.append(f"{entry.envelope} was accepted twice")
            self._lives[entry.envelope] = Life(read_accepted(entry.data), entry, (), ())
        elif life is None:
            self._faults.append(f"{entry.kind.name} of {entry.envelope}, which was never accepted")
        elif entry.kind is Kind.ENDED:
            ends, endings = (*life.ends, read_ended(entry.data)), (*life.endings, entry)
            self._lives[entry.envelope] = Life(life.envelope, life.entry, ends, endings)
        elif life.ends and entry.kind in (Kind.TAKEN, Kind.STEP, Kind.INTENT, Kind.RESULT):
            self._faults.append(f"{entry.kind.name} of {entry.envelope} after its end")

    def _outcomes(self, *, calm: bool) -> Iterator[str]:
        """Everything that was accepted has one outcome."""
        for id, life in self._lives.items():
            if len(life.ends) != 1:
                yield f"{id} ({life.plan} to {life.envelope.to}) has {len(life.ends)} outcomes"
            elif calm and life.envelope.sender.startswith("caller") and life.ends[0].ending is not Ending.ANSWERED:
                yield f"nothing was wrong, yet {id} {life.ends[0].ending}: {life.ends[0].error}"

    def _promises(self) -> Iterator[str]:
        """What was acknowledged is there, once; what was told is what is written.

        But whoever waits until the deadline is told so, whatever comes a moment later.
        """
        for wish in self._witness.wishes:
            life = self._by_plan.get((wish.session, wish.name))
            heard = self._witness.told.get(wish.name, [])
            told = [outcome for outcome in heard if outcome.ending is not Ending.EXPIRED]
            promised = self._witness.accepted.get(wish.name, [])
            if life is None:
                if told or promised or (wish.sure and not heard):
                    yield f"{wish.name} is not in the journal; promised {promised}, told {told}"
                continue
            if set(promised) - {life.envelope.id, KNOWN_BY_KEY}:
                yield f"{wish.name} is {life.envelope.id}, promised as {promised}"
            yield from self._told(wish.name, life, told)

    def _told(self, plan: str, life: Life, told: Sequence[Outcome]) -> Iterator[str]:
        written = life.ends[0].outcome() if life.ends else None
        for outcome in told:
            if written is None or not _same(outcome, written):
                yield f"{plan} was told as {outcome}, written as {written}"

    def _order(self) -> Iterator[str]:
        """A session takes what comes in the order in which it came."""
        accepted: dict[str, list[str]] = defaultdict(list)
        answered: dict[str, list[str]] = defaultdict(list)
        for entry in self._log:
            life = self._lives.get(entry.envelope)
            if life is None or life.account is None:
                continue
            if entry.kind is Kind.ACCEPTED:
                accepted[life.envelope.to].append(life.plan)
            elif entry.kind is Kind.ENDED:
                remembers = not life.envelope.to.startswith(f"{CLERK}/")
                if remembers and life.account.seen != tuple(answered[life.envelope.to]):
                    yield f"{life.plan} remembers {life.account.seen}, before it were {answered[life.envelope.to]}"
                answered[life.envelope.to].append(life.plan)
        for session, plans in accepted.items():
            if plans != answered[session]:
                yield f"{session} took {answered[session]}, given {plans}"
        yield from self._callers()

    def _callers(self) -> Iterator[str]:
        """What one caller says to one session, one after the other, comes in that order."""
        order = {id: index for index, id in enumerate(self._lives)}
        said = defaultdict(list)
        for wish in self._witness.wishes:
            if life := self._by_plan.get((wish.session, wish.name)):
                said[wish.caller, wish.session].append((order[life.envelope.id], wish.name))
        for (caller, session), plans in said.items():
            if plans != sorted(plans):
                yield f"what {caller} said to {session} came as {sorted(plans)}"

    def _unsafe(self) -> Iterator[str]:
        times: dict[str, int] = defaultdict(int)
        for deed in self._witness.deeds:
            if deed.name == "charge":
                times[deed.arguments["item"]] += 1
        yield from (f"charge {item}: {count} times" for item, count in times.items() if count > 1)

    def _idempotent(self) -> Iterator[str]:
        keys: dict[str, set[str]] = defaultdict(set)
        for deed in self._witness.deeds:
            if deed.name == "book":
                keys[deed.arguments["item"]].add(deed.key)
        yield from (f"book {item}: under {len(found)} keys" for item, found in keys.items() if len(found) > 1)

    def _purchases(self) -> Iterator[str]:
        """A reply that was in the journal when a life began is not bought again."""
        owned = self._witness.bought
        for deed in self._witness.deeds:
            if deed.name != "model":
                continue
            plan, _, step = deed.key.rpartition("#")
            for life, session, name, steps in owned:
                if deed.life >= life and (session, name) == (deed.arguments["session"], plan) and int(step) < steps:
                    yield f"{deed.key} of {session} was bought again in life {deed.life}: the journal had {steps} steps"

    def _repurchases(self) -> Iterator[str]:
        """A reply whose calls were made was in the journal by then, and is never bought again."""
        made: dict[tuple[str, str], int] = {}
        for deed in self._witness.deeds:
            if deed.name in ("charge", "book"):
                item, _, session = deed.arguments["item"].partition("@")
                plan, _, number = item.rpartition(".")
                made[session, plan] = max(made.get((session, plan), 0), int(number[0]))
            elif deed.name == "model":
                plan, _, number = deed.key.rpartition("#")
                if int(number) <= made.get((deed.arguments["session"], plan), -1):
                    yield f"{deed.key} of {deed.arguments['session']} was bought again after its calls were made"

    def _accounts(self) -> Iterator[str]:
        """Every answer answers its plan, and tells of deeds that were done."""
        done = {f"{deed.name} {deed.arguments['item']}" for deed in self._witness.deeds if "item" in deed.arguments}
        for id, life in self._lives.items():
            answer = life.account
            if answer is None:
                continue
            plan = msgspec.json.decode(life.envelope.message.text, type=Plan)
            if answer.name != plan.name or [len(s) for s in answer.results] != [len(s) for s in plan.steps]:
                yield f"{id} answers {answer.name} with {answer.results}, asked was {plan}"
                continue
            for action, result in zip(sum(plan.steps, ()), sum(answer.results, ()), strict=True):
                if action.tool in ("charge", "book", "look") and not result.startswith("failed"):
                    expected = f"{action.tool} {action.arguments['item']}@{life.envelope.to}"
                    if result != expected or result not in done:
                        yield f"{id}: {result!r} was the result of {expected!r}, done: {result in done}"
                if result.startswith("sent (") and result[6:-1] not in self._lives:
                    yield f"{id} was told {result}, which is not in the journal"


def _same(one: Outcome, other: Outcome) -> bool:
    return pack_outcome(one) == pack_outcome(other)
