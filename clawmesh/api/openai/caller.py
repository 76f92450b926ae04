"""Who asks, and for which agent and session."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from clawmesh.api.openai.fault import Fault, Rejection, invalid
from clawmesh.api.token import Token
from clawmesh.config.model import AgentConfig
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import UsageError
from clawmesh.ids import Ids
from clawmesh.mesh.address import Address
from clawmesh.server.request import Scope

SESSION, KEY = b"x-clawmesh-session", b"idempotency-key"
KEY_LENGTH = 255


class Caller(Struct, frozen=True):
    """What a request's header says: the token, the session to be kept, the idempotency key; "" where it does not."""

    token: Token
    session: str = ""
    key: str = ""

    @classmethod
    def of(cls, scope: Scope) -> Caller:
        """Read a request's header; raises Rejection where the key is longer than a key may be."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        key = headers.get(KEY, b"").decode("latin-1")
        if len(key) > KEY_LENGTH:
            raise invalid(f"the header Idempotency-Key is longer than {KEY_LENGTH} characters")
        return cls(scope["state"]["token"], headers.get(SESSION, b"").decode("latin-1"), key)

    def check(self, *scopes: str) -> None:
        """Raise Rejection unless the token has one of these scopes."""
        if not any(self.token.may(scope) for scope in scopes):  # type: ignore[arg-type]
            message = f'the token "{self.token.name}" may not do this: it lacks the scope {" or ".join(scopes)}'
            raise Rejection(Fault(status=403, message=message, type="permission_error", code="insufficient_scope"))

    def agent(self, name: str, agents: Mapping[str, AgentConfig]) -> AgentConfig:
        """Return the agent of a name; raises Rejection where this caller knows none."""
        agent = agents.get(name)
        if agent is None or not self.token.knows(name):
            near = did_you_mean(name, filter(self.token.knows, agents), otherwise="there are")
            message = f'there is no model "{name}"{near}'
            raise Rejection(Fault(status=404, message=message, param="model", code="model_not_found"))
        return agent


class Target(Struct, frozen=True):
    """The agent that a model's name means, and the session; `kept` is its name for the caller where it is kept."""

    agent: AgentConfig
    address: Address
    kept: str


def target(caller: Caller, model: str, conversation: str, agents: Mapping[str, AgentConfig], ids: Ids) -> Target:
    """Find the agent and the session.

    A session is kept that the header names, or the model as `agent/session`, or `conversation`. Otherwise the request
    gets a session of its own; what comes twice with one idempotency key has to meet itself there.

    Raises:
        Rejection: there is no such agent, a name is none, or two different ones are given.
    """
    name, _, session = model.partition("/")
    agent = caller.agent(name, agents)
    given = {each for each in (caller.session, session, conversation) if each}
    if len(given) > 1:
        raise invalid(f"the request names {len(given)} different sessions: {', '.join(sorted(given))}", "model")
    kept = next(iter(given), "")
    if not kept and caller.key:
        return Target(agent, caller.token.apart(name, caller.key), "")
    try:
        return Target(agent, caller.token.inside(name, kept or ids.new("chat")), kept)
    except UsageError as error:
        raise invalid(str(error), "model" if session else None) from error
