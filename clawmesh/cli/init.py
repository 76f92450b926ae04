"""`clawmesh init`: a first configuration that works at once."""

from __future__ import annotations

import argparse
import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from clawmesh.cli.console import Console
from clawmesh.cli.loop import run
from clawmesh.config.location import NAME
from clawmesh.config.template import Provider, compose, with_keys
from clawmesh.errors import OversizeError, StorageError, TransportError, UsageError
from clawmesh.http.headers import Headers
from clawmesh.http.limits import Deadlines
from clawmesh.http.target import Target
from clawmesh.http.transport import open_transport

OLLAMA = "http://127.0.0.1:11434"
DEADLINES = Deadlines(connect=0.5, head=1.0, total=1.5)
ANSWER_BYTES = 1024 * 1024


def init(arguments: argparse.Namespace, console: Console) -> int:
    """Write a commented configuration for what this machine has: keys in the environment, a running Ollama."""
    file = _file(arguments)
    if not arguments.force and os.path.lexists(file):
        raise UsageError(f"{file} is there already; --force replaces it")
    providers = [*with_keys(console.environ), *run(lambda: find_ollama(console.environ))]
    _write(file, compose(providers))
    if console.as_json:
        console.json({"file": str(file), "backends": [provider.name for provider in providers]})
        return 0
    for provider in providers:
        console.note(f"found {provider.variable or provider.note}")
    if not providers:
        console.note("found no key and no Ollama: the agents run on the offline backend until you give them a model")
    console.print(f"wrote {file}")
    where = "" if file == Path(NAME) else f"--config {shlex.quote(str(file))} "
    console.note(f"try: clawmesh ask {where}helper 'What time is it?'")
    return 0


async def find_ollama(environ: Mapping[str, str]) -> list[Provider]:
    """Return the Ollama that answers at OLLAMA_HOST or on this machine, if it has a model to talk with."""
    base_url = ollama_url(environ.get("OLLAMA_HOST", ""))
    answer = _Answer()
    try:
        async with open_transport() as transport:
            await transport.exchange(Target.parse(f"{base_url}/api/tags", method="GET"), b"", answer, DEADLINES)
        models = msgspec.json.decode(answer.body, type=_Tags).models
    except (TransportError, msgspec.DecodeError, UnicodeDecodeError):
        # Nothing there, or something else than Ollama: both mean that there is none.
        return []
    names = [model.name for model in models if "embed" not in model.name]
    if answer.status != 200 or not names:
        return []
    note = f"Ollama at {base_url} with {_listed(names)}"
    return [Provider("ollama", "ollama", names[0], base_url="" if base_url == OLLAMA else base_url, note=note)]


def ollama_url(host: str) -> str:
    """Return the URL that OLLAMA_HOST means: scheme and port may be left out, and a server's own "all" is this machine.

    Source: Ollama's FAQ, "How do I configure Ollama server?".
    """
    scheme, found, rest = host.strip().rstrip("/").rpartition("://")
    name, colon, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    if not colon:
        name, port = rest, {"http": "80", "https": "443"}.get(scheme, "11434")
    name = "127.0.0.1" if name in ("", "0.0.0.0", "[::]") else name  # noqa: S104 - read, and not listened on
    return f"{scheme if found else 'http'}://{name}:{port}"


class _Model(Struct, frozen=True):
    name: str


class _Tags(Struct, frozen=True):
    models: Sequence[_Model] = ()


class _Answer:
    """Collects a small response."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    def head(self, status: int, headers: Headers, /) -> None:
        self.status = status

    def feed(self, data: bytes, /) -> None:
        self.body += data
        if len(self.body) > ANSWER_BYTES:
            raise OversizeError(f"the answer is larger than {ANSWER_BYTES} bytes")


def _file(arguments: argparse.Namespace) -> Path:
    file = Path(arguments.file or arguments.config or NAME)
    return file / NAME if file.is_dir() else file


def _write(file: Path, text: str) -> None:
    """Write the file whole or not at all, readable by its owner alone.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(name, file)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}") from error


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
