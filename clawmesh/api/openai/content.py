"""The contents of messages: text and images, as chat completions and Responses write them.

Source: OpenAI API reference, "Create chat completion" (`messages`) and "Create a model response" (`input`).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from clawmesh.api.openai.fields import Fields
from clawmesh.messages import Image, Text

TEXTS = frozenset({"text", "input_text", "output_text"})
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
BASE64 = ";base64"
DATA, SECURE = "data:", "https://"


def content(fields: Fields, name: str, *, images: bool = False) -> tuple[Text | Image, ...]:
    """Return the content under a name: a string, or a list of parts.

    Raises:
        Rejection: it is neither, or a part is of a kind that is not taken here.
    """
    value = fields.value(name)
    if isinstance(value, str):
        return (Text(value),) if value else ()
    return tuple(_parts(fields, name, images=images))


def text(fields: Fields, name: str) -> str:
    """Return a content that is text alone; raises as `content` does."""
    return "".join(part.text for part in content(fields, name) if isinstance(part, Text))


def _parts(fields: Fields, name: str, *, images: bool) -> Iterator[Text | Image]:
    for part in fields.objects(name):
        kind = part.need("type", str)
        if kind in TEXTS:
            yield Text(part.need("text", str))
        elif kind == "refusal":
            yield Text(part.need("refusal", str))
        elif images and kind == "image_url":
            yield _image(part.object("image_url") or part, "url")
        elif images and kind == "input_image":
            yield _image(part, "image_url")
        else:
            raise part.wrong("type", f'"{kind}" is not taken here', "unsupported_value")


def _image(fields: Fields, name: str) -> Image:
    """Read an image from a data URL (RFC 2397), or a reference to one that the model's provider fetches."""
    url = fields.need(name, str)
    if url.startswith(SECURE):
        return Image(url=url)
    if not url.startswith(DATA):
        raise fields.wrong(name, "is no URL of an image: expected https:// or data:")
    kind, comma, data = url[len(DATA) :].partition(",")
    media_type = kind.removesuffix(BASE64).lower()
    if not (comma and kind.endswith(BASE64) and media_type in PICTURES):
        raise fields.wrong(name, f"is no image in base64; images may be {', '.join(sorted(PICTURES))}")
    try:
        return Image(media_type=media_type, data=msgspec.convert(data, bytes))
    except msgspec.ValidationError as error:
        raise fields.wrong(name, f"is no base64: {error}") from error
