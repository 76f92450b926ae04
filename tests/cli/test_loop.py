"""What SIGINT and SIGTERM do to a command, whatever it is doing."""

from __future__ import annotations

import os
import signal

import anyio
import pytest

from clawmesh.cli.loop import Interrupt
from tests.cli.conftest import Person

# An agent whose code holds the event loop until there is a file, and then waits. It says when a signal was handled.
STUBBORN = """
import os
import signal
from pathlib import Path

import anyio
from clawmesh import Context, Message


def tell(number):
    handler = signal.getsignal(number)

    def handle(*facts):
        handler(*facts)
        os.write(2, b"heard\\n")

    signal.signal(number, handle)


async def stubborn(context: Context, message: Message) -> str:
    tell(signal.SIGINT)
    tell(signal.SIGTERM)
    os.write(2, b"begun\\n")
    while not Path(message.text.strip()).exists():
        pass
    await anyio.sleep_forever()


def register_agents():
    return {"stubborn": stubborn}
"""


@pytest.fixture
def stubborn(person: Person) -> Person:
    with (person.folder / "clawmesh.toml").open("a") as file:
        file.write('[agents.stubborn]\ntype = "stubborn"\n')
    person.plugin("stubborn", STUBBORN)
    return person


@pytest.mark.anyio
@pytest.mark.parametrize("again", [False, True])
async def test_a_signal_stops_what_waits(again: bool) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    try:
        with anyio.CancelScope() as scope, Interrupt(scope.cancel, again=again).on(signal.SIGUSR1):
            os.kill(os.getpid(), signal.SIGUSR1)
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert (signal.getsignal(signal.SIGUSR1) == before) is again
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.anyio
async def test_a_signal_that_was_heard_may_come_again() -> None:
    send, receive = anyio.create_memory_object_stream[None](2)
    with send, receive, Interrupt(lambda: send.send_nowait(None), again=True).on(signal.SIGUSR1):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGUSR1)
            await receive.receive()
        assert receive.statistics().current_buffer_used == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_busy_agent_is_stopped_as_soon_as_it_waits(stubborn: Person, number: signal.Signals) -> None:
    with stubborn.start("ask", "stubborn", "gate") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "begun\n"
        process.send_signal(number)
        assert process.stderr.readline() == "heard\n"
        (stubborn.folder / "gate").touch()
        _, errors = process.communicate()
    assert (process.returncode, errors.strip()) == (130, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("verb", [["ask", "stubborn"], ["chat", "stubborn"]], ids=["ask", "chat"])
def test_a_second_signal_ends_what_does_not_listen(stubborn: Person, verb: list[str], number: signal.Signals) -> None:
    with stubborn.start(*verb) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write("gate\n")
        process.stdin.flush()
        if verb[0] == "ask":
            process.stdin.close()
        assert process.stderr.readline() == "begun\n"
        process.send_signal(number)
        assert process.stderr.readline() == "heard\n"
        process.send_signal(number)
        assert process.wait() == 130
        assert process.stderr.read() == ""
