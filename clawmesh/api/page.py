"""The dashboard's files, for any browser: the page itself knows nothing, and asks for a token."""

from __future__ import annotations

from clawmesh.api.fault import answer
from clawmesh.server.request import Receive, Scope, Send
from clawmesh.web import File

# A browser asks each time whether what it has is still the newest.
FRESH = b"no-cache"
FOLDER = "/static/"


class Page:
    """One file."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._etag = file.etag.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"etag", self._etag), (b"cache-control", FRESH)]
        known = [value for name, value in scope["headers"] if name == b"if-none-match"]
        if self._etag in known:
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body"})
        else:
            await answer(send, self._file.content, headers=headers, media=self._file.media_type.encode("ascii"))


def is_open(path: str) -> bool:
    """Whether everybody may have what is there."""
    return path == "/" or path.startswith(FOLDER)
