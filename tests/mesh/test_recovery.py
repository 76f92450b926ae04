"""Restarts: an engine over the journal of one that is gone, as a crash or an end in good order left it."""

from __future__ import annotations

import copy
import math

import anyio
import pytest

from clawmesh.abc.journal import Entry, Kind
from clawmesh.clock import SystemClock
from clawmesh.codec import pack
from clawmesh.errors import FailedError
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.engine import Engine
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.mesh.record import Accepted, pack_envelope, unpack_outcome
from clawmesh.mesh.recovery import ALONE, LONGEST, TRIES, recover, time_alone, tries
from clawmesh.mesh.sender import Sender
from clawmesh.messages import Message, Piece, Report
from tests.mesh.company import answer, ask, echo, mesh, routed, stuck

pytestmark = pytest.mark.anyio


def accepted(id: str, to: str, kind: str = "send", key: str = "") -> Entry:
    clock = SystemClock()
    envelope = Envelope(
        id=id,
        sender="user",
        to=Address.parse(to),
        kind=kind,  # type: ignore[arg-type]
        message=Message.user(id),
        deadline=clock.monotonic() + 600,
        key=key,
    )
    return Entry(Kind.ACCEPTED, id, clock.now(), pack_envelope(envelope, clock), to, key)


def journal_of(*entries: Entry) -> MemoryJournal:
    journal = MemoryJournal(SystemClock())
    for entry in entries:
        journal.append(entry)
    return journal


def note(kind: Kind, id: str) -> Entry:
    return Entry(kind, id, 0.0)


async def ending_of(journal: MemoryJournal, id: str) -> Outcome:
    return unpack_outcome(next(entry.data for entry in await journal.story(id) if entry.kind is Kind.ENDED))


async def test_what_was_pending_goes_on_in_its_order() -> None:
    journal = journal_of(*(accepted(f"env_{number}", "a/s") for number in range(5)))
    order: list[str] = []

    async def handle(_engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        order.append(delivery.envelope.id)
        return answer("done")

    async with mesh(handle, journal=journal) as engine:
        await engine.drained()
    assert order == [f"env_{number}" for number in range(5)]
    assert await journal.pending() == []


async def test_a_mesh_that_closes_leaves_its_work_to_the_next() -> None:
    journal = MemoryJournal(SystemClock())
    async with mesh(routed(a=stuck), journal=journal) as engine:
        await engine.send(Address("a", "s"), Message.user("later"), sender="user")
        await anyio.wait_all_tasks_blocked()
    (story,) = await journal.pending()
    assert [entry.kind for entry in story] == [Kind.ACCEPTED, Kind.RELEASED]
    async with mesh(routed(a=echo), journal=journal) as engine:
        await engine.drained()
    assert (await ending_of(journal, story[0].envelope)).message == Message.assistant("echo later")


async def test_what_was_asked_goes_on_as_its_asker_does_after_a_mesh_has_closed() -> None:
    journal = MemoryJournal(SystemClock())

    async def outer(sender: Sender, text: str) -> str:
        return (await sender.ask("b", text)).text

    async with mesh(routed(a=outer, b=stuck), journal=journal) as engine:
        first = await engine.send(Address("a", "s"), Message.user("later"), sender="user")
        await anyio.wait_all_tasks_blocked()
    stories = await journal.pending()
    assert [[entry.kind for entry in story] for story in stories] == [[Kind.ACCEPTED, Kind.RELEASED]] * 2
    async with mesh(routed(a=outer, b=echo), journal=journal) as engine:
        await engine.drained()
    assert (await ending_of(journal, first)).message == Message.assistant("echo later")


@pytest.mark.parametrize("suspect", [False, True])
async def test_an_asker_finds_its_answer_after_a_crash(*, suspect: bool) -> None:
    """The inner envelope has the same id when the outer turn is run again, so it is attached to, not asked again.

    A suspect is run before the others, but they are under way by then.
    """
    journal = MemoryJournal(SystemClock())
    asked: list[str] = []

    async def outer(sender: Sender, text: str) -> str:
        return (await sender.ask("b", text)).text

    async def inner(_sender: Sender, text: str) -> str:
        asked.append(text)
        return "six" if len(asked) > 1 else await stuck(_sender, text)

    async with mesh(routed(a=outer, b=inner), journal=journal) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(ask, engine, "a")
        await anyio.wait_all_tasks_blocked()
        left = copy.deepcopy(journal)
        tasks.cancel_scope.cancel()
    first, second = [story[0].envelope for story in await left.pending()]
    if suspect:
        left.append(note(Kind.TAKEN, first))
    async with mesh(routed(a=outer, b=inner), journal=left) as engine:
        await engine.drained()
    assert asked == ["hi", "hi"]
    for id in (first, second):
        assert (await ending_of(left, id)).message == Message.assistant("six")


async def test_an_answer_that_had_come_is_not_asked_for_again() -> None:
    journal = MemoryJournal(SystemClock())
    asked = 0

    async def outer(sender: Sender, text: str) -> str:
        first = (await sender.ask("b", "one")).text
        return first + (await sender.ask("c", "two")).text

    async def inner(_sender: Sender, text: str) -> str:
        nonlocal asked
        asked += 1
        return "kept "

    async with mesh(routed(a=outer, b=inner, c=stuck), journal=journal) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(ask, engine, "a")
        await anyio.wait_all_tasks_blocked()
        left = copy.deepcopy(journal)
        tasks.cancel_scope.cancel()
    first = (await left.pending())[0][0].envelope
    async with mesh(routed(a=outer, b=inner, c=echo), journal=left) as engine:
        await engine.drained()
    assert asked == 1
    assert (await ending_of(left, first)).message == Message.assistant("kept echo two")


async def test_what_is_sent_with_one_key_is_done_once_over_a_restart() -> None:
    journal = MemoryJournal(SystemClock())
    done: list[str] = []

    async def work(_sender: Sender, text: str) -> str:
        done.append(text)
        return f"answer {len(done)}"

    for _ in range(2):
        async with mesh(routed(a=work), journal=journal) as engine:
            for _ in range(2):
                outcome = await engine.ask(Address("a", "s"), Message.user("hi"), sender="user", key="k1")
                assert outcome.message == Message.assistant("answer 1")
    assert done == ["hi"]


async def test_two_callers_with_one_key_share_one_turn() -> None:
    go = anyio.Event()
    outcomes: list[Outcome] = []
    pieces: list[list[Piece]] = [[], []]

    async def work(_sender: Sender, text: str) -> str:
        await go.wait()
        return text

    async def call(engine: Engine, number: int) -> None:
        emit = pieces[number].append
        outcomes.append(await engine.ask(Address("a", "s"), Message.user("hi"), sender="user", key="k", emit=emit))

    async with mesh(routed(a=work)) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(call, engine, 0)
        tasks.start_soon(call, engine, 1)
        await anyio.wait_all_tasks_blocked()
        assert engine.under_way == 1
        go.set()
    assert [outcome.message for outcome in outcomes] == [Message.assistant("hi")] * 2


class Late(MemoryJournal):
    """Takes its time with the second question, and answers with what it knew when it was asked."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self._asked = 0

    async def find(self, key: str) -> str:
        found = await super().find(key)
        self._asked += 1
        await (anyio.lowlevel.checkpoint() if self._asked == 1 else anyio.wait_all_tasks_blocked())
        return found


async def test_what_two_send_with_one_key_is_done_once_however_quickly() -> None:
    done: list[str] = []

    async def work(_sender: Sender, text: str) -> str:
        done.append(text)
        return text

    async def call(engine: Engine) -> None:
        outcome = await engine.ask(Address("a", "s"), Message.user("hi"), sender="user", key="k")
        assert outcome.message == Message.assistant("hi")

    async with mesh(routed(a=work), journal=Late()) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(call, engine)
        tasks.start_soon(call, engine)
    assert done == ["hi"]


async def test_two_that_wait_with_one_key_both_go_on() -> None:
    ids = ["env_1", "env_2"]
    journal = journal_of(*(accepted(id, f"a/{id}", key="k") for id in ids))
    async with mesh(routed(a=echo), journal=journal) as engine:
        await engine.drained()
    assert [(await ending_of(journal, id)).ending for id in ids] == [Ending.ANSWERED] * 2


async def test_the_same_key_of_another_sender_is_another_message() -> None:
    async with mesh(routed(a=echo)) as engine:
        first = await engine.send(Address("a", "s"), Message.user("1"), sender="one", key="k")
        second = await engine.send(Address("a", "s"), Message.user("2"), sender="two", key="k")
        await engine.drained()
    assert first != second


async def test_a_message_that_ended_the_process_three_times_is_set_aside() -> None:
    poison = [accepted("env_poison", "a/p"), *[note(Kind.TAKEN, "env_poison")] * (TRIES - 1)]
    journal = journal_of(*poison, accepted("env_good", "a/g"))
    warnings: list[str] = []
    async with mesh(routed(a=echo), journal=journal, warnings=warnings) as engine:
        await engine.drained()
    outcome = await ending_of(journal, "env_poison")
    assert outcome.ending is Ending.DEAD
    assert str(outcome.error) == "the process ended 3 times while a/p had it"
    assert isinstance(outcome.error, FailedError)
    assert (await journal.story("env_poison"))[-1].kind is Kind.DEAD
    assert (await ending_of(journal, "env_good")).ending is Ending.ANSWERED
    assert "env_poison is a dead letter" in warnings[0]


async def test_a_suspect_goes_first_and_alone() -> None:
    suspect = [accepted("env_suspect", "a/p"), note(Kind.TAKEN, "env_suspect")]
    journal = journal_of(accepted("env_first", "a/g"), *suspect)
    order: list[str] = []

    async def handle(_engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        order.append(delivery.envelope.id)
        await anyio.wait_all_tasks_blocked()
        return answer("done")

    warnings: list[str] = []
    async with mesh(handle, journal=journal, warnings=warnings) as engine:
        await engine.drained()
    assert order == ["env_suspect", "env_first"]
    assert warnings == ["in hand when the process ended, 2 times; tried once more: env_suspect"]


async def test_a_suspect_that_does_not_end_the_process_is_acquitted() -> None:
    journal = journal_of(accepted("env_1", "a/p"), note(Kind.TAKEN, "env_1"))
    async with mesh(routed(a=stuck), journal=journal):
        story = await journal.story("env_1")
    assert [entry.kind for entry in story] == [Kind.ACCEPTED, Kind.TAKEN, Kind.TAKEN, Kind.RELEASED]
    assert tries(story) == 0


def test_a_suspect_that_comes_again_is_alone_for_longer() -> None:
    """One that needs a while to bring the process down would else be acquitted for ever."""
    start, acquittal = accepted("e", "a/p"), [note(Kind.TAKEN, "e"), note(Kind.RELEASED, "e")]
    times = [time_alone([start, *acquittal * number]) for number in range(9)]
    assert times[:4] == [ALONE, 2 * ALONE, 4 * ALONE, 8 * ALONE]
    assert times[-1] == LONGEST


def test_tries_are_counted_from_the_last_progress() -> None:
    start, taken = note(Kind.ACCEPTED, "e"), note(Kind.TAKEN, "e")
    assert tries([start]) == 1
    assert tries([start, taken, taken]) == 3
    assert tries([start, taken, taken, note(Kind.STEP, "e")]) == 1
    assert tries([start, taken, note(Kind.RESULT, "e"), taken]) == 2
    assert tries([start, taken, taken, note(Kind.RELEASED, "e"), taken]) == 1


TIMELESS = pack(
    Accepted(id="env_broken", sender="user", to="a/s", kind="send", message=Message.user("hi"), deadline=math.nan)
)


@pytest.mark.parametrize("data", [b"\xc1", TIMELESS], ids=["bytes", "deadline"])
async def test_what_cannot_be_read_holds_up_nothing_and_is_not_lost(data: bytes) -> None:
    broken = Entry(Kind.ACCEPTED, "env_broken", 0.0, data, "a/s")
    journal = journal_of(broken, accepted("env_good", "a/s"))
    warnings: list[str] = []
    async with mesh(routed(a=echo), journal=journal, warnings=warnings) as engine:
        await engine.drained()
    assert (await ending_of(journal, "env_good")).ending is Ending.ANSWERED
    assert [list(story) for story in await journal.pending()] == [[broken]]
    assert warnings[0].startswith("env_broken stays in the journal as it is: this is no envelope")


async def test_a_resumed_message_ends_when_its_asker_leaves_again() -> None:
    """As the slower ones do whom an agent asks for the first answer."""
    journal = MemoryJournal(SystemClock())

    async def outer(sender: Sender, text: str) -> str:
        answers = await sender.gather(["b", "c"], text, mode="first")
        return answers[0].address

    agents = routed(a=outer, b=stuck, c=stuck)
    async with mesh(agents, journal=journal) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(ask, engine, "a")
        await anyio.wait_all_tasks_blocked()
        left = copy.deepcopy(journal)
        tasks.cancel_scope.cancel()
    (first, *_), (loser, *_), _ = await left.pending()
    async with mesh(routed(a=outer, b=stuck, c=echo), journal=left) as engine:
        await engine.drained()
    assert (await ending_of(left, first.envelope)).message == Message.assistant("c")
    assert (await ending_of(left, loser.envelope)).ending is Ending.DEAD


async def test_what_belongs_to_an_agent_that_is_gone_is_a_dead_letter() -> None:
    journal = journal_of(accepted("env_1", "gone/s"))
    async with mesh(routed(a=echo), journal=journal):
        pass
    outcome = await ending_of(journal, "env_1")
    assert outcome.ending is Ending.DEAD
    assert 'there is no agent "gone"' in str(outcome.error)


async def test_what_ran_out_of_time_while_the_process_was_away_expires() -> None:
    clock = SystemClock()
    envelope = Envelope(
        id="env_1", sender="user", to=Address("a", "s"), kind="send", message=Message.user("hi"), deadline=0.0
    )
    journal = journal_of(Entry(Kind.ACCEPTED, "env_1", clock.now(), pack_envelope(envelope, clock), "a/s"))
    async with mesh(routed(a=stuck), journal=journal) as engine:
        await engine.drained()
    assert (await ending_of(journal, "env_1")).ending is Ending.EXPIRED


async def test_what_a_suspect_sends_comes_after_what_waits() -> None:
    journal = journal_of(accepted("env_1", "a/s"), accepted("env_2", "b/a~s"), note(Kind.TAKEN, "env_1"))
    heard: list[str] = []

    async def sending(sender: Sender, _text: str) -> str:
        return await sender.send("b", "new")

    async def hearing(_sender: Sender, text: str) -> str:
        heard.append(text)
        return "heard"

    async with mesh(routed(a=sending, b=hearing), journal=journal) as engine:
        await engine.drained()
    assert heard == ["env_2", "new"]


async def test_a_clock_that_was_set_back_gives_no_more_time() -> None:
    class Back(SystemClock):
        def now(self) -> float:
            return super().now() - 3600

    clock, left = SystemClock(), []
    envelope = Envelope(
        id="env_1",
        sender="user",
        to=Address("a", "s"),
        kind="send",
        message=Message.user("hi"),
        deadline=clock.monotonic() + 60,
    )
    story = [Entry(Kind.ACCEPTED, "env_1", clock.now(), pack_envelope(envelope, clock), "a/s")]

    class Hearing:
        def resume(self, delivery: Delivery) -> None:
            left.append(delivery.envelope.deadline - clock.monotonic())

        def release(self, delivery: Delivery) -> None: ...

        def acquit(self, delivery: Delivery) -> None: ...

        def warn(self, text: str) -> None: ...

        def bury(self, delivery: Delivery, reason: FailedError) -> None: ...

    await recover([story], Back(), Hearing())
    assert 50 < left[0] <= 60.5


@pytest.mark.parametrize("verb", ["ask", "send", "publish", "gather"])
async def test_a_turn_that_speaks_while_the_mesh_closes_is_left_to_the_next(verb: str) -> None:
    """It has been woken, but its turn on the loop comes after the end: then it is cancelled, and does not fail."""
    journal = MemoryJournal(SystemClock())
    go = anyio.Event()

    async def speaking(sender: Sender, text: str) -> str:
        await go.wait()
        arguments = {"publish": ("news", text), "gather": (["b"], text)}.get(verb, ("b", text))
        await getattr(sender, verb)(*arguments)
        return "spoken"

    async with mesh(routed(a=speaking, b=echo), agents={"a": (), "b": ("news",)}, journal=journal) as engine:
        await engine.send(Address("a", "s"), Message.user("hi"), sender="user")
        await anyio.wait_all_tasks_blocked()
        go.set()
    (story,) = await journal.pending()
    assert [entry.kind for entry in story] == [Kind.ACCEPTED, Kind.RELEASED]
