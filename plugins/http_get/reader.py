"""HTML as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urljoin


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
