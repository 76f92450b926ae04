"""`clawmesh chat`: talk with an agent in a terminal."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Mapping
from pathlib import Path

import anyio

from clawmesh.cli.console import Console
from clawmesh.cli.loop import Interrupt, run
from clawmesh.cli.opening import compared, opened
from clawmesh.cli.prompt import lines
from clawmesh.cli.view import View
from clawmesh.cluster.access import Access
from clawmesh.config.location import locate
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import ClawmeshError, UsageError
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Ending, Outcome
from clawmesh.messages import Message, Usage

COMMANDS = {
    "/help": "this list",
    "/new": "begin a new session",
    "/agent NAME": "talk with another agent",
    "/agents": "list the agents",
    "/history": "show what was said in this session",
    "/usage": "show the tokens used so far",
    "/quit": "leave (as does Ctrl-D)",
}
SHOWN = 3
KEYS = (
    "Enter sends, Alt-Enter or Ctrl-J begins a new line, Ctrl-C stops the answer, Ctrl-D leaves. /help lists commands."
)


def chat(arguments: argparse.Namespace, console: Console) -> int:
    """Talk until the input ends; a failed or stopped turn ends only itself."""
    if console.as_json:
        raise UsageError("a chat has no JSON; ask one question after the other: clawmesh ask AGENT/SESSION --json")

    async def main() -> int:
        history = locate(arguments.config, arguments.data, console.environ).data / "chat_history"
        async with opened(arguments, console) as access:
            await compared(access, "", arguments, console)
            agents = (await access.status(""))["agents"]
            address = _first(agents, arguments.agent, access.ids.new("s"))
            await _Chat(access, console, agents, address).run(history)
        return 0

    return run(main)


def _first(agents: Mapping[str, str], name: str | None, session: str) -> Address:
    if name is None:
        count = len(agents)
        if count != 1:
            some = ", ".join([*list(agents)[:SHOWN], *(["…"] if count > SHOWN else [])])
            raise UsageError(f"say which of the {count} agents ({some}): clawmesh chat AGENT")
        name = next(iter(agents))
    return _known(agents, Address.parse(name, session=session))


def _known(agents: Mapping[str, str], address: Address) -> Address:
    if address.agent not in agents:
        near = did_you_mean(address.agent, agents, otherwise="there are")
        raise UsageError(f'there is no agent "{address.agent}"{near}')
    return address


class _Chat:
    def __init__(self, access: Access, console: Console, agents: Mapping[str, str], address: Address) -> None:
        self._access = access
        self._console = console
        self._agents = agents
        self._address = address
        self._usage = Usage()

    async def run(self, history: Path) -> None:
        if self._console.interactive:
            self._console.note(f"{self._address.agent} · {KEYS}")
        words = [command.split()[0] for command in COMMANDS]
        async for line in lines(history, words):
            if line.startswith("/"):
                if await self._command(*line.split(maxsplit=1)):
                    return
            elif line.strip():
                await self._turn(line)

    async def _turn(self, text: str) -> None:
        view = View(self._console)
        with anyio.CancelScope() as scope, Interrupt(scope.cancel, again=True).on(signal.SIGINT):
            outcome = await self._ask(text, view)
            if outcome.message is None:
                self._console.error(str(outcome.error))
                return
            view.finish(outcome.message.text)
            self._console.flush()
            if outcome.report:
                self._usage += outcome.report.usage
        if scope.cancelled_caught:
            self._console.note("\n[stopped]")

    async def _ask(self, text: str, view: View) -> Outcome:
        try:
            return await self._access.ask(self._address, Message.user(text), emit=view.piece)
        except ClawmeshError as error:
            return Outcome(Ending.FAILED, error=error)

    async def _command(self, name: str, rest: str = "") -> bool:
        """Run a slash command; True ends the chat."""
        match name:
            case "/quit" | "/exit":
                return True
            case "/new":
                self._address = Address(self._address.agent, self._access.ids.new("s"))
                self._console.note("new session")
            case "/agent" if rest:
                self._change(rest.strip())
            case "/agents":
                for name, description in self._agents.items():
                    self._console.note(f"{name}  {description}")
            case "/history":
                await self._history()
            case "/usage":
                self._console.note(f"{self._usage.input_tokens} tokens in, {self._usage.output_tokens} out")
            case _ if name != "/help":
                self._console.error(f"there is no command {name}; /help lists those that there are")
            case _:
                for command, meaning in COMMANDS.items():
                    self._console.note(f"{command:<12} {meaning}")
        return False

    async def _history(self) -> None:
        address = self._address
        try:
            messages = await self._access.query("history", address.session, address=str(address))
        except ClawmeshError as error:
            self._console.error(str(error))
            return
        for message in messages:
            self._console.note(f"{message['role']}: {message['text']}")

    def _change(self, name: str) -> None:
        try:
            self._address = _known(self._agents, Address.parse(name, session=self._access.ids.new("s")))
        except ClawmeshError as error:
            self._console.error(str(error))
            return
        self._console.note(f"talking with {self._address.agent}")
