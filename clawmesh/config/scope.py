"""What a value may refer to beyond itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field


class Scope(Struct, frozen=True):
    """The folder that relative paths start from, and the environment that secrets are taken from.

    Conversions append to `warnings` what is no fault and should still be known.
    """

    folder: str | Path
    environ: Mapping[str, str]
    warnings: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Scope({str(self.folder)!r})"

    def path(self, text: str) -> Path:
        """Return the path that the text names: `~/` is the user's home, what is relative starts at the folder."""
        if text == "~" or text.startswith("~/"):
            return Path(self.environ.get("HOME") or Path.home()) / text[2:]
        return Path(self.folder, text)
