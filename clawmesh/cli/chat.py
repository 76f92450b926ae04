"""`clawmesh chat`: talk with an agent in a terminal."""

from __future__ import annotations

import argparse
import signal

import anyio

from clawmesh.app import App
from clawmesh.cli.console import Console
from clawmesh.cli.loop import Interrupt, run
from clawmesh.cli.opening import opened
from clawmesh.cli.prompt import lines
from clawmesh.cli.view import View
from clawmesh.errors import ClawmeshError, UsageError
from clawmesh.mesh.address import Address
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
        async with opened(arguments, console) as app:
            await _Chat(app, console, _first(app, arguments.agent)).run()
        return 0

    return run(main)


def _first(app: App, name: str | None) -> Address:
    if name is None:
        count = len(app.config.agents)
        if count != 1:
            some = ", ".join([*list(app.config.agents)[:SHOWN], *(["…"] if count > SHOWN else [])])
            raise UsageError(f"say which of the {count} agents ({some}): clawmesh chat AGENT")
        name = next(iter(app.config.agents))
    return Address.parse(name, session=app.ids.new("s"))


class _Chat:
    def __init__(self, app: App, console: Console, address: Address) -> None:
        self._app = app
        self._console = console
        self._address = address
        self._usage = Usage()

    async def run(self) -> None:
        self._app.engine.check(self._address.agent)
        if self._console.interactive:
            self._console.note(f"{self._address.agent} · {KEYS}")
        words = [command.split()[0] for command in COMMANDS]
        async for line in lines(self._app.places.data / "chat_history", words):
            if line.startswith("/"):
                if await self._command(*line.split(maxsplit=1)):
                    return
            elif line.strip():
                await self._turn(line)

    async def _turn(self, text: str) -> None:
        view = View(self._console)
        with anyio.CancelScope() as scope, Interrupt(scope.cancel, again=True).on(signal.SIGINT):
            outcome = await self._app.engine.ask(self._address, Message.user(text), sender="user", emit=view.piece)
            if outcome.message is None:
                view.end_line()
                self._console.error(str(outcome.error))
                return
            view.finish(outcome.message.text)
            self._console.flush()
            if outcome.report:
                self._usage += outcome.report.usage
        if scope.cancelled_caught:
            self._console.note("\n[stopped]")

    async def _command(self, name: str, rest: str = "") -> bool:
        """Run a slash command; True ends the chat."""
        match name:
            case "/quit" | "/exit":
                return True
            case "/new":
                self._address = Address(self._address.agent, self._app.ids.new("s"))
                self._console.note("new session")
            case "/agent" if rest:
                self._change(rest.strip())
            case "/agents":
                for agent in self._app.config.agents.values():
                    self._console.note(f"{agent.name}  {agent.description}")
            case "/history":
                for message in (await self._app.roster.sessions.wake(self._address)).messages:
                    if message.text:
                        self._console.note(f"{message.role}: {message.text}")
            case "/usage":
                self._console.note(f"{self._usage.input_tokens} tokens in, {self._usage.output_tokens} out")
            case _ if name != "/help":
                self._console.error(f"there is no command {name}; /help lists those that there are")
            case _:
                for command, meaning in COMMANDS.items():
                    self._console.note(f"{command:<12} {meaning}")
        return False

    def _change(self, name: str) -> None:
        try:
            address = Address.parse(name, session=self._app.ids.new("s"))
            self._app.engine.check(address.agent)
        except ClawmeshError as error:
            self._console.error(str(error))
            return
        self._address = address
        self._console.note(f"talking with {address.agent}")
