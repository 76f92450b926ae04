"""The first configuration file: written for the person who opens it, from what was found on the machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from string import Template

from msgspec import Struct


class Provider(Struct, frozen=True):
    """A way to reach models: the type of backend that speaks to it, and a model to begin with.

    `variable` is the environment variable that holds its key; `note` is what the file says of how it was found.
    """

    name: str
    type: str
    model: str
    variable: str = ""
    base_url: str = ""
    note: str = ""


# In the order of preference; the models are ones that call tools.
PROVIDERS = (
    Provider("anthropic", "anthropic", "claude-sonnet-4-6", "ANTHROPIC_API_KEY"),
    Provider("openai", "openai", "gpt-5-mini", "OPENAI_API_KEY"),
    Provider("openrouter", "openai", "openai/gpt-5-mini", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"),
    Provider(
        "gemini",
        "openai",
        "gemini-2.5-flash",
        "GEMINI_API_KEY",
        "https://generativelanguage.googleapis.com/v1beta/openai",
    ),
    Provider("mistral", "openai", "mistral-medium-latest", "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
    Provider("groq", "openai", "openai/gpt-oss-120b", "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
    Provider("deepseek", "openai", "deepseek-chat", "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"),
    Provider("xai", "openai", "grok-4", "XAI_API_KEY", "https://api.x.ai/v1"),
)
OFFLINE = Provider("offline", "scripted", "none", note="no key and no Ollama was found; this one needs neither")


def with_keys(environ: Mapping[str, str]) -> tuple[Provider, ...]:
    """Return the providers whose keys the environment holds."""
    return tuple(provider for provider in PROVIDERS if environ.get(provider.variable, "").strip())


def compose(providers: Sequence[Provider]) -> str:
    """Return a configuration with these providers; the agents use the first, or the offline one if there is none."""
    chosen = providers[0] if providers else OFFLINE
    backends = "\n".join(_backend(provider) for provider in providers or (OFFLINE,))
    examples = [text for type, text in _EXAMPLES.items() if type not in {provider.type for provider in providers}]
    fallback = f"  # or {json.dumps([provider.name for provider in providers[:2]])}: the next one when the first fails"
    return _FILE.substitute(
        backends="\n".join([backends, *examples]),
        rules="" if providers else _RULES,
        backend=json.dumps(chosen.name),
        fallback=fallback if len(providers) > 1 else "",
        model=json.dumps(chosen.model),
    )


def _backend(provider: Provider) -> str:
    note = f"  # {provider.note}" if provider.note else ""
    lines = [f"[backends.{provider.name}]{note}", f'type = "{provider.type}"']
    if provider.base_url:
        lines.append(f"base_url = {json.dumps(provider.base_url)}")
    if provider.variable:
        lines.append(f'api_key = {{ env = "{provider.variable}" }}')
    return "\n".join(lines) + "\n"


_EXAMPLES = {
    "anthropic": """\
# [backends.anthropic]
# type = "anthropic"
# api_key = { env = "ANTHROPIC_API_KEY" }
""",
    "openai": """\
# [backends.openai]
# type = "openai"
# api_key = { env = "OPENAI_API_KEY" }
# base_url = "http://127.0.0.1:8000/v1"    # vLLM, llama.cpp, LM Studio, OpenRouter: whatever speaks OpenAI's protocols
""",
    "ollama": """\
# [backends.ollama]
# type = "ollama"
""",
}

_RULES = """
# It answers by rules, the first that fits, until you have a model.
[[backends.offline.rules]]
when = "(?i)time|date|day"
calls = [{ tool = "clock" }]

[[backends.offline.rules]]
after = "clock"
say = "The clock says {result}"

[[backends.offline.rules]]
say = "No model is here yet, only rules. You said: {text}"
"""

_FILE = Template("""\
# ClawMesh's configuration, written by `clawmesh init` and yours to change.
#
#   clawmesh config check              finds mistakes, before anything runs
#   clawmesh config show               what is in force, with all defaults
#   clawmesh ask helper "What time is it?"
#   clawmesh chat helper
#
# Editors complete and check this file when they know its schema:
#   clawmesh config schema > clawmesh.schema.json, and as the first line here: #:schema ./clawmesh.schema.json

# More files belong to this one if they are named here, or lie in the folder agents.d/ beside it.
# include = ["teams/*.toml"]


# ---- Backends: where models are -------------------------------------------------------------------------------------
# `type` is the protocol, the other keys are its own. A key is never written down, only where it is to be found:
#   { env = "NAME" }  an environment variable     { file = "key.txt" }  a file     { keyring = "service/user" }

$backends$rules

# ---- Agents ---------------------------------------------------------------------------------------------------------
# What stands here, every agent has that does not say it itself.
[defaults]
backend = $backend$fallback
model = $model

[defaults.limits]          # for one turn: from a message to its answer
steps = 16                 # model calls
seconds = "10m"
# tokens = 200_000         # all model calls together

[agents.helper]
description = "answers questions"              # what other agents know of it
instructions = \"\"\"
You are a helpful assistant. Answer briefly.
Use your tools for the time and for numbers, and ask the writer when a text is wanted.
\"\"\"
tools = ["clock", "calculator"]                # names, or patterns such as "notes_*"
peers = ["writer"]                             # agents it may ask; "*" is all of them

[agents.writer]
description = "writes clear, short prose"
instructions = "You write what you are asked for: clearly, and no longer than it has to be."
# instructions_file = "writer.md"              # longer ones have room in a file of their own
# temperature = 0.7


# ---- Tools and memory -----------------------------------------------------------------------------------------------
# A tool needs a table only if it has something to set. `clawmesh plugins list` shows what there is.
# [tools.fetch]
# type = "http_get"
# allow = ["example.com", "*.example.org"]

# With `memory = "notes"` an agent remembers, beyond one conversation.
# [memories.notes]
# type = "ram"


# ---- The rest has good defaults -------------------------------------------------------------------------------------
# [mesh]
# deadline = "10m"         # until a message has its outcome
# hops = 16                # how many agents one cause may pass through
# mailbox = 1000           # messages that may wait for one session
# workers = "auto"         # processes of `clawmesh serve`
# hibernate = "5m"         # how long a session rests before it leaves memory
# max_rss = 2000           # megabytes that one process may hold; by default its share of the machine

# [journal]
# keep = "90d"             # how long is kept on disk what has ended

# [api]
# host = "127.0.0.1"       # where `clawmesh serve` listens; any other needs certificate and key, or insecure = true
# port = 7411
# hosts = ["agents.example"]

# [http]
# proxy = "http://proxy.example:3128"
# ca_file = "company-ca.pem"

# [plugins]
# folder = "more-plugins"  # besides plugins/ beside this file
# disabled = ["http_get"]
""")
