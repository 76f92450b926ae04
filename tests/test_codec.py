from __future__ import annotations

import pytest

from clawmesh.codec import pack, unpacker, whole
from clawmesh.errors import FailedError, StorageError
from clawmesh.messages import Image, Message, Opaque, Reasoning, Text, ToolCall, ToolResult

read = unpacker(Message, "message")


def test_every_part_comes_back_as_it_was() -> None:
    parts = (
        Text("héllo \u0000 🐾"),
        Image("image/png", b"\x00\xff"),
        Reasoning("why", "openai", b"{}"),
        ToolCall("1", "clock", '{"zone": "UTC"}'),
        ToolResult("1", "clock", (Text("noon"), Image(url="u")), failed=True),
        Opaque("anthropic", b"\xff"),
    )
    assert read(pack(Message("assistant", parts))) == Message("assistant", parts)


def test_lone_surrogates_become_replacement_characters() -> None:
    assert read(pack(Message.user("a\ud800b\udfff"))) == Message.user("a\ufffdb\ufffd")


def test_a_pair_of_surrogates_becomes_its_character() -> None:
    assert read(pack(Message.user("\ud83d\udc3e\ud800"))) == Message.user("🐾\ufffd")


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\x01", pack(3), pack({"role": "nobody", "parts": []})])
def test_what_is_no_message_is_said_so(data: bytes) -> None:
    with pytest.raises(StorageError, match="this is no message: "):
        read(data)


def test_what_has_no_form_in_bytes_is_an_error_of_ours() -> None:
    for value in (object(), 10**40):
        with pytest.raises(StorageError, match="this cannot be kept: "):
            pack(value)


@pytest.mark.parametrize("parts", ["hello", ("hello",), (Text(None),), (object(),), (Image("image/png", "iVBO"),)])  # type: ignore[arg-type]
def test_what_a_plugin_says_is_a_message_or_an_error(parts: object) -> None:
    with pytest.raises(FailedError, match=r"this is no message: .*|this cannot be kept: .*"):
        whole(Message("assistant", parts))  # type: ignore[arg-type]


def test_a_list_of_parts_is_as_good_as_a_tuple() -> None:
    assert whole(Message("assistant", [Text("hello")])) == Message.assistant("hello")  # type: ignore[arg-type]
