"""Every error that ClawMesh raises, in one tree.

ClawmeshError
├── ConfigError               the configuration is wrong; carries every problem found
├── UsageError                the command line or an API call asks for something that cannot be meant
│   └── UnknownError          it names something that is not there
├── PluginError               a plugin file cannot be loaded, trusted or installed
├── StorageError              the disk, the data directory or the journal refuses
│   └── HeldError             another process holds the data directory
├── JointError                another process of this mesh cannot be reached, or does not speak as this one does
│   └── VersionError          it is another version of ClawMesh
├── TransportError            an exchange over HTTP did not complete
│   ├── ConnectError          no connection could be made: nothing was sent
│   ├── ConnectionLostError   the connection ended before the response was complete
│   ├── FramingError          the peer does not speak HTTP/1.1 as RFC 9112 says
│   ├── OversizeError         a header, line or body is larger than its bound
│   ├── TransportTimeoutError a deadline of the exchange passed
│   ├── ResourceError         this process has no connection or file descriptor left
│   ├── URLError              the URL, method or header cannot be sent
│   └── EgressError           the address or URL is not allowed
├── BackendError              a model call failed; `retry` says what may be done
│   ├── BadRequestError       400, 413, 422 and other 4xx: the request itself is wrong
│   │   └── ContextOverflowError  the request does not fit the model's context window
│   ├── AuthenticationError   401: the key is missing or wrong
│   ├── PermissionDeniedError 403: the key may not do this
│   ├── NotFoundError         404: no such model or path
│   ├── ConflictError         409: try again
│   ├── QuotaError            402 or an exhausted spend limit: trying again is useless
│   ├── RateLimitError        429: too many requests or tokens
│   ├── ServerError           5xx
│   │   └── OverloadedError   503, 529: the provider sheds load
│   ├── ReplyError            the answer cannot be understood
│   │   └── TruncatedReplyError   the stream ended without its terminal event
│   └── UnreachableError      the provider could not be reached or fell silent
├── ToolError                 a tool failed; the model is told and may go on
│   └── ArgumentError         the arguments do not fit the tool's schema
└── MeshError                 an envelope did not reach an answer
    ├── RefusedError          policy says no
    │   ├── LimitError        a limit on steps, tokens, time or money is reached
    │   ├── RingError         delivering would close a ring of agents waiting for each other
    │   └── PeerError         the agent may not talk to that address
    ├── FullError             a mailbox has no room before the deadline
    ├── BusyError             the mesh lets nothing in at present; try again later
    ├── ExpiredError          the deadline passed before the answer
    ├── WithdrawnError        who sent it took it back
    └── FailedError           the receiver's turn failed
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace


class ClawmeshError(Exception):
    """Root of the tree; `exit_code` is what the command line ends with."""

    exit_code = 1


class Problem(Struct, frozen=True):
    """One fault in a configuration: where it is, what was found, what was expected."""

    message: str
    file: str = ""
    line: int = 0
    table: str = ""
    key: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        where = ".".join(name for name in (self.table, self.key) if name)
        return f"{place}{where}: {self.message}" if where else f"{place}{self.message}"


class ConfigError(ClawmeshError):
    """The configuration is wrong; `problems` holds all that was found."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class UsageError(ClawmeshError):
    """The caller asks for something that does not exist or cannot be meant."""

    exit_code = 2


class UnknownError(UsageError):
    """The caller names something that is not there."""


class PluginError(ClawmeshError):
    """A plugin cannot be loaded, trusted or installed; `plugin` is its name."""

    def __init__(self, message: str, *, plugin: str = "") -> None:
        super().__init__(message)
        self.plugin = plugin


class StorageError(ClawmeshError):
    """The disk or the data directory refuses."""


class HeldError(StorageError):
    """Another process holds the data directory."""


class JointError(ClawmeshError):
    """Another process of this mesh cannot be reached, or does not speak as this one does."""


class VersionError(JointError):
    """Another process of this mesh is another version of ClawMesh."""


class TransportError(ClawmeshError):
    """An exchange over HTTP did not complete."""


class ConnectError(TransportError):
    """No connection could be made: nothing was sent."""


class ConnectionLostError(TransportError):
    """The connection ended before the response was complete."""


class FramingError(TransportError):
    """The peer does not speak HTTP/1.1 as RFC 9112 says."""


class OversizeError(TransportError):
    """A header, line or body is larger than its bound."""


class TransportTimeoutError(TransportError):
    """A deadline of the exchange passed; `phase` is wait, connect, head, silence or total."""

    def __init__(self, message: str, *, phase: str) -> None:
        super().__init__(message)
        self.phase = phase


class ResourceError(TransportError):
    """This process has no connection or file descriptor left."""


class URLError(TransportError):
    """The URL, method or header cannot be sent."""


class EgressError(TransportError):
    """The address or URL is not allowed."""


class Recourse(StrEnum):
    """What may follow a failed model call."""

    RETRY = "retry"
    FALLBACK = "fallback"
    NONE = "none"


class Failure(Struct, frozen=True):
    """What is known of a failed model call.

    `retry_after` is in seconds; `code` is the provider's own word for the fault; `recourse` is set when the
    provider itself says whether to try again (`x-should-retry`) and overrules the error's type.
    """

    backend: str = ""
    status: int = 0
    code: str = ""
    request_id: str = ""
    retry_after: float | None = None
    recourse: Recourse | None = None


class BackendError(ClawmeshError):
    """A model call failed."""

    default_recourse = Recourse.FALLBACK

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.failure = failure or Failure()

    def __str__(self) -> str:
        return f"{self.failure.backend}: {self.message}" if self.failure.backend else self.message

    @property
    def recourse(self) -> Recourse:
        return self.failure.recourse or self.default_recourse

    def named(self, backend: str) -> BackendError:
        """Return the same error with the backend's name from the configuration."""
        error = type(self)(self.message, replace(self.failure, backend=backend))
        error.__cause__ = self.__cause__
        return error


class BadRequestError(BackendError):
    """400, 413, 422 and other 4xx: the request itself is wrong, here and at any other backend."""

    default_recourse = Recourse.NONE


class ContextOverflowError(BadRequestError):
    """The request does not fit the model's context window."""

    default_recourse = Recourse.FALLBACK


class AuthenticationError(BackendError):
    """401: the key is missing or wrong."""


class PermissionDeniedError(BackendError):
    """403: the key may not do this."""


class NotFoundError(BackendError):
    """404: there is no such model or path."""


class ConflictError(BackendError):
    """409: the provider asks to try again."""

    default_recourse = Recourse.RETRY


class QuotaError(BackendError):
    """402, or a spend limit is exhausted: trying again is useless."""


class RateLimitError(BackendError):
    """429: too many requests or tokens."""

    default_recourse = Recourse.RETRY


class ServerError(BackendError):
    """5xx: the provider failed."""

    default_recourse = Recourse.RETRY


class OverloadedError(ServerError):
    """503 or 529: the provider sheds load."""


class ReplyError(BackendError):
    """The answer cannot be understood."""

    default_recourse = Recourse.RETRY


class TruncatedReplyError(ReplyError):
    """The stream ended without its terminal event: half an answer is no answer."""


class UnreachableError(BackendError):
    """The provider could not be reached, or fell silent."""

    default_recourse = Recourse.RETRY


class ToolError(ClawmeshError):
    """A tool failed; its message goes back to the model, which may go on."""


class ArgumentError(ToolError):
    """The arguments do not fit the tool's schema."""


class MeshError(ClawmeshError):
    """An envelope did not reach an answer."""


class RefusedError(MeshError):
    """Policy says no."""

    exit_code = 3


class LimitError(RefusedError):
    """A limit on steps, tokens, time or money is reached; `limit` is its key in the configuration."""

    def __init__(self, message: str, *, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


class RingError(RefusedError):
    """Delivering would close a ring of agents that wait for each other."""


class PeerError(RefusedError):
    """The agent may not talk to that address."""


class FullError(MeshError):
    """A mailbox has no room before the deadline."""


class BusyError(MeshError):
    """The mesh lets nothing in at present: it is overloaded, short of memory, or closing; try again later."""


class ExpiredError(MeshError):
    """The deadline passed before the answer."""


class WithdrawnError(MeshError):
    """Who sent it took it back before the answer."""


class FailedError(MeshError):
    """The receiver's turn failed; the reason is in the message."""
