"""Images as providers take them."""

from __future__ import annotations

from base64 import b64encode

from clawmesh.messages import Image


def base64(image: Image) -> str:
    return b64encode(image.data).decode("ascii")


def data_url(image: Image) -> str:
    """Return the image's URL, or its bytes as a `data:` URL (RFC 2397)."""
    return image.url or f"data:{image.media_type};base64,{base64(image)}"
