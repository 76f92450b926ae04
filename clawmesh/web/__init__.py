"""The dashboard: static files that any browser runs; all data comes over the API."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PAGE = "index.html"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy that the page is written for: nothing inline, nothing from elsewhere."""


class File(Struct, frozen=True):
    """A file as it is served: at this path, whoever asks."""

    path: str
    media_type: str
    content: bytes
    etag: str


def files() -> Iterator[File]:
    """Yield the page, which is at `/`, and what it loads, below `/static/`."""
    for file in sorted(FOLDER.rglob("*")):
        if file.suffix not in MEDIA_TYPES:
            continue
        name = file.relative_to(FOLDER).as_posix()
        content = file.read_bytes()
        path = "/" if name == PAGE else f"/static/{name}"
        yield File(path, MEDIA_TYPES[file.suffix], content, f'"{sha256(content).hexdigest()[:32]}"')
