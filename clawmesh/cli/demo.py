"""`clawmesh demo`: a team of agents at work, offline."""

from __future__ import annotations

import argparse
import tempfile
import time
from importlib.resources import files
from pathlib import Path

from clawmesh.app import App, open_app
from clawmesh.cli.console import Console
from clawmesh.cli.loop import run
from clawmesh.cli.stage import JsonStage, Stage
from clawmesh.config.load import parse
from clawmesh.config.location import Places
from clawmesh.errors import FailedError
from clawmesh.mesh.address import Address
from clawmesh.messages import Message

QUESTIONS = (
    "How much memory do 10,000 conversations need?",
    "How much memory was that again?",
)


def demo(arguments: argparse.Namespace, console: Console) -> int:
    """Show a team of agents: delegation, tools, memory, and an answer that streams."""
    text = files("clawmesh.cli").joinpath("demo.toml").read_text(encoding="utf-8")
    if arguments.print_config:
        console.print(text.rstrip("\n"))
        return 0
    if arguments.fast or console.as_json:
        text = text.replace("pace = 0.04", "pace = 0.0")

    async def main() -> int:
        with tempfile.TemporaryDirectory(prefix="clawmesh-demo-") as data:
            config, places = parse(text, console.environ), Places(config=None, data=Path(data))
            async with open_app(config, places, console.environ, console.error) as app:
                await _show(app, console, [arguments.message] if arguments.message else list(QUESTIONS))
        return 0

    return run(main)


async def _show(app: App, console: Console, questions: list[str]) -> None:
    stage = JsonStage(console) if console.as_json else Stage(console, list(app.config.agents))
    app.engine.watch(stage)
    began = time.monotonic()
    for question in questions:
        outcome = await app.engine.ask(Address("lead", "demo"), Message.user(question), sender="you")
        if outcome.message is None:
            raise outcome.error or FailedError("no answer")
    stage.close(time.monotonic() - began)
