"""What the operator allows to run: the hash of every plugin that was looked at and trusted."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import tomli
import tomli_w
from msgspec import Struct

from clawmesh.errors import PluginError, StorageError
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
            PluginError: it cannot be understood, or others could have written it.
        """
        try:
            with file.open("rb") as stream:
                _check(file, os.fstat(stream.fileno()), "600")
                # Who can write to the folder can put another file in its place.
                _check(file.parent, file.parent.stat(), "700")
                table = tomli.load(stream)
        except FileNotFoundError:
            return cls(file, {})
        except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
            raise _damaged(file, str(error)) from error
        except OSError as error:
            raise StorageError(f"{file}: cannot be read: {error.strerror}") from error
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
        try:
            with _locked(self.file):
                changed = Trust(self.file, change(Trust.open(self.file).digests))
                _replace(self.file, tomli_w.dumps({"sha256": changed.digests}))
        except OSError as error:
            raise StorageError(f"{self.file}: cannot be written: {error.strerror}") from error
        return changed


def _check(path: Path, status: os.stat_result, wanted: str) -> None:
    if status.st_mode & 0o022:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise PluginError(f"{path}: can be written by others (mode {mode}); check it, then chmod {wanted} it")
    if status.st_uid not in (0, os.geteuid()):
        raise PluginError(f"{path}: belongs to another user (uid {status.st_uid}); nothing that it says is trusted")


def _damaged(file: Path, reason: str) -> PluginError:
    return PluginError(f"{file}: is damaged: {reason}; remove it and trust your plugins again")


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock under which the file is read, changed and replaced."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(file: Path, text: str) -> None:
    """Write the file whole or not at all."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(descriptor)
    os.replace(draft, file)
