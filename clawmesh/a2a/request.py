"""What clients ask for: the parameters of each operation, and how they are read.

Source: A2A specification 1.0, section 3.2 and the request messages of its Protocol Buffer definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from clawmesh.a2a.fault import INVALID_PARAMS, A2aError
from clawmesh.a2a.values import Message, PushConfig, State, Value

T = TypeVar("T")
Length = Annotated[int, Meta(ge=0)]
PAGE, MOST = 50, 100
SECONDS = "clawmesh/seconds"
"""In a request's metadata: how long the answer may take; where it is not, `[mesh] deadline` counts."""
LONGEST = 86_400.0


class Configuration(Value, frozen=True, kw_only=True):
    """How a message is to be handled; section 3.2.2."""

    accepted_output_modes: tuple[str, ...] = ()
    task_push_notification_config: PushConfig | None = None
    history_length: Length | None = None
    return_immediately: bool = False


class Sending(Value, frozen=True, kw_only=True):
    """SendMessageRequest."""

    message: Message
    tenant: str = ""
    configuration: Configuration = Configuration()
    metadata: Mapping[str, Any] = {}

    @property
    def seconds(self) -> float | None:
        """How long the answer may take; raises A2aError where the metadata says so wrongly."""
        seconds = self.metadata.get(SECONDS)
        if seconds is None:
            return None
        if type(seconds) not in (int, float) or not 0 < seconds <= LONGEST:
            message = f"found {seconds!r}, expected seconds above 0, a day at most"
            raise A2aError(INVALID_PARAMS, message, field=f"metadata.{SECONDS}")
        return float(seconds)


class Named(Value, frozen=True, kw_only=True):
    """A request that names a task: GetTaskRequest, CancelTaskRequest, SubscribeToTaskRequest."""

    id: str
    tenant: str = ""
    history_length: Length | None = None


class Listing(Value, frozen=True, kw_only=True):
    """ListTasksRequest."""

    tenant: str = ""
    context_id: str = ""
    status: State | None = None
    page_size: Annotated[int, Meta(ge=1, le=MOST)] = PAGE
    page_token: str = ""
    history_length: Length | None = None
    status_timestamp_after: datetime | None = None
    include_artifacts: bool = False


class Configs(Value, frozen=True, kw_only=True):
    """A request about the push notification configurations of a task, or one of them."""

    task_id: str
    id: str = ""
    tenant: str = ""


class Tenancy(Value, frozen=True, kw_only=True):
    """What every request says: which agent is meant, where its address does not."""

    tenant: str = ""


def read(value: Any, type: type[T], *, loose: bool = False) -> T:
    """Return JSON as a request; `loose` reads numbers and truth from texts, as in a query.

    Raises:
        A2aError: it is none.
    """
    try:
        return msgspec.convert(value, type, strict=not loose)
    except (msgspec.ValidationError, RecursionError) as error:
        raise A2aError(INVALID_PARAMS, str(error)) from error
