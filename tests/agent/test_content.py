from __future__ import annotations

from typing import Any

import pytest

from clawmesh.agent.content import CHARACTERS, IMAGE_BYTES, content
from clawmesh.errors import ToolError
from clawmesh.messages import Image, Text, ToolCall

PICTURE = Image("image/png", b"png")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("noon", (Text("noon"),)),
        ("", (Text(""),)),
        (Text("noon"), (Text("noon"),)),
        (PICTURE, (PICTURE,)),
        ([Text("see"), PICTURE, Text("")], (Text("see"), PICTURE)),
        ((), (Text(""),)),
    ],
)
def test_text_and_images_stay(output: Any, expected: tuple[Text | Image, ...]) -> None:
    assert content("clock", output) == expected


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (None, "None"),
        (7, "a value of type int"),
        (b"noon", "a value of type bytes"),
        ({"time": "noon"}, "a value of type dict"),
        ([Text("noon"), None], "None"),
        ([Text("noon"), ToolCall("1", "clock")], "a value of type ToolCall"),
        ((Text(each) for each in "noon"), "a value of type generator"),
    ],
)
def test_anything_else_is_refused(output: Any, found: str) -> None:
    with pytest.raises(ToolError, match=f"clock returned {found}, expected text or images"):
        content("clock", output)


def test_an_image_is_bytes() -> None:
    with pytest.raises(ToolError, match="camera returned an image of a value of type str, expected bytes"):
        content("camera", Image("image/png", "iVBO"))  # type: ignore[arg-type]


def test_all_text_of_a_result_shares_one_bound() -> None:
    half = Text("x" * (CHARACTERS // 2))
    assert content("clock", [half, half]) == (half, half)
    cut = content("clock", [half, Text("y"), PICTURE, half, half])
    assert cut == (
        half,
        Text("y"),
        PICTURE,
        Text("x" * (CHARACTERS // 2 - 1)),
        Text("\n[32769 more characters left out]"),
    )


def test_images_are_bounded() -> None:
    assert len(content("camera", [PICTURE] * 16)) == 16
    with pytest.raises(ToolError, match="camera returned 17 images; at most 16 go into one result"):
        content("camera", [PICTURE] * 17)
    for image in (Image("image/png", bytes(IMAGE_BYTES + 1)), Image(url="x" * (IMAGE_BYTES + 1))):
        with pytest.raises(ToolError, match="camera returned an image of 20000001 bytes; at most 20000000 go into one"):
            content("camera", image)
