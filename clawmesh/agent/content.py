"""What a tool gave, as a model may see it: text and images, within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clawmesh.abc.tool import Output
from clawmesh.errors import ToolError
from clawmesh.messages import Image, Text

CHARACTERS = 65_536
IMAGES = 16
# Bytes of one image; more is refused by every provider.
IMAGE_BYTES = 20_000_000


def content(tool: str, output: Output) -> tuple[Text | Image, ...]:
    """Return what a tool gave as the content of its result, its text cut at 65,536 characters in all.

    Raises:
        ToolError: it is neither text nor images, or the images are too many, too big, or no bytes.
    """
    if type(output) is str and 0 < len(output) <= CHARACTERS:
        return (Text(output),)
    parts = _parts(output)
    for wrong in (part for part in parts if not isinstance(part, Text | Image)):
        raise ToolError(f"{tool} returned {_named(wrong)}, expected text or images")
    images = [part for part in parts if isinstance(part, Image)]
    if len(images) > IMAGES:
        raise ToolError(f"{tool} returned {len(images)} images; at most {IMAGES} go into one result")
    for image in (image for image in images if not isinstance(image.data, bytes)):
        raise ToolError(f"{tool} returned an image of {_named(image.data)}, expected bytes")
    if (biggest := max((len(image.data) + len(image.url) for image in images), default=0)) > IMAGE_BYTES:
        raise ToolError(f"{tool} returned an image of {biggest} bytes; at most {IMAGE_BYTES} go into one")
    return tuple(_cut(parts)) or (Text(""),)


def _parts(output: Output) -> Sequence[Text | Image]:
    if isinstance(output, str):
        return (Text(output),)
    return output if isinstance(output, list | tuple) else (output,)


def _named(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _cut(parts: Sequence[Text | Image]) -> Iterator[Text | Image]:
    left, left_out = CHARACTERS, 0
    for part in parts:
        if isinstance(part, Image):
            yield part
        elif part.text:
            shown = part.text[:left]
            left -= len(shown)
            left_out += len(part.text) - len(shown)
            if shown:
                yield Text(shown)
    if left_out:
        yield Text(f"\n[{left_out} more characters left out]")
