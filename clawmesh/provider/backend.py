"""A backend over HTTP: what the protocols of all providers share."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from clawmesh.abc.backend import Reply, Request
from clawmesh.abc.context import Services
from clawmesh.errors import BackendError, TransportError
from clawmesh.http.limits import Deadlines
from clawmesh.messages import Emit
from clawmesh.provider.assembly import Voice
from clawmesh.provider.endpoint import Endpoint
from clawmesh.provider.response import Decoder, Response, unreachable


class Protocol(Struct, frozen=True):
    """One way of speaking to a model: `encode` writes a request, `decode` makes the reader of one answer.

    `lines` says that answers stream as lines of JSON instead of server-sent events.
    """

    encode: Callable[[Request], bytes]
    decode: Callable[[Voice], Decoder]
    lines: bool = False


class HttpBackend:
    """Sends requests over the host's transport; bytes go from the socket straight into the protocol's decoder."""

    def __init__(self, services: Services, endpoint: Endpoint, protocol: Protocol, deadlines: Deadlines) -> None:
        self._transport = services.transport
        self._clock = services.clock
        self._endpoint = endpoint
        self._target = endpoint.target
        self._protocol = protocol
        self._deadlines = deadlines

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Run one model call.

        Raises:
            BackendError: by type.
        """
        response = Response(self._protocol.decode(Voice(emit)), lines=self._protocol.lines, now=self._clock.now())
        try:
            await self._exchange(request, response)
            return response.finish()
        except BackendError as error:
            raise self._without_secrets(error) from error.__cause__

    async def _exchange(self, request: Request, response: Response) -> None:
        body = self._protocol.encode(request)
        try:
            await self._transport.exchange(self._target, body, response, self._limits(request.seconds))
        except TransportError as error:
            # What ends the connection after the answer's end, or within an error's text, takes nothing from either.
            if not response.decided:
                raise unreachable(error) from error

    def _limits(self, seconds: float | None) -> Deadlines:
        if seconds is None:
            return self._deadlines
        total = seconds if self._deadlines.total is None else min(seconds, self._deadlines.total)
        return replace(self._deadlines, total=total)

    def _without_secrets(self, error: BackendError) -> BackendError:
        message = str(error)
        safe = self._endpoint.hide(message)
        return error if safe == message else type(error)(safe, error.failure)
