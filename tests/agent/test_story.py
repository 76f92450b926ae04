"""Stories read as what happened."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from clawmesh.abc.backend import Reply
from clawmesh.abc.journal import Entry, Kind, Story
from clawmesh.abc.tool import Effect
from clawmesh.agent.record import Record, Step
from clawmesh.agent.story import PENDING, Account, awaited, read, read_all
from clawmesh.errors import QuotaError, StorageError
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.mesh.record import pack_envelope, pack_outcome
from clawmesh.messages import Message, Report, Text, ToolCall, ToolResult, Usage
from clawmesh.testing import ManualClock, called, said

pytestmark = pytest.mark.anyio

ENVELOPE = Envelope(
    id="env_1", sender="user", to=Address("a", "s"), kind="ask", message=Message.user("go"), deadline=2000.0
)
PAY = ToolCall("c1", "pay", '{"sum": 3}')
BOOK = ToolCall("c2", "book")
LOOK = ToolCall("c3", "look")


class Writer:
    """Writes the story of one envelope as engine and turn do, at times that the test sets."""

    def __init__(self, envelope: Envelope = ENVELOPE) -> None:
        self.clock = ManualClock(100.0)
        self.envelope = envelope
        self._journal = MemoryJournal(self.clock)
        self.record = Record(self._journal, self.clock, envelope.id, ())
        self.add(Kind.ACCEPTED, pack_envelope(envelope, self.clock))

    def add(self, kind: Kind, data: bytes = b"", seconds: float = 1.0) -> None:
        self._journal.append(Entry(kind, self.envelope.id, self.clock.now(), data))
        self.clock.advance(seconds)

    def step(self, reply: Reply, seconds: float = 1.0) -> None:
        self.record.replied(Step(replace(reply, backend="b"), seconds))
        self.clock.advance(1.0)

    async def call(self, call: ToolCall, effect: Effect, result: str = "", *, crash: bool = False) -> None:
        key = self.record.key(call)
        await self.record.intend(key, call, effect)
        self.clock.advance(1.0)
        if crash:
            self.add(Kind.TAKEN)
        if result:
            said = ToolResult(call.id, call.name, (Text(result),), failed=crash)
            self.record.gave(key, said, 0.5)

    async def story(self) -> Story:
        return await self._journal.story(self.envelope.id)

    async def account(self) -> Account:
        return read(await self.story())


async def test_a_whole_turn_is_told_with_its_last_call_from_the_outcome() -> None:
    writer = Writer()
    writer.clock.advance(2.0)
    writer.step(called(PAY, LOOK, tokens=5), 1.5)
    await writer.call(PAY, Effect.UNSAFE, "paid")
    await writer.call(LOOK, Effect.PURE, "seen")
    report = Report(steps=2, tool_calls=2, usage=Usage(8, 7, total_tokens=15), backend="b", model="last")
    writer.clock.advance(0.25)
    writer.add(Kind.ENDED, pack_outcome(Outcome(Ending.ANSWERED, Message.assistant("ok"), report), 101.5))
    account = await writer.account()
    assert (account.state, account.accepted, account.waited, account.took) == ("answered", 100.0, 1.5, 6.25)
    first, last = account.steps
    assert (first.seconds, first.backend, first.model, first.usage.total_tokens) == (1.5, "b", "rehearsed", 10)
    pay, look = first.calls
    assert (pay.name, pay.arguments, pay.effect, pay.result) == ("pay", '{"sum": 3}', Effect.UNSAFE, "paid")
    assert (pay.began, pay.ended, pay.seconds) == (104.0, 105.0, 0.5)
    assert (look.effect, look.began, look.result) == (None, 0.0, "seen")
    assert (last.model, last.text, last.seconds, last.usage) == ("last", "ok", 0.25, Usage(3, 2, total_tokens=5))
    assert account.usage.total_tokens == 15


@pytest.mark.parametrize(("effect", "unknown"), [(Effect.UNSAFE, True), (Effect.IDEMPOTENT, False)])
async def test_a_call_that_a_crash_cut_is_unknown_or_made_again(effect: Effect, unknown: bool) -> None:
    writer = Writer()
    writer.step(called(BOOK))
    await writer.call(BOOK, effect, "what came of it", crash=True)
    account = await writer.account()
    assert account.resumed == (103.0,)
    assert (account.calls[0].unknown, account.calls[0].again) == (unknown, not unknown)


async def test_a_crash_between_calls_touches_none() -> None:
    writer = Writer()
    writer.step(called(BOOK))
    await writer.call(BOOK, Effect.UNSAFE, "done")
    writer.add(Kind.TAKEN)
    assert not (await writer.account()).calls[0].unknown


async def test_calls_of_a_cut_reply_were_not_run() -> None:
    writer = Writer()
    writer.step(replace(called(PAY), stop="length"))
    call = (await writer.account()).calls[0]
    assert call.failed
    assert call.result is not None
    assert "not run" in call.result


async def test_a_failed_turn_keeps_what_it_used_and_why_it_failed() -> None:
    writer = Writer()
    writer.step(called(LOOK, tokens=2))
    await writer.call(LOOK, Effect.PURE, "seen")
    writer.add(Kind.ENDED, pack_outcome(Outcome(Ending.FAILED, error=QuotaError("no money")), 100.5))
    account = await writer.account()
    assert len(account.steps) == 1
    assert account.usage.total_tokens == 4
    assert account.outcome is not None
    assert account.outcome.error is not None
    assert (account.outcome.error.type, account.outcome.error.text) == ("QuotaError", "no money")


async def test_one_that_never_left_its_mailbox_has_no_time_of_waiting() -> None:
    writer = Writer()
    writer.add(Kind.ENDED, pack_outcome(Outcome(Ending.EXPIRED, error=QuotaError("late"))))
    assert (await writer.account()).waited is None


async def test_changes_among_the_dead_letters_are_told_in_order() -> None:
    writer = Writer()
    writer.add(Kind.ENDED, pack_outcome(Outcome(Ending.FAILED, error=QuotaError("no money"))))
    writer.add(Kind.DEAD, b"no money")
    writer.add(Kind.REVIVED, b"env_2")
    account = await writer.account()
    assert [(rest.state, rest.text) for rest in account.rests] == [("dead", "no money"), ("revived", "env_2")]
    assert account.rest == account.rests[-1]


async def test_a_pending_one_waits_for_its_turn() -> None:
    first, second = Writer(), Writer(replace(ENVELOPE, id="env_2"))
    accounts = [await first.account(), await second.account()]
    assert accounts[0].state == PENDING
    assert awaited(accounts[0], accounts, accounts) == "what a/s makes of it"
    assert awaited(accounts[1], accounts, accounts) == "its turn: 1 before it in the mailbox of a/s, the first is env_1"


async def test_a_pending_one_waits_for_tools_then_for_the_model() -> None:
    writer = Writer()
    writer.step(called(PAY, LOOK))
    await writer.call(PAY, Effect.UNSAFE, "paid")
    assert awaited(await writer.account(), (), ()) == "what look will give"
    await writer.call(LOOK, Effect.PURE, "seen")
    assert awaited(await writer.account(), (), ()) == "the model's next reply"


async def test_a_pending_one_waits_for_the_answers_of_those_it_asked() -> None:
    writer = Writer()
    asked = Writer(replace(ENVELOPE, id="env_3", sender="a/s", to=Address("b", "a~s"), causes=("env_1",)))
    told = Writer(replace(ENVELOPE, id="env_4", sender="a/s", to=Address("c", "a~s"), kind="send", causes=("env_1",)))
    kin = [await each.account() for each in (writer, asked, told)]
    assert awaited(kin[0], kin, ()) == "the answer of b/a~s (env_3)"


async def test_kin_know_their_parent_and_root() -> None:
    account = await Writer(replace(ENVELOPE, id="env_5", causes=("env_1", "env_3"))).account()
    assert (account.root, account.parent) == ("env_1", "env_3")
    own = await Writer().account()
    assert (own.root, own.parent) == ("env_1", "")


async def test_a_story_without_its_beginning_is_refused_or_left_out() -> None:
    writer = Writer()
    writer.step(said("x"))
    rest = list(await writer.story())[1:]
    with pytest.raises(StorageError, match="no beginning of env_1"):
        read(rest)
    with pytest.raises(StorageError, match="no beginning"):
        read([])
    assert read_all([rest, []]) == []
