"""A real model behind real servers: llama.cpp with SmolLM2, and a proxy in front of it that speaks Ollama's protocol.

Run as a program it serves the model file of its first argument on the port of its second.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[1] / "build" / "cache"
READY = b"ready\n"

# The model's own template knows no tools.
TEMPLATE = """\
{%- if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}
{% endif %}You may call these functions:
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}For a call, write its name and arguments as JSON:
<tool_call>
{"name": "...", "arguments": {...}}
</tool_call><|im_end|>
{% elif messages[0].role == 'system' %}<|im_start|>system
{{ messages[0].content }}<|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'assistant' and message.tool_calls %}<|im_start|>assistant
{% for call in message.tool_calls %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{% endfor %}<|im_end|>
{% elif not loop.first or message.role != 'system' %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def model_file() -> Path:
    """Return the model, or skip the test that asks."""
    given = os.environ.get("CLAWMESH_MODEL")
    found = [Path(given)] if given else sorted(CACHE.glob("*.gguf"))
    if not found or not found[0].exists():
        pytest.skip(f"no model in {CACHE}: build/make.py test fetches it where the machine allows")
    return found[0]


@contextmanager
def llama() -> Iterator[str]:
    """Serve the model and yield its URL: chat completions and Responses under `/v1`, Messages at `/v1/messages`."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, __file__, str(model_file()), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != READY:
                pytest.fail(f"llama.cpp does not start, exit code {process.poll()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


@contextmanager
def ollama_proxy(llama_url: str) -> Iterator[str]:
    """Imitate Ollama in front of the model, which is called `local/model` there. Its chat passes no tool calls on."""
    if importlib.util.find_spec("ollama_proxy") is None:
        pytest.skip("ollama-proxy-plus is not installed")
    places = {"PROVIDERS_LOCAL_BASE_URL": f"{llama_url}/v1", "PROVIDERS_LOCAL_API_KEY": "none"}
    environ = {**os.environ, **places, "EXTRA_MODELS": "local/model"}
    # Whoever connects waits in the socket's queue until the proxy has started.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        server = ["uvicorn", "ollama_proxy.server:app", "--fd", str(descriptor), "--log-level", "critical"]
        command = [sys.executable, "-m", *server]
        with subprocess.Popen(command, env=environ, pass_fds=[descriptor], stdout=subprocess.DEVNULL) as process:
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                process.kill()


def main(model: str, port: str) -> None:
    xllamacpp = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.port = int(port)
    params.n_ctx = 4096
    params.n_parallel = 1
    params.use_jinja = True
    params.chat_template = TEMPLATE
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    threading.Event().wait()
    del server


if __name__ == "__main__":
    main(*sys.argv[1:])
