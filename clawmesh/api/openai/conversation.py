"""What a request says of the conversation: instructions, what was said before, and the message that is new."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from clawmesh.api.openai.fault import Rejection, invalid
from clawmesh.messages import Message, Part, Text, ToolCall, ToolResult

GAP = "\n\n"


class Conversation(Struct, frozen=True):
    """A conversation as the caller wrote it, under the field `place`; `messages` are of users, assistants and tools."""

    place: str
    instructions: str
    messages: tuple[Message, ...]

    def split(self) -> tuple[tuple[Message, ...], Message]:
        """Return what was said before, and the message that is to be answered.

        Raises:
            Rejection: it does not end with one, or gives results of calls that nobody made.
        """
        if not self.messages or self.messages[-1].role == "assistant":
            raise self._wrong("must end with a message of a user or with results of tool calls")
        history, message = self.messages[:-1], self.messages[-1]
        self._check()
        return history, message

    def news(self) -> Message:
        """Return all that follows the last message of an assistant as one message: what a kept session has not heard.

        Raises:
            Rejection: there is nothing of the kind, or it is both results and words, which are two messages.
        """
        start = next((at for at in range(len(self.messages), 0, -1) if self.messages[at - 1].role == "assistant"), 0)
        news = self.messages[start:]
        if not news:
            raise self._wrong("must end with a message of a user or with results of tool calls")
        if len({message.role for message in news}) > 1:
            raise self._wrong("must not give results of tool calls and say something at once to a session that is kept")
        return news[0] if len(news) == 1 else Message(news[0].role, _joined(news))

    def _check(self) -> None:
        open_calls: set[str] = set()
        for message in self.messages:
            if message.role != "tool":
                open_calls = {call.id for call in message.calls}
            for part in message.parts:
                if isinstance(part, ToolResult):
                    if part.call not in open_calls:
                        raise self._wrong(
                            f'gives a result for "{part.call}", which is no call of the message before it'
                        )
                    open_calls.discard(part.call)

    def _wrong(self, what: str) -> Rejection:
        return invalid(f"{self.place} {what}", self.place)


class Scribe:
    """Writes a conversation down as it is read."""

    def __init__(self, place: str, instructions: str = "", before: Sequence[Message] = ()) -> None:
        self._place = place
        self._instructions = [instructions]
        self._messages: list[Message] = [*before]
        self._names = {call.id: call.name for message in before for call in message.calls}

    def instruct(self, text: str) -> None:
        self._instructions.append(text)

    def user(self, parts: Sequence[Part]) -> None:
        self._messages.append(Message("user", tuple(parts)))

    def assistant(self, parts: Sequence[Part], *, further: bool = False) -> None:
        """Add a message of the assistant; `further` says that it goes on with the one before, if that is there."""
        self._names.update({part.id: part.name for part in parts if isinstance(part, ToolCall)})
        last = self._messages[-1] if self._messages else None
        if further and last is not None and last.role == "assistant":
            self._messages[-1] = Message("assistant", (*last.parts, *_after(last, parts)))
        else:
            self._messages.append(Message("assistant", tuple(parts)))

    def result(self, call: str, content: Sequence[Part]) -> None:
        """Add a result; those that follow each other are one message."""
        shown = tuple(part for part in content if not isinstance(part, ToolCall))
        part = ToolResult(call, self._names.get(call, ""), shown)  # type: ignore[arg-type]
        last = self._messages[-1] if self._messages else None
        if last is not None and last.role == "tool":
            self._messages[-1] = Message("tool", (*last.parts, part))
        else:
            self._messages.append(Message("tool", (part,)))

    def conversation(self) -> Conversation:
        return Conversation(self._place, GAP.join(filter(None, self._instructions)), tuple(self._messages))


def _after(last: Message, parts: Sequence[Part]) -> Sequence[Part]:
    """Return parts with a gap before them where text would follow on text."""
    if last.parts and parts and isinstance(last.parts[-1], Text) and isinstance(parts[0], Text):
        return (Text(GAP + parts[0].text), *parts[1:])
    return parts


def _joined(messages: Sequence[Message]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for message in messages:
        parts += _after(Message(message.role, tuple(parts)), message.parts)
    return tuple(parts)
