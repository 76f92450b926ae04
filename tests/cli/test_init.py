from __future__ import annotations

import io
import json
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from clawmesh.cli.config import check
from clawmesh.cli.console import Console
from clawmesh.cli.init import find_ollama, init, ollama_url
from clawmesh.cli.parser import build
from clawmesh.config.load import load
from clawmesh.errors import StorageError, UsageError
from tests.cli.conftest import Person

MODELS = {"models": [{"name": "nomic-embed-text"}, {"name": "qwen3:8b", "size": 3}, {"name": "llama3"}]}


@contextmanager
def ollama(body: str, status: int = 200) -> Iterator[str]:
    """Serve one answer at every path; the value is what OLLAMA_HOST says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/api/tags" else 404)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def run(environ: dict[str, str], *words: str) -> tuple[int, str, str]:
    arguments = build().parse_args(["init", *words])
    output, errors = io.StringIO(), io.StringIO()
    code = init(arguments, Console(output, errors, environ, as_json=getattr(arguments, "json", False)))
    return code, output.getvalue(), errors.getvalue()


def is_sound(file: Path, environ: dict[str, str]) -> bool:
    arguments = build().parse_args(["config", "check", "--config", str(file), "--data", str(file.parent / "data")])
    return check(arguments, Console(io.StringIO(), io.StringIO(), environ)) == 0


def test_without_key_and_ollama_the_result_works_offline(tmp_path: Path, nobody: str) -> None:
    file = tmp_path / "clawmesh.toml"
    code, output, errors = run({"OLLAMA_HOST": nobody}, str(file))
    assert (code, output) == (0, f"wrote {file}\n")
    assert errors.startswith("found no key and no Ollama")
    assert f"try: clawmesh ask --config {file} helper 'What time is it?'" in errors
    assert is_sound(file, {})
    assert load(file, {}).agents["helper"].backend == ("offline",)


def test_keys_are_found_and_not_written(tmp_path: Path, nobody: str) -> None:
    environ = {"OPENAI_API_KEY": "hunter2", "ANTHROPIC_API_KEY": "hunter3", "OLLAMA_HOST": nobody}
    file = tmp_path / "clawmesh.toml"
    _, _, errors = run(environ, str(file))
    assert errors.splitlines()[:2] == ["found ANTHROPIC_API_KEY", "found OPENAI_API_KEY"]
    assert "hunter" not in file.read_text() + errors
    assert is_sound(file, environ)
    assert load(file, environ).agents["helper"].backend == ("anthropic",)


def test_a_running_ollama_is_found_with_its_models(tmp_path: Path) -> None:
    file = tmp_path / "clawmesh.toml"
    with ollama(json.dumps(MODELS)) as host:
        _, _, errors = run({"OLLAMA_HOST": host}, str(file))
    assert errors.startswith(f"found Ollama at http://{host} with qwen3:8b, llama3\n")
    assert is_sound(file, {})
    config = load(file, {})
    assert config.agents["writer"].model == "qwen3:8b"
    assert config.backends["ollama"].arguments == {"base_url": f"http://{host}"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"models": []}', 200),
        ("<html>", 200),
        ('{"models": 3}', 200),
        ("\xff", 200),
        (json.dumps(MODELS), 500),
        ("x" * 2**21, 200),
    ],
    ids=["empty", "HTML", "type", "text", "status", "size"],
)
@pytest.mark.anyio
async def test_what_is_no_ollama_is_none(body: str, status: int) -> None:
    with ollama(body, status) as host:
        assert await find_ollama({"OLLAMA_HOST": host}) == []


@pytest.mark.anyio
async def test_an_address_that_cannot_be_is_none() -> None:
    assert await find_ollama({"OLLAMA_HOST": "http://exa mple:x"}) == []


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("gpu.example", "http://gpu.example:11434"),
        ("http://gpu.example", "http://gpu.example:80"),
        ("https://gpu.example/", "https://gpu.example:443"),
        ("https://gpu.example:8443", "https://gpu.example:8443"),
        (":1234", "http://127.0.0.1:1234"),
        ("[::1]", "http://[::1]:11434"),
        ("[::]:5000", "http://127.0.0.1:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_the_host_is_read_as_ollama_reads_it(host: str, url: str) -> None:
    assert ollama_url(host) == url


def test_a_file_that_is_there_stays(tmp_path: Path, nobody: str) -> None:
    file = tmp_path / "clawmesh.toml"
    file.write_text("mine")
    with pytest.raises(UsageError, match="is there already; --force replaces it"):
        run({"OLLAMA_HOST": nobody}, str(file))
    assert file.read_text() == "mine"
    assert run({"OLLAMA_HOST": nobody}, str(file), "--force")[0] == 0
    assert file.read_text() != "mine"


def test_the_file_is_private_and_nothing_else_is_left(tmp_path: Path, nobody: str) -> None:
    run({"OLLAMA_HOST": nobody}, str(tmp_path))
    assert stat.S_IMODE((tmp_path / "clawmesh.toml").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["clawmesh.toml"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, nobody: str) -> None:
    with pytest.raises(StorageError, match=r"none/clawmesh\.toml cannot be written: No such file or directory"):
        run({"OLLAMA_HOST": nobody}, str(tmp_path / "none" / "clawmesh.toml"))


def test_scripts_get_data(tmp_path: Path, nobody: str) -> None:
    file = tmp_path / "c.toml"
    _, output, errors = run({"OLLAMA_HOST": nobody, "GROQ_API_KEY": "k"}, str(file), "--json")
    assert json.loads(output) == {"file": str(file), "backends": ["groq"]}
    assert errors == ""


def test_the_executable_writes_what_it_accepts(person: Person) -> None:
    (person.folder / "clawmesh.toml").unlink()
    assert person.run("init").stdout == "wrote clawmesh.toml\n"
    assert person.run("config", "check").stdout.startswith("ok: 2 agents, 1 backend")
    assert "is there already" in person.run("init", code=2).stderr
