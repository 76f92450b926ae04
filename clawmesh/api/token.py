"""Tokens: who may come in over HTTP, and what for."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct

from clawmesh.config import private
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import StorageError, UsageError
from clawmesh.mesh.address import Address

Scope: TypeAlias = Literal["read", "talk", "operate", "admin"]
"""read: see agents, sessions and messages · talk: send messages · operate: see and steer what belongs to others, too,
and the figures of all · admin: everything."""

SCOPES: tuple[Scope, ...] = get_args(Scope)
FILE = "tokens.json"
OWN = "token"
"""The file with the first token itself, which the commands of this user find."""
OWNER = "owner"
PREFIX = "cm_"
BYTES = 32
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
SEPARATOR = "."


class Token(Struct, frozen=True):
    """What is known of a token; itself it is nowhere kept. Times are in seconds since 1970.

    `agents` are names and patterns of the agents that it is for; without any it is for all.
    """

    name: str
    digest: str
    scopes: tuple[Scope, ...]
    agents: tuple[str, ...] = ()
    created: float = 0.0
    expires: float | None = None

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes or (scope == "read" and "operate" in self.scopes)

    @property
    def free(self) -> bool:
        """Whether it is not confined to what is its own."""
        return self.may("operate")

    def knows(self, agent: str) -> bool:
        return not self.agents or any(fnmatchcase(agent, pattern) for pattern in self.agents)

    def inside(self, agent: str, session: str) -> Address:
        """Return the address of a session that the holder calls by this name.

        Those of a confined token have its name before theirs, so that no name leads to anybody else's.

        Raises:
            UsageError: that is no name of a session.
        """
        address = Address.parse(f"{agent}/{session}")
        return address if self.free else Address.parse(f"{agent}/{self.name}{SEPARATOR}{session}")

    def apart(self, agent: str, key: str) -> Address:
        """Return the session of a message that has none but an idempotency key: what comes twice meets itself there."""
        # By the token's name too: two holders may choose the same key.
        digest = sha256(f"{self.name}\0{key}".encode(errors="replace")).hexdigest()[:32]
        return self.inside(agent, f"key_{digest}")

    def outside(self, address: Address) -> str:
        """Return the name by which the holder calls a session that is theirs."""
        return address.session if self.free else address.session.removeprefix(self.name + SEPARATOR)

    def owns(self, address: Address) -> bool:
        """Whether a session may be seen by the holder."""
        return self.knows(address.agent) and (self.free or address.session.startswith(self.name + SEPARATOR))


class Tokens:
    """The tokens of a data directory, by their hashes; what another process changes there is seen at once."""

    def __init__(self, data: Path) -> None:
        self._file = data / FILE
        self._seen: tuple[int, int, int] | None = None
        self._by_digest: dict[str, Token] = {}

    def all(self) -> Sequence[Token]:
        """Return the tokens, oldest first; raises StorageError where the file cannot be read."""
        self._look()
        return [*self._by_digest.values()]

    def find(self, secret: str, now: float) -> Token | None:
        """Return the token that this is, unless it is none any more; raises StorageError as `all` does."""
        self._look()
        token = self._by_digest.get(digest_of(secret))
        return token if token is not None and not _over(token, now) else None

    def valid(self, token: Token, now: float) -> bool:
        """Whether a token that was found is still one, unchanged; raises StorageError as `all` does."""
        self._look()
        return self._by_digest.get(token.digest) == token and not _over(token, now)

    def create(
        self, name: str, scopes: Iterable[str], agents: Iterable[str], now: float, expires: float | None = None
    ) -> str:
        """Make a token and return it; nobody can tell it again.

        Raises:
            UsageError: there is one of that name, or no such scope.
            StorageError: the file cannot be read or written.
        """
        if not NAME.fullmatch(name):
            raise UsageError(f'"{name}" is no name for a token: expected a-z, 0-9 and "-", at most 32 of them')
        secret = PREFIX + secrets.token_urlsafe(BYTES)
        token = Token(name, digest_of(secret), (*map(_scope, dict.fromkeys(scopes)),), (*agents,), now, expires)

        def add(tokens: Sequence[Token]) -> Sequence[Token]:
            if any(each.name == name for each in tokens):
                raise UsageError(f'there is a token "{name}" already')
            return [*tokens, token]

        self._change(add)
        return secret

    def revoke(self, name: str) -> Token:
        """Make a token worthless, everywhere and at once; return what it was.

        Raises:
            UsageError: there is none of that name.
            StorageError: the file cannot be read or written.
        """
        gone: list[Token] = []

        def drop(tokens: Sequence[Token]) -> Sequence[Token]:
            gone.extend(token for token in tokens if token.name == name)
            if not gone:
                names = [token.name for token in tokens]
                raise UsageError(f'there is no token "{name}"{did_you_mean(name, names, otherwise="there are")}')
            return [token for token in tokens if token.name != name]

        self._change(drop)
        return gone[0]

    def first(self, now: float) -> Path | None:
        """Make the owner's token where no token was ever made; return the file that it lies in, for its owner alone.

        Raises:
            StorageError: a file cannot be read or written.
        """
        if self._file.exists():
            return None
        own = self._file.with_name(OWN)
        private.replace(own, self.create(OWNER, ["admin"], (), now).encode() + b"\n")
        return own

    def _change(self, change: Callable[[Sequence[Token]], Sequence[Token]]) -> None:
        with private.locked(self._file):
            self._look()
            tokens = change([*self._by_digest.values()])
            private.replace(self._file, msgspec.json.format(msgspec.json.encode(tokens), indent=1) + b"\n")

    def _look(self) -> None:
        """Read the file if it is another one than before."""
        try:
            status = os.stat(self._file)
        except FileNotFoundError:
            self._seen, self._by_digest = None, {}
            return
        except OSError as error:
            raise StorageError(f"{self._file}: cannot be read: {error.strerror}") from error
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen == self._seen:
            return
        try:
            tokens = msgspec.json.decode(private.read_private(self._file) or b"[]", type=list[Token])
        except msgspec.MsgspecError as error:
            raise StorageError(f"{self._file}: is damaged: {error}; remove it and make the tokens again") from error
        self._seen, self._by_digest = seen, {token.digest: token for token in tokens}


def digest_of(secret: str) -> str:
    """Return what is kept of a token. It is random as a whole, so that a single hash is as strong as any."""
    return sha256(secret.encode(errors="replace")).hexdigest()


def own(data: Path) -> str:
    """Return the token that the user's own commands use, "" where there is none; raises StorageError as `Tokens`."""
    return (private.read_private(data / OWN) or b"").decode(errors="replace").strip()


def _over(token: Token, now: float) -> bool:
    return token.expires is not None and now >= token.expires


def _scope(text: str) -> Scope:
    for scope in SCOPES:
        if text == scope:
            return scope
    raise UsageError(f'there is no scope "{text}"{did_you_mean(text, SCOPES, otherwise="there are")}')
