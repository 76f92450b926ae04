"""The protocol's data objects in their JSON form.

Source: A2A specification 1.0, section 4 "Protocol Data Model", section 5.5 (names in camelCase, enumerations by their
names in the Protocol Buffer definition) and section 5.7 (fields that are not known are ignored).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import UNSET, Struct, UnsetType

VERSION = "1.0"
# What an object of a caller's own holds is not ours to rename.
OWN = frozenset({"data", "metadata", "params"})
SNAKE = re.compile(r"_+([a-z0-9])")
DEEPEST = 64


class State(StrEnum):
    """What has become of a task; section 4.1.3."""

    SUBMITTED = "TASK_STATE_SUBMITTED"
    WORKING = "TASK_STATE_WORKING"
    COMPLETED = "TASK_STATE_COMPLETED"
    FAILED = "TASK_STATE_FAILED"
    CANCELED = "TASK_STATE_CANCELED"
    INPUT_REQUIRED = "TASK_STATE_INPUT_REQUIRED"
    REJECTED = "TASK_STATE_REJECTED"
    AUTH_REQUIRED = "TASK_STATE_AUTH_REQUIRED"


TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELED, State.REJECTED})


class Role(StrEnum):
    """Who said something; section 4.1.5."""

    USER = "ROLE_USER"
    AGENT = "ROLE_AGENT"


class Value(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An object of the protocol: what has its default is left out."""


class Part(Value, frozen=True, kw_only=True):
    """A piece of content; one of `text`, `raw`, `url` and `data` is set. Section 4.1.6."""

    text: str | None = None
    raw: bytes | None = None
    url: str | None = None
    data: Any | UnsetType = UNSET
    filename: str = ""
    media_type: str = ""


class Message(Value, frozen=True, kw_only=True):
    """What one side says to the other; section 4.1.4."""

    message_id: str
    role: Role
    parts: tuple[Part, ...]
    context_id: str = ""
    task_id: str = ""
    reference_task_ids: tuple[str, ...] = ()


class Artifact(Value, frozen=True, kw_only=True):
    """What a task has produced; section 4.1.7."""

    artifact_id: str
    parts: tuple[Part, ...]
    name: str = ""
    description: str = ""


class Status(Value, frozen=True, kw_only=True):
    """A task's state since a moment, an ISO 8601 time; section 4.1.2."""

    state: State
    message: Message | None = None
    timestamp: str = ""


class Task(Value, frozen=True, kw_only=True):
    """A unit of work; section 4.1.1."""

    id: str
    context_id: str = ""
    status: Status
    artifacts: tuple[Artifact, ...] = ()
    history: tuple[Message, ...] = ()


class StatusUpdate(Value, frozen=True, kw_only=True):
    """Tells a task's new state; section 4.2.1."""

    task_id: str
    context_id: str
    status: Status


class ArtifactUpdate(Value, frozen=True, kw_only=True):
    """Tells a piece of an artifact, which goes after what is known of it where `append` says so; section 4.2.2."""

    task_id: str
    context_id: str
    artifact: Artifact
    append: bool = False
    last_chunk: bool = False


class Event(Value, frozen=True, kw_only=True):
    """One thing told on a stream or to a webhook, exactly one field of it; section 3.2.3."""

    task: Task | None = None
    message: Message | None = None
    status_update: StatusUpdate | None = None
    artifact_update: ArtifactUpdate | None = None


class Authentication(Value, frozen=True, kw_only=True):
    """How a webhook knows us, as an HTTP authentication scheme; section 4.3.2."""

    scheme: str
    credentials: str = ""


class PushConfig(Value, frozen=True, kw_only=True):
    """Where a task's updates are sent; section 4.3.1."""

    url: str
    id: str = ""
    task_id: str = ""
    tenant: str = ""
    token: str = ""
    authentication: Authentication | None = None


class Interface(Value, frozen=True, kw_only=True):
    """One way to an agent; section 4.4.6."""

    url: str
    protocol_binding: str
    protocol_version: str
    tenant: str = ""


class Capabilities(Value, frozen=True, kw_only=True):
    """What of the protocol an agent can do; section 4.4.3."""

    streaming: bool | None = None
    push_notifications: bool | None = None
    extended_agent_card: bool | None = None


class Skill(Value, frozen=True, kw_only=True):
    """What an agent is good for; section 4.4.5."""

    id: str
    name: str
    description: str
    tags: tuple[str, ...]


class Card(Value, frozen=True, kw_only=True):
    """What an agent says of itself; section 4.4.1."""

    name: str
    description: str
    supported_interfaces: tuple[Interface, ...]
    version: str
    capabilities: Capabilities
    default_input_modes: tuple[str, ...]
    default_output_modes: tuple[str, ...]
    skills: tuple[Skill, ...]
    security_schemes: Mapping[str, Any] = {}
    security_requirements: tuple[Mapping[str, Any], ...] = ()


def tidy(value: Any, depth: int = 0) -> Any:
    """Return JSON as this protocol's objects are read: null is what is not there, and snake_case is camelCase.

    Source: ProtoJSON, which parsers of the protocol accept both from (A2A ADR-001).

    Raises:
        RecursionError: it is nested deeper than any of them is.
    """
    if depth > DEEPEST:
        raise RecursionError("it is nested too deeply")
    if isinstance(value, dict):
        named = {SNAKE.sub(lambda found: found[1].upper(), key): each for key, each in value.items()}
        return {
            key: each if key in OWN else tidy(each, depth + 1)
            for key, each in named.items()
            if each is not None or key == "data"
        }
    if isinstance(value, list):
        return [tidy(each, depth + 1) for each in value]
    return value
