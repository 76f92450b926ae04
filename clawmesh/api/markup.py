"""What a model writes, as HTML that may be shown: Markdown without HTML of its own, and nothing that acts or loads."""

from __future__ import annotations

from functools import cache

import nh3
from markdown_it import MarkdownIt

# More is shown as it is: rendering takes time on the event loop.
CHARACTERS = 10_000
TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}


@cache
def _renderer() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def to_html(text: str) -> str:
    """Return Markdown as HTML; images are left out, because loading one tells somebody that it was seen."""
    if len(text) > CHARACTERS:
        return nh3.clean_text(text)
    return nh3.clean(
        _renderer().render(text),
        tags=TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
