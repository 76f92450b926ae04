"""`clawmesh token`: who may come in over HTTP."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from clawmesh.api.token import Token, Tokens
from clawmesh.cli.console import Console
from clawmesh.cli.phrase import ago, moment
from clawmesh.clock import SystemClock
from clawmesh.config import duration
from clawmesh.config.location import locate, prepare
from clawmesh.errors import UsageError


def create(arguments: argparse.Namespace, console: Console) -> int:
    """Make a token and print it, alone, since it is never shown again."""
    now = SystemClock().now()
    expires = now + _seconds(arguments.expires) if arguments.expires else None
    data = prepare(_data(arguments, console))
    secret = Tokens(data).create(arguments.name, arguments.scope or ["talk"], arguments.agent, now, expires)
    if console.as_json:
        console.json({"name": arguments.name, "token": secret})
        return 0
    console.print(secret)
    scopes = ", ".join(arguments.scope or ["talk"])
    console.note(f'"{arguments.name}" may {scopes}; the token is not shown again')
    return 0


def list_(arguments: argparse.Namespace, console: Console) -> int:
    """List the tokens; they themselves are nowhere kept."""
    tokens = Tokens(_data(arguments, console)).all()
    if console.as_json:
        console.json([_facts(token) for token in tokens])
        return 0
    if not tokens:
        console.note("there are no tokens; 'clawmesh serve' makes the first, 'clawmesh token create' more")
        return 0
    now = SystemClock().now()
    rows = [
        (token.name, ", ".join(token.scopes), _agents(token), ago(token.created), _end(token, now)) for token in tokens
    ]
    console.table(rows, head=("TOKEN", "SCOPES", "AGENTS", "MADE", "EXPIRES"))
    return 0


def revoke(arguments: argparse.Namespace, console: Console) -> int:
    """Make a token worthless at once, for answers under way too."""
    gone = Tokens(_data(arguments, console)).revoke(arguments.name)
    if console.as_json:
        console.json({"revoked": gone.name})
    else:
        console.print(f'the token "{gone.name}" opens nothing any more')
    return 0


def _data(arguments: argparse.Namespace, console: Console) -> Path:
    return locate(arguments.config, arguments.data, console.environ).data


def _seconds(text: str) -> float:
    seconds = duration.parse(text)
    if not seconds:
        raise UsageError(f'found --expires "{text}", expected a span of time such as 12h or 90d')
    return seconds


def _facts(token: Token) -> dict[str, Any]:
    return {
        "name": token.name,
        "scopes": token.scopes,
        "agents": token.agents,
        "created": token.created,
        "expires": token.expires,
    }


def _agents(token: Token) -> str:
    return ", ".join(token.agents) or "all"


def _end(token: Token, now: float) -> str:
    if token.expires is None:
        return "never"
    return "expired" if now >= token.expires else moment(token.expires)
