"""The configuration as values: what a TOML file says, checked and complete."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from clawmesh.config.mark import Duration, Lone
from clawmesh.config.source import Place

Positive = Annotated[int, Meta(ge=1)]
Wait = Annotated[Duration, Meta(gt=0)]
DAY = 86_400.0


class Component(Struct, frozen=True):
    """A named backend, tool or memory: its plugin's key and the arguments for it, not yet checked against it."""

    name: str
    type: str
    arguments: Mapping[str, Any]
    place: Place


class BackendSettings(Struct, frozen=True):
    """What every backend's table may say, besides what its plugin asks for.

    model: the model for agents that name none, and for those which fall back to this backend
    """

    model: str = ""


class Limits(Struct, frozen=True):
    """What one turn may use.

    steps: model calls in one turn
    tokens: input and output tokens of one turn, all model calls together
    seconds: how long one turn may take
    parallel_tools: tool calls that run side by side
    tool_seconds: how long one tool call may take
    """

    steps: Positive = 16
    tokens: Positive | None = None
    seconds: Wait = 600.0
    parallel_tools: Positive = 8
    tool_seconds: Wait = 60.0


class ContextSettings(Struct, frozen=True):
    """What a model gets to see of the conversation.

    history: newest messages of the session that are kept
    """

    history: Positive = 200


class AgentSettings(Struct, frozen=True, kw_only=True):
    """What an agent's table says, or `[defaults]` for all of them.

    type: "llm", or the name of an agent written as code, whose own keys are then allowed here
    description: what the agent is for, in one sentence; other agents and clients see it
    backend: the backend's name, or several: each is tried when the one before it fails
    model: the model's name as the (first) backend knows it; not needed where the backend names one
    instructions: the system prompt
    instructions_file: a text file that holds the instructions
    tools: tools by name, or by pattern such as "notes_*"
    memory: the name of a memory
    peers: agents this one may talk to, by name or by pattern
    topics: topics whose messages this agent receives
    output_schema: a JSON Schema that every answer satisfies
    reasoning: how much the model thinks, such as "low" or "high"
    temperature: how freely the model chooses its words; most reasoning models refuse it
    top_p: the share of likely words to choose from
    max_tokens: the length of one model reply in tokens
    limits: what one turn may use
    context: what the model gets to see of the conversation
    """

    type: str = "llm"
    description: str = ""
    backend: Annotated[tuple[str, ...], Lone(), Meta(min_length=1)] = ()
    model: str = ""
    instructions: str = ""
    instructions_file: Path | None = None
    tools: tuple[str, ...] = ()
    memory: str | None = None
    peers: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    output_schema: Mapping[str, Any] | None = None
    reasoning: str = ""
    temperature: Annotated[float, Meta(ge=0)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Positive | None = None
    limits: Limits = Limits()
    context: ContextSettings = ContextSettings()


class AgentConfig(AgentSettings, frozen=True, kw_only=True):
    """One agent; `arguments` are the keys of an agent written as code, not yet checked against it."""

    name: str
    arguments: Mapping[str, Any] = {}
    place: Place


class MeshSettings(Struct, frozen=True):
    """How messages travel.

    deadline: how long a message may take to its outcome where the sender says nothing
    hops: how many agents one cause may pass through
    fanout: messages that may come of one cause, all agents together
    mailbox: messages that may wait for one session
    hibernate: how long a session rests before it leaves memory
    max_rss: megabytes of memory that one process may hold; sessions leave it before that, and at last nothing is let
        in; by default its share of four fifths of what there is
    workers: processes that 'clawmesh serve' spreads the sessions over; "auto" is one for each core, at most 8
    """

    deadline: Wait = 600.0
    hops: Positive = 16
    fanout: Positive = 10_000
    mailbox: Positive = 1000
    hibernate: Wait = 300.0
    max_rss: Positive | None = None
    workers: Annotated[int, Meta(ge=1, le=64)] | Literal["auto"] = "auto"


class JournalSettings(Struct, frozen=True):
    """What is kept on disk of what happened.

    keep: how long messages and their turns are kept after they have ended, and sessions that nobody uses; a day at
        least, since what resumes may need what ended before
    """

    keep: Annotated[Duration, Meta(ge=DAY)] = 90 * DAY


class PluginSettings(Struct, frozen=True):
    """Where plugins are.

    folder: a folder of plugin files, besides `plugins/` beside this file
    disabled: plugins that are not loaded
    """

    folder: Path | None = None
    disabled: tuple[str, ...] = ()


class HttpSettings(Struct, frozen=True):
    """How backends and tools reach the network.

    proxy: the proxy's URL, without a password in it; by default HTTPS_PROXY and its kin in the environment count
    ca_file: certificates of the authorities to trust, in PEM, instead of those of the system
    connections: connections to one server at the same time
    """

    proxy: str | None = None
    ca_file: Path | None = None
    connections: Positive | None = None


class ApiSettings(Struct, frozen=True):
    """Where 'clawmesh serve' is reached over HTTP, and what it takes.

    host: the address to listen at; any but this machine's own needs a certificate, or insecure
    port: the port to listen at, 0 for any that is free
    hosts: further names by which clients may call this server
    insecure: let tokens and messages travel readable between machines
    certificate: the certificate with its chain, in PEM
    key: its private key, in PEM
    connections: connections at the same time, for each worker
    body: megabytes that the body of one request may have
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 7411
    hosts: tuple[str, ...] = ()
    insecure: bool = False
    certificate: Path | None = None
    key: Path | None = None
    connections: Positive = 20_000
    body: Annotated[int, Meta(ge=1, le=1024)] = 32


class A2aSettings(Struct, frozen=True):
    """What clients that speak A2A may have this server do.

    push_networks: private networks that push notifications may be sent to, such as "10.2.0.0/16"
    """

    push_networks: tuple[str, ...] = ()


class Config(Struct, frozen=True):
    """The whole configuration. `path` is its main file, `files` are all that were read for it."""

    agents: Mapping[str, AgentConfig] = {}
    backends: Mapping[str, Component] = {}
    tools: Mapping[str, Component] = {}
    memories: Mapping[str, Component] = {}
    mesh: MeshSettings = MeshSettings()
    journal: JournalSettings = JournalSettings()
    plugins: PluginSettings = PluginSettings()
    http: HttpSettings = HttpSettings()
    api: ApiSettings = ApiSettings()
    a2a: A2aSettings = A2aSettings()
    path: Path | None = None
    files: tuple[Path, ...] = ()
