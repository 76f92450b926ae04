"""What the journal keeps of a turn: the model's replies, what tools were called for, what they gave.

Fields may be added with a default; none is ever renamed or given another meaning.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from clawmesh.abc.backend import Reply
from clawmesh.abc.journal import Entry, Journal, Kind, Story
from clawmesh.abc.tool import Effect
from clawmesh.agent.key import Keys
from clawmesh.clock import Clock
from clawmesh.codec import pack, unpacker
from clawmesh.messages import ToolCall, ToolResult

UNKNOWN = (
    "its outcome is unknown: the process ended while this tool was at work, and it is not one to call twice. "
    "What it was to do may have happened or not; find out before you go on."
)


class Step(Struct, frozen=True, omit_defaults=True):
    """A model call after which the turn went on; `seconds` is how long it took, `repair` what it was told then.

    `handed` are the ids of calls that are for the caller to make: with them the turn has ended.
    """

    reply: Reply
    seconds: float = 0.0
    repair: str = ""
    handed: tuple[str, ...] = ()


class Intent(Struct, frozen=True, omit_defaults=True):
    """A tool call that is about to be made under this idempotency key; of pure tools none is kept."""

    key: str
    call: ToolCall
    effect: Effect


class Result(Struct, frozen=True, omit_defaults=True):
    """What the call under this key gave; `seconds` is how long it took."""

    key: str
    result: ToolResult
    seconds: float = 0.0


read_step = unpacker(Step, "step")
read_intent = unpacker(Intent, "intent")
read_result = unpacker(Result, "result")


class Record:
    """The record of one turn: what is in the journal of it from before a crash, and what is added."""

    def __init__(self, journal: Journal, clock: Clock, envelope: str, story: Story) -> None:
        self._journal = journal
        self._clock = clock
        self._envelope = envelope
        self._keys = Keys(envelope)
        self._replies: deque[Reply] = deque()
        self._intended: set[str] = set()
        self._results: dict[str, ToolResult] = {}
        for entry in story:
            if entry.kind is Kind.STEP:
                self._replies.append(read_step(entry.data).reply)
            elif entry.kind is Kind.INTENT:
                self._intended.add(read_intent(entry.data).key)
            elif entry.kind is Kind.RESULT:
                given = read_result(entry.data)
                self._results[given.key] = given.result

    def next_reply(self) -> Reply | None:
        """Return the next reply that the model has given already, if there is one."""
        return self._replies.popleft() if self._replies else None

    def replied(self, step: Step) -> None:
        """Keep a reply after which the turn goes on."""
        self._add(Kind.STEP, pack(step))

    def key(self, call: ToolCall) -> str:
        """Return the idempotency key of the turn's next call."""
        return self._keys.key(call)

    def result(self, key: str) -> ToolResult | None:
        """Return what the call under this key has given already."""
        return self._results.get(key)

    def begun(self, key: str) -> bool:
        """Whether a call under this key may have been made."""
        return key in self._intended

    async def intend(self, key: str, call: ToolCall, effect: Effect) -> None:
        """Keep that a call is about to be made; on return that is on disk.

        Raises:
            StorageError: it cannot be kept, so the call must not be made.
        """
        if effect is not Effect.PURE and not self.begun(key):
            await self._journal.durable(self._add(Kind.INTENT, pack(Intent(key, call, effect))))

    def gave(self, key: str, result: ToolResult, seconds: float) -> None:
        """Keep the result of a call."""
        self._add(Kind.RESULT, pack(Result(key, result, seconds)))

    def _add(self, kind: Kind, data: bytes) -> int:
        return self._journal.append(Entry(kind, self._envelope, self._clock.now(), data))
