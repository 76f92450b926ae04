"""The tool `http_get`: reads text from the web, and nothing from this machine or its private network."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from typing import Annotated, Any
from urllib.parse import urljoin

from msgspec import Meta

from clawmesh import Context, Effect, ToolError, ToolSpec
from clawmesh.config.mark import Duration
from clawmesh.http.dns import Resolver
from clawmesh.http.egress import EgressPolicy, Guard
from clawmesh.http.fetch import Page, Reach, fetch
from clawmesh.http.transport import open_transport
from clawmesh.version import VERSION

HEADERS = {"user-agent": f"clawmesh/{VERSION}", "accept": "text/html, text/*, application/json, */*;q=0.5"}
PARAMETERS = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "description": "the whole address, beginning with https:// or http://"},
        "raw": {"type": "boolean", "default": False, "description": "give HTML as it is, and not only its text"},
    },
    "required": ["url"],
    "additionalProperties": False,
}
_TEXT = re.compile(r"text/.*|application/(.*\+)?(json|xml|yaml|toml|javascript|x-ndjson|x-yaml|x-www-form-urlencoded)")
_CHARSET = re.compile(rb"""<meta[^>]+charset=["']?([\w-]+)""", re.IGNORECASE)


class HttpGet:
    """Read a web page.

    allow: hosts that may be read, such as "*.example.com"; without it every public one
    deny: hosts that may not be read
    ports: ports that may be reached
    networks: private networks that may be read, too, such as "10.2.0.0/16"
    private: whether all of them and this machine may be
    max_bytes: how much of a page is read
    timeout: how long it may take, redirects included
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        deny: Sequence[str] = (),
        ports: Sequence[int] = (80, 443),
        networks: Sequence[str] = (),
        private: bool = False,
        max_bytes: Annotated[int, Meta(ge=1, le=16 << 20)] = 1 << 20,
        timeout: Duration = 30.0,
    ) -> None:
        self._policy = EgressPolicy(
            private=private, networks=tuple(networks), allow=tuple(allow), deny=tuple(deny), ports=tuple(ports)
        )
        self._reach = Reach(body_bytes=max_bytes, seconds=timeout)
        self.spec = ToolSpec(
            "http_get", "Read a web page or another text at a URL; follows redirects.", PARAMETERS, Effect.PURE
        )

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> str:
        """Return status, type and text; raises ToolError where there is no text, TransportError where nothing came."""
        # A transport of its own, because that of the services may reach what the policy forbids.
        async with open_transport(resolve=Guard(self._policy, Resolver())) as transport:
            page = await fetch(transport, self._policy, arguments["url"], headers=HEADERS, reach=self._reach)
        return _shown(page, raw=arguments.get("raw", False))


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


class Reader(HTMLParser):
    """Takes what a person would read from HTML: text in lines, links with where they lead."""

    SILENT = frozenset({"script", "style", "noscript", "template", "svg"})
    BLOCKS = frozenset(
        {"address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure"}
        | {"footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre"}
        | {"section", "table", "td", "th", "title", "tr", "ul"}
    )

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self._url = url
        self._silent = 0
        self._links: list[str] = []
        self._pieces: list[str] = []

    @classmethod
    def read(cls, html: str, url: str) -> str:
        """Return the text of a page at `url`, to which relative links refer."""
        reader = cls(url)
        reader.feed(html)
        reader.close()
        lines = (" ".join(line.split()) for line in "".join(reader._pieces).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.SILENT:
            self._silent += 1
        if tag in self.BLOCKS:
            self._pieces.append("\n")
        if tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.SILENT:
            self._silent = max(0, self._silent - 1)
        if tag in self.BLOCKS:
            self._pieces.append("\n")
        if tag == "a" and self._links and (link := self._links.pop()):
            self._pieces.append(f" ({self._absolute(link)})")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._pieces.append(re.sub(r"\s+", " ", data))

    def _absolute(self, link: str) -> str:
        try:
            return urljoin(self._url, link)
        except ValueError:
            return link


def register_tools() -> Mapping[str, Callable[..., Any]]:
    """Offer the tool `http_get`."""
    return {"http_get": HttpGet}


EXAMPLES = [
    {"tool": "http_get", "arguments": {"url": "http://127.0.0.1/"}, "error": "not on the public internet"},
    {"tool": "http_get", "arguments": {"url": "http://0x7f.1:80/"}, "error": "not on the public internet"},
    {"tool": "http_get", "arguments": {"url": "file:///etc/passwd"}, "error": "http"},
    {
        "tool": "http_get",
        "arguments": {"url": "https://example.org/"},
        "config": {"allow": ["*.example.com"]},
        "error": "none of those allowed",
    },
]
