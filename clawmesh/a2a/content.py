"""What is said, from the protocol's parts to ours and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET

from clawmesh import messages
from clawmesh.a2a.fault import CONTENT_TYPE_NOT_SUPPORTED, INVALID_PARAMS, A2aError
from clawmesh.a2a.values import Part
from clawmesh.messages import Image, Text

TEXT, JSON = "text/plain", "application/json"
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
INPUT_MODES = (TEXT, JSON, *IMAGES)
OUTPUT_MODES = (TEXT, JSON)


def heard(parts: Iterable[Part]) -> messages.Message:
    """Return what a client says as a message to an agent.

    Raises:
        A2aError: a part holds nothing, or what no agent here can take.
    """
    taken = tuple(map(_taken, parts))
    if not taken:
        raise A2aError(INVALID_PARAMS, "a message needs at least one part", field="message.parts")
    return messages.Message("user", taken)


def said(parts: Iterable[messages.Part]) -> tuple[Part, ...]:
    """Return what is for others to hear of what an agent or a user said: text and images, not thoughts and calls."""
    return tuple(_given(parts)) or (Part(text=""),)


def _taken(part: Part) -> Text | Image:
    media = part.media_type.partition(";")[0].strip().lower()
    if [part.text is not None, part.raw is not None, part.url is not None, part.data is not UNSET].count(True) != 1:
        message = "a part holds exactly one of text, raw, url and data"
        raise A2aError(INVALID_PARAMS, message, field="message.parts")
    if part.text is not None:
        return Text(part.text)
    if part.data is not UNSET:
        return Text(msgspec.json.encode(part.data).decode())
    if media in IMAGES:
        return Image(media, part.raw) if part.raw is not None else Image(media, url=part.url or "")
    if part.raw is not None and (media.startswith("text/") or media == JSON):
        try:
            return Text(part.raw.decode())
        except UnicodeDecodeError as error:
            raise A2aError(INVALID_PARAMS, f"this is no UTF-8: {error}", field="message.parts") from error
    message = f"found a part of type {media or 'unknown'!r}; these can be taken: {', '.join(INPUT_MODES)}"
    raise A2aError(CONTENT_TYPE_NOT_SUPPORTED, message, field="message.parts")


def _given(parts: Iterable[messages.Part]) -> Iterator[Part]:
    for part in parts:
        if isinstance(part, Text):
            yield Part(text=part.text, media_type=TEXT)
        elif isinstance(part, Image) and part.url:
            yield Part(url=part.url, media_type=part.media_type)
        elif isinstance(part, Image):
            yield Part(raw=part.data, media_type=part.media_type)
