"""Stories read as what happened: from the journal's entries to who said what, what it waited for, what it took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from clawmesh.abc.journal import Entry, Kind, Story
from clawmesh.abc.tool import Effect
from clawmesh.agent.record import Intent, Result, read_intent, read_result, read_step
from clawmesh.agent.turn import RUNNING, not_run
from clawmesh.errors import StorageError
from clawmesh.mesh.record import Accepted, Ended, read_accepted, read_ended
from clawmesh.messages import Message, ToolCall, ToolResult, Usage

PENDING = "pending"
NAMES = {Kind.DEAD: "dead", Kind.REVIVED: "revived", Kind.DISCARDED: "discarded"}


class Call(Struct, frozen=True, kw_only=True):
    """A tool call; times are in seconds since 1970, 0 where the journal does not say.

    `effect` is None where nothing was written before it ran: it is pure, or never came to run. `again` says that the
    process ended while it was at work; `unknown` that it therefore has no result, because it is not one to call twice.
    """

    name: str
    arguments: str
    key: str = ""
    effect: Effect | None = None
    began: float = 0.0
    ended: float = 0.0
    seconds: float = 0.0
    result: str | None = None
    failed: bool = False
    again: bool = False
    unknown: bool = False


class Step(Struct, frozen=True, kw_only=True):
    """A model call: what it said, and the tools that it called; `at` is when it had replied."""

    at: float
    seconds: float
    backend: str
    model: str
    stop: str
    usage: Usage
    text: str = ""
    reasoning: str = ""
    repair: str = ""
    calls: tuple[Call, ...] = ()


class Rest(Struct, frozen=True):
    """A change among the dead letters: it came there (`dead`, with the reason), or left (`revived` as another id)."""

    state: str
    at: float
    text: str = ""


class Account(Struct, frozen=True, kw_only=True):
    """All that the journal tells of one envelope; times are in seconds since 1970, 0 where it has not come to that."""

    envelope: Accepted
    accepted: float
    resumed: tuple[float, ...] = ()
    steps: tuple[Step, ...] = ()
    ended: float = 0.0
    outcome: Ended | None = None
    rests: tuple[Rest, ...] = ()

    @property
    def id(self) -> str:
        return self.envelope.id

    @property
    def root(self) -> str:
        return self.envelope.causes[0] if self.envelope.causes else self.id

    @property
    def parent(self) -> str:
        """The id of the envelope that led to this one, or ""."""
        return self.envelope.causes[-1] if self.envelope.causes else ""

    @property
    def state(self) -> str:
        return self.outcome.ending.value if self.outcome else PENDING

    @property
    def waited(self) -> float | None:
        """Seconds in the mailbox, None where it never left it, or may be in it still."""
        return max(0.0, self.outcome.taken - self.accepted) if self.outcome and self.outcome.taken else None

    @property
    def took(self) -> float | None:
        """Seconds from its acceptance to its end, None before that."""
        return max(0.0, self.ended - self.accepted) if self.outcome else None

    @property
    def usage(self) -> Usage:
        return sum((step.usage for step in self.steps), Usage())

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(call for step in self.steps for call in step.calls)

    @property
    def rest(self) -> Rest | None:
        """The last change among the dead letters."""
        return self.rests[-1] if self.rests else None


def read(story: Story) -> Account:
    """Return what a story tells.

    Raises:
        StorageError: its beginning is not there, or an entry cannot be read.
    """
    if not story or story[0].kind is not Kind.ACCEPTED:
        raise StorageError(f"the journal has no beginning of {story[0].envelope if story else 'this story'}")
    deeds = _Deeds(story)
    steps = [_step(entry, deeds) for entry in story if entry.kind is Kind.STEP]
    ended = next((entry for entry in story if entry.kind is Kind.ENDED), None)
    outcome = read_ended(ended.data) if ended else None
    if ended and outcome:
        steps += _last(steps, outcome, ended.at, _before(story, ended, outcome.taken))
    return Account(
        envelope=read_accepted(story[0].data),
        accepted=story[0].at,
        resumed=tuple(entry.at for entry in story if entry.kind is Kind.TAKEN),
        steps=tuple(steps),
        ended=ended.at if ended else 0.0,
        outcome=outcome,
        rests=tuple(_rest(entry) for entry in story if entry.kind in NAMES),
    )


def read_all(stories: Iterable[Story]) -> list[Account]:
    """Return what stories tell; one whose beginning is kept no longer tells nothing.

    Raises:
        StorageError: an entry cannot be read.
    """
    return [read(story) for story in stories if story and story[0].kind is Kind.ACCEPTED]


def awaited(account: Account, kin: Iterable[Account], mailbox: Sequence[Account]) -> str:
    """Say what a pending envelope waits for; `mailbox` is what else is pending in its session."""
    ahead = [each for each in mailbox if (each.accepted, each.id) < (account.accepted, account.id)]
    caused = [each for each in kin if each.parent == account.id and each.state == PENDING]
    asked = [f"{each.envelope.to} ({each.id})" for each in caused if each.envelope.kind == "ask"]
    calls = [call.name for call in account.calls if call.result is None]
    if asked:
        return f"the answer of {' and '.join(asked)}"
    if calls:
        return f"what {' and '.join(calls)} will give"
    if ahead and not account.steps:
        return f"its turn: {len(ahead)} before it in the mailbox of {account.envelope.to}, the first is {ahead[0].id}"
    return "the model's next reply" if account.steps else f"what {account.envelope.to} makes of it"


class _Deeds:
    """What a story holds of tool calls, by the id of each call: ids are unique within a turn."""

    def __init__(self, story: Story) -> None:
        self._taken = [index for index, entry in enumerate(story) if entry.kind is Kind.TAKEN]
        self._intents: dict[str, tuple[int, float, Intent]] = {}
        self._results: dict[str, tuple[int, float, Result]] = {}
        for index, entry in enumerate(story):
            if entry.kind is Kind.INTENT:
                intent = read_intent(entry.data)
                self._intents[intent.call.id] = index, entry.at, intent
            elif entry.kind is Kind.RESULT:
                result = read_result(entry.data)
                self._results[result.result.call] = index, entry.at, result

    def call(self, call: ToolCall) -> Call:
        """Return a call with what came of it."""
        made = Call(name=call.name, arguments=call.arguments)
        start = end = None
        if call.id in self._intents:
            start, at, intent = self._intents[call.id]
            made = structs.replace(made, key=intent.key, effect=intent.effect, began=at)
        if call.id in self._results:
            end, at, result = self._results[call.id]
            made = structs.replace(_answered(made, result.result), key=result.key, ended=at, seconds=result.seconds)
        if start is None or not any(start < taken and (end is None or taken < end) for taken in self._taken):
            return made
        unknown = made.effect is Effect.UNSAFE
        return structs.replace(made, again=not unknown, unknown=unknown)


def _step(entry: Entry, deeds: _Deeds) -> Step:
    step = read_step(entry.data)
    reply = step.reply
    calls = [deeds.call(call) for call in reply.message.calls]
    if reply.stop not in RUNNING:
        calls = [_answered(call, result) for call, result in zip(calls, not_run(reply), strict=True)]
    return Step(
        at=entry.at,
        seconds=step.seconds,
        backend=reply.backend,
        model=reply.model,
        stop=reply.stop,
        usage=reply.usage,
        text=reply.message.text,
        reasoning=reply.message.reasoning,
        repair=step.repair,
        calls=tuple(calls),
    )


def _answered(call: Call, result: ToolResult) -> Call:
    return structs.replace(call, result=result.text, failed=result.failed)


def _last(steps: Sequence[Step], outcome: Ended, at: float, before: float) -> list[Step]:
    """Return the model call whose reply was the answer: it stands in the outcome alone."""
    report = outcome.report
    if report is None or report.steps <= len(steps):
        return []
    known = sum((step.usage for step in steps), Usage())
    left = zip(structs.astuple(report.usage), structs.astuple(known), strict=True)
    said = outcome.message or Message.assistant("")
    return [
        Step(
            at=at,
            seconds=max(0.0, at - before),
            backend=report.backend,
            model=report.model,
            stop=report.stop,
            usage=Usage(*(whole - part for whole, part in left)),
            text=said.text,
            reasoning=said.reasoning,
        )
    ]


def _before(story: Story, ended: Entry, taken: float) -> float:
    """Return when that began which led to the end: when the last thing before it had happened."""
    return max(taken, *(entry.at for entry in story[: story.index(ended)]))


def _rest(entry: Entry) -> Rest:
    return Rest(NAMES[entry.kind], entry.at, entry.data.decode(errors="replace"))
