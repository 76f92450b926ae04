"""`clawmesh replay`: a turn once more, from the journal alone."""

from __future__ import annotations

import argparse
from random import Random
from typing import TYPE_CHECKING

from msgspec import to_builtins

from clawmesh.abc.context import Context, Services
from clawmesh.agent.replay import Replayed, replay
from clawmesh.agent.story import read
from clawmesh.cli.archive import archived
from clawmesh.cli.console import Console
from clawmesh.cli.identity import identify
from clawmesh.cli.loop import run
from clawmesh.cli.opening import configured
from clawmesh.cli.view import View
from clawmesh.clock import SystemClock
from clawmesh.config.agents import LLM
from clawmesh.config.location import locate
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import UsageError
from clawmesh.http.transport import open_transport
from clawmesh.ids import Ids
from clawmesh.plugin.example import NoPeers

if TYPE_CHECKING:
    from clawmesh.abc.journal import Story
    from clawmesh.config.model import AgentConfig


def again(arguments: argparse.Namespace, console: Console) -> int:
    """Run a turn again with the replies and results of the journal; 1 if it does not come to the same."""
    config = configured(arguments, console)
    with archived(arguments, console) as archive:
        story = archive.story(identify(archive, arguments.id))
    name = read(story).envelope.to.partition("/")[0]
    agent = config.agents.get(name)
    if agent is None:
        near = did_you_mean(name, config.agents, otherwise="there are")
        raise UsageError(f'the agent "{name}" of this turn is not in the configuration any more{near}')
    if agent.type != LLM:
        raise UsageError(f'the agent "{name}" is written as code: only turns with a model can be replayed')
    view = View(console)

    async def main() -> Replayed:
        return await _replayed(story, agent, arguments, console, view)

    replayed = run(main)
    if console.as_json:
        console.json({**to_builtins(replayed), "same": not replayed.difference})
    else:
        view.finish(replayed.messages[-1].text)
        console.note(f"clawmesh: {replayed.difference or 'replayed from the journal: it came to the same'}")
    return 1 if replayed.difference else 0


async def _replayed(
    story: Story, agent: AgentConfig, arguments: argparse.Namespace, console: Console, view: View
) -> Replayed:
    clock = SystemClock()
    places = locate(arguments.config, arguments.data, console.environ)
    async with open_transport() as transport:
        services = Services(transport, clock, Ids(clock), Random(), places.data)  # noqa: S311 - nothing is drawn
        context = Context(read(story).envelope.to, story[0].envelope, NoPeers(), services, view.piece)
        return await replay(story, agent, context)
