"""The seam between a turn and a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias

from msgspec import Struct

from clawmesh.abc.tool import ToolSpec
from clawmesh.messages import Emit, Message, Usage

Stop: TypeAlias = Literal[
    "end", "tool_calls", "length", "stop_sequence", "refusal", "content_filter", "pause", "context_window"
]


class Request(Struct, frozen=True, kw_only=True, gc=False):
    """One model call.

    `output_schema` is a JSON Schema that the answer must satisfy; `reasoning` an effort such as "low" or "high";
    `session` groups calls for a provider's prompt cache; `seconds` is what is left for the whole call.
    """

    model: str
    messages: tuple[Message, ...]
    instructions: str = ""
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "none", "required"] = "auto"
    parallel_tools: bool = True
    output_schema: Mapping[str, Any] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning: str = ""
    stop: tuple[str, ...] = ()
    session: str = ""
    seconds: float | None = None


class Reply(Struct, frozen=True, kw_only=True, gc=False):
    """A whole answer.

    `stop` is the common word for why it ended, `stop_detail` the provider's own; `backend` is the configuration's name
    of the one that gave it, which a backend itself does not know.
    """

    message: Message
    stop: Stop
    stop_detail: str = ""
    usage: Usage = Usage()
    model: str = ""
    id: str = ""
    backend: str = ""


class Backend(Protocol):
    """Speaks one provider protocol. Made by a plugin's `register_backends`, called from many turns at once."""

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Run one model call.

        `emit` gets `Text` and `Reasoning` pieces as they arrive and each `ToolCall` when it is complete; the
        returned reply is the whole of it. Cancelling closes the connection.

        Raises:
            BackendError: by type; a stream that ends without its terminal event is `TruncatedReplyError`.
        """
