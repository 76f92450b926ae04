"""One turn of an agent that is a language model: model, tools, model, until an answer or a limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import anyio
from msgspec import Struct
from msgspec.structs import replace

from clawmesh.abc.backend import Backend, Reply, Request, Stop
from clawmesh.abc.context import Context
from clawmesh.agent.history import settled, unsettled
from clawmesh.agent.record import Record, Step
from clawmesh.agent.schema import Schema
from clawmesh.agent.toolbox import Toolbox, failed
from clawmesh.codec import whole
from clawmesh.config.model import AgentConfig
from clawmesh.errors import LimitError, ReplyError, UsageError
from clawmesh.mesh.envelope import Wishes
from clawmesh.messages import Message, Part, Piece, Reasoning, Report, Text, ToolCall, ToolResult, Usage

REPAIRS = 2
RUNNING: frozenset[Stop] = frozenset({"tool_calls", "end", "stop_sequence", "pause"})
# After any other stop the last call may be cut off, and nothing tells which arguments are whole.
CUTS: Mapping[Stop, str] = {
    "length": "was cut off at max_tokens",
    "content_filter": "was ended by the provider's filter",
    "refusal": "is a refusal",
    "context_window": "was cut off at the end of the context window",
}
# Of those only a length leaves something to go on with.
FINAL: frozenset[Stop] = frozenset(CUTS) - {"length"}
NONE = Wishes()


class ModelHooks(Protocol):
    """The wrapper hooks of plugins around a model call."""

    @property
    def reviews_models(self) -> bool: ...

    def before_model(self, agent: str, request: Request) -> Request: ...

    def after_model(self, agent: str, request: Request, reply: Reply) -> Reply: ...


class Mind(Struct, frozen=True):
    """What an agent thinks and acts with; shared by all its sessions."""

    config: AgentConfig
    backend: Backend
    toolbox: Toolbox
    hooks: ModelHooks
    schema: Schema | None = None


class Turn:
    """From a message to its answer; `exchange` is what there is to add to the transcript.

    What `record` holds from before a crash is not done again: neither model calls nor tools.

    Raises:
        UsageError: the caller's tools or schema are such that there can be no answer.
    """

    def __init__(
        self,
        mind: Mind,
        context: Context,
        history: Sequence[Message],
        message: Message,
        record: Record,
        wishes: Wishes = NONE,
    ) -> None:
        self._mind = mind
        self._context = context
        self._wishes = wishes
        self._schema = _schema(wishes) or mind.schema
        self._theirs = _theirs(wishes, mind.toolbox)
        before = (*history, message)
        self._before = settled(before) if unsettled(history) or wishes.history else before
        self._usage = Usage()
        self._steps = 0
        self._calls = 0
        self._repairs = 0
        self._record = record
        self._took: float | None = None
        self._ids: set[str] = set()
        self.exchange: list[Message] = [message]

    async def run(self) -> tuple[Message, Report]:
        """Run to the answer.

        Raises:
            LimitError: steps, tokens or seconds of `[agents.NAME.limits]` are used up.
            BackendError: no backend of the agent gave a reply.
            ReplyError: the answer did not satisfy `output_schema`, repairs included.
            StorageError: a step cannot be kept.
        """
        limits = self._mind.config.limits
        with anyio.move_on_after(limits.seconds) as scope:
            while True:
                reply = await self._step(scope.deadline - anyio.current_time())
                if await self._finished(reply):
                    return reply.message, self._report(reply)
        raise LimitError(f"the turn was not done within {limits.seconds:g} s", limit="seconds")

    async def _step(self, seconds: float) -> Reply:
        limits, hooks, name = self._mind.config.limits, self._mind.hooks, self._mind.config.name
        if self._steps >= limits.steps:
            raise LimitError(f"no answer after {limits.steps} model calls ([limits] steps)", limit="steps")
        if limits.tokens is not None and self._usage.total_tokens >= limits.tokens:
            raise LimitError(f"{self._usage.total_tokens} of {limits.tokens} tokens are used", limit="tokens")
        known = self._record.next_reply()
        reply = self._identified(await self._complete(name, seconds) if known is None else known)
        if known is not None:
            self._took = None
        self._steps += 1
        self._usage += reply.usage
        self._tell(reply.message, whole=known is not None or hooks.reviews_models)
        self.exchange.append(reply.message)
        return reply

    async def _complete(self, name: str, seconds: float) -> Reply:
        hooks, clock = self._mind.hooks, self._context.services.clock
        request = hooks.before_model(name, self._request(seconds))
        began = clock.monotonic()
        reply = await self._mind.backend.complete(request, _hold_back if hooks.reviews_models else self._pass_on)
        self._took = clock.monotonic() - began
        reply = hooks.after_model(name, request, reply)
        return replace(reply, message=whole(reply.message))

    def _keep(self, reply: Reply, repair: str = "") -> None:
        """Write down a reply after which the turn goes on, unless it is from there."""
        if self._took is not None:
            self._record.replied(Step(reply, self._took, repair, self._handed(reply)))
            self._took = None

    def _pass_on(self, piece: Piece) -> None:
        # Calls follow when the step is whole: only then do they have the ids that their results will name.
        # Every piece of a stream passes here; isinstance takes several times as long, since a metaclass answers it.
        if type(piece) is not ToolCall:
            self._context.emit(piece)

    def _tell(self, message: Message, *, whole: bool) -> None:
        """Emit what has not been said of a step."""
        for part in message.parts:
            if isinstance(part, ToolCall) or (whole and isinstance(part, Text | Reasoning) and part.text):
                self._context.emit(part)

    def _identified(self, reply: Reply) -> Reply:
        """Return the reply with an id for every call that no other call of the turn has."""
        ids = [call.id for call in reply.message.calls]
        if "" in ids or len(set(ids)) < len(ids) or not self._ids.isdisjoint(ids):
            parts = tuple(self._with_id(part) for part in reply.message.parts)
            return replace(reply, message=replace(reply.message, parts=parts))
        self._ids.update(ids)
        return reply

    def _with_id(self, part: Part) -> Part:
        if not isinstance(part, ToolCall):
            return part
        if not part.id or part.id in self._ids:
            part = replace(part, id=self._context.services.ids.new("call"))
        self._ids.add(part.id)
        return part

    async def _finished(self, reply: Reply) -> bool:
        """Do what the reply asks for; True if there is nothing left to do."""
        if reply.message.calls:
            self._keep(reply)
            await self._answer_calls(reply)
            if self._handed(reply):
                return True
            if reply.stop not in FINAL:
                return False
        elif reply.stop == "pause":
            self._keep(reply)
            return False
        return self._schema is None or reply.stop == "refusal" or self._satisfied(self._schema, reply)

    async def _answer_calls(self, reply: Reply) -> None:
        """Give every call a result, without which the next request is invalid; run those that the model has meant."""
        handed = self._handed(reply)
        calls = tuple([call for call in reply.message.calls if call.id not in handed])
        self._calls += len(calls)
        if not calls:
            return
        if reply.stop in RUNNING:
            results = await self._mind.toolbox.run(self._context, calls, self._record)
        else:
            results = not_run(reply)
            for result in results:
                self._context.emit(result)
        self.exchange.append(Message("tool", results))

    def _handed(self, reply: Reply) -> tuple[str, ...]:
        """Return the ids of calls that are for the caller to make."""
        if not self._theirs or reply.stop not in RUNNING:
            return ()
        return tuple([call.id for call in reply.message.calls if call.name in self._theirs])

    def _satisfied(self, schema: Schema, reply: Reply) -> bool:
        faults = schema.faults_in(reply.message.text)
        if not faults:
            return True
        if self._repairs >= REPAIRS:
            raise ReplyError(f"the answer does not satisfy output_schema: {faults}")
        self._repairs += 1
        repair = f"Your answer does not fit its schema: {faults}. Answer again, JSON only."
        self._keep(reply, repair)
        self.exchange.append(Message.user(repair))
        return False

    def _request(self, seconds: float) -> Request:
        config, wishes = self._mind.config, self._wishes
        return Request(
            model=config.model,
            messages=(*self._before, *self.exchange[1:]),
            instructions="\n\n".join(filter(None, (config.instructions, wishes.instructions))),
            tools=(*self._mind.toolbox.specs, *wishes.tools),
            tool_choice=wishes.tool_choice if self._steps == 0 else "auto",
            parallel_tools=wishes.parallel_tools,
            output_schema=wishes.output_schema or config.output_schema,
            max_tokens=wishes.max_tokens or config.max_tokens,
            temperature=config.temperature if wishes.temperature is None else wishes.temperature,
            top_p=config.top_p if wishes.top_p is None else wishes.top_p,
            reasoning=wishes.reasoning or config.reasoning,
            stop=wishes.stop,
            session=self._context.address,
            seconds=seconds,
        )

    def _report(self, reply: Reply) -> Report:
        return Report(
            steps=self._steps,
            tool_calls=self._calls,
            usage=self._usage,
            stop=reply.stop,
            stop_detail=reply.stop_detail,
            backend=reply.backend,
            model=reply.model,
        )


def _schema(wishes: Wishes) -> Schema | None:
    if wishes.output_schema is None:
        return None
    schema = Schema(wishes.output_schema)
    if schema.flaw:
        raise UsageError(f"the schema of the answer is no JSON Schema: {schema.flaw}")
    return schema


def _theirs(wishes: Wishes, toolbox: Toolbox) -> frozenset[str]:
    """Return the names of the caller's tools."""
    theirs = frozenset(tool.name for tool in wishes.tools)
    for taken in theirs.intersection(tool.name for tool in toolbox.specs):
        raise UsageError(f'the agent has a tool "{taken}" of its own: call yours by another name')
    return theirs


def not_run(reply: Reply) -> tuple[ToolResult, ...]:
    """Return results for the calls of a reply that was cut, which were not made."""
    return tuple(failed(call, f"not run: the answer {CUTS[reply.stop]}") for call in reply.message.calls)


def _hold_back(_piece: Piece) -> None:
    """Say nothing yet: the reply holds it all, and is told when the hooks have passed it."""
