"""Reading the web within a policy."""

from __future__ import annotations

import codecs
import re

from clawmesh import ToolError
from clawmesh.http.dns import Resolver
from clawmesh.http.egress import EgressPolicy, Guard
from clawmesh.http.fetch import Page, Reach, fetch
from clawmesh.http.transport import open_transport
from clawmesh.version import VERSION

from .reader import Reader

HEADERS = {"user-agent": f"clawmesh/{VERSION}", "accept": "text/html, text/*, application/json, */*;q=0.5"}
_TEXT = re.compile(r"text/.*|application/(.*\+)?(json|xml|yaml|toml|javascript|x-ndjson|x-yaml|x-www-form-urlencoded)")
_CHARSET = re.compile(rb"""<meta[^>]+charset=["']?([\w-]+)""", re.IGNORECASE)


class Web:
    """What a policy lets one see of the web, as far as `reach` says."""

    def __init__(self, policy: EgressPolicy, reach: Reach) -> None:
        self._policy = policy
        self._reach = reach

    async def read(self, url: str, *, raw: bool) -> str:
        """Return status, type and text; raises ToolError where there is no text, TransportError where nothing came."""
        # A transport of its own, because that of the services may reach what the policy forbids.
        async with open_transport(resolve=Guard(self._policy, Resolver())) as transport:
            page = await fetch(transport, self._policy, url, headers=HEADERS, reach=self._reach)
        return _shown(page, raw=raw)


def _shown(page: Page, *, raw: bool) -> str:
    kind = page.headers.get("content-type", "") or ""
    media = kind.partition(";")[0].strip().lower()
    if not _is_text(media, page.body):
        raise ToolError(f"{page.url} holds {media or 'binary data'}; only text can be read")
    text = page.body.decode(_charset(kind, page.body), errors="replace")
    if media in ("text/html", "application/xhtml+xml") and not raw:
        text = Reader.read(text, page.url)
    cut = f"\n[only the first {len(page.body)} bytes were read]" if page.truncated else ""
    return f"{page.status} {media or 'text'} {page.url}\n\n{text}{cut}"


def _is_text(media: str, body: bytes) -> bool:
    return b"\0" not in body[:4096] if media in ("", "application/octet-stream") else bool(_TEXT.fullmatch(media))


def _charset(kind: str, body: bytes) -> str:
    named = re.search(r"charset=[\"']?([\w-]+)", kind, re.IGNORECASE)
    meta = _CHARSET.search(body[:2048])
    name = named[1] if named else meta[1].decode() if meta else "utf-8"
    try:
        codec = codecs.lookup(name)
    except LookupError:
        return "utf-8"
    # Python also calls things such as hex and zip codecs, which do not give text.
    return codec.name if getattr(codec, "_is_text_encoding", True) else "utf-8"
