"""What the operator allows to run: the hash of every plugin that was looked at and trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import tomli
import tomli_w
from msgspec import Struct

from clawmesh.config.private import locked, read_private, replace
from clawmesh.errors import PluginError
from clawmesh.plugin.source import Snapshot, Source

Standing: TypeAlias = Literal["trusted", "untrusted", "changed"]


class Trust(Struct, frozen=True):
    """The trusted hashes by the plugin's absolute path, kept in a TOML file of mode 0600."""

    file: Path
    digests: Mapping[str, str]

    @classmethod
    def open(cls, file: Path) -> Trust:
        """Read the file; one that is not there trusts nothing.

        Raises:
            PluginError: it cannot be understood.
            StorageError: it cannot be read, or others could have written it.
        """
        try:
            content = read_private(file)
            table = {} if content is None else tomli.loads(content.decode())
        except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
            raise _damaged(file, str(error)) from error
        digests = table.get("sha256", {})
        if not isinstance(digests, dict) or not all(isinstance(digest, str) for digest in digests.values()):
            raise _damaged(file, "sha256 must map paths to hashes")
        return cls(file, digests)

    def standing(self, source: Source, snapshot: Snapshot) -> Standing:
        """Say whether these bytes at this place may run."""
        digest = self.digests.get(str(source.path))
        if digest is None:
            return "untrusted"
        return "trusted" if digest == snapshot.digest else "changed"

    def add(self, source: Source, snapshot: Snapshot) -> Trust:
        """Trust these bytes at this place, and nothing else there."""
        return self._change(lambda digests: {**digests, str(source.path): snapshot.digest})

    def remove(self, source: Source) -> Trust:
        """Trust nothing at this place any more."""
        return self._change(lambda digests: {path: digests[path] for path in digests if path != str(source.path)})

    def _change(self, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> Trust:
        with locked(self.file):
            changed = Trust(self.file, change(Trust.open(self.file).digests))
            replace(self.file, tomli_w.dumps({"sha256": changed.digests}).encode())
        return changed


def _damaged(file: Path, reason: str) -> PluginError:
    return PluginError(f"{file}: is damaged: {reason}; remove it and trust your plugins again")
