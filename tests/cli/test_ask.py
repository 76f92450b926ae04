"""`ask` with the built executable."""

from __future__ import annotations

import base64
import json
import signal
import subprocess

import pexpect
import pytest

from tests.cli.conftest import Person

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_the_answer_alone_goes_into_a_pipe(person: Person) -> None:
    done = person.run("ask", "teller", "What is it?")
    assert done.stdout == "It is 42.\n"
    assert done.stderr == ""


def test_the_message_may_come_from_a_pipe(person: Person) -> None:
    assert person.run("ask", "echo", stdin="from a pipe").stdout == "You said: from a pipe\n"
    assert person.run("ask", "echo", "-", stdin="and so\n").stdout == "You said: and so\n\n"


def test_json_tells_everything(person: Person) -> None:
    answer = person.json("ask", "teller/mine", "What is it?")
    assert answer["text"] == "It is 42."
    assert answer["session"] == "teller/mine"
    assert answer["stop"] == "end"
    assert answer["backend"] == "script"
    assert answer["steps"] == 2
    assert answer["usage"]["total_tokens"] > 0
    (call,) = answer["tool_calls"]
    assert call["name"] == "calculator"
    assert call["arguments"] == '{"expression": "6 * 7"}'
    assert call["result"] == "42"
    assert call["failed"] is False


def test_an_unknown_agent_is_a_usage_error(person: Person) -> None:
    done = person.run("ask", "eco", "hi", code=2)
    assert done.stderr == 'clawmesh: there is no agent "eco"; did you mean "echo"?\n'
    assert done.stdout == ""


def test_a_limit_is_a_refusal(person: Person) -> None:
    done = person.run("ask", "short", "hi", code=3)
    assert done.stderr == "clawmesh: no answer after 1 model calls ([limits] steps)\n"


def test_a_failed_backend_is_a_failure(person: Person) -> None:
    done = person.run("ask", "busy", "hi", code=1)
    assert done.stderr == "clawmesh: script: the script says: quota\n"


def test_an_error_is_json_too(person: Person) -> None:
    answer = json.loads(person.run("--json", "ask", "busy/s", "hi", code=1).stdout)
    fault = {
        "type": "QuotaError",
        "message": "script: the script says: quota",
        "backend": "script",
        "status": 0,
        "code": "",
    }
    assert answer.pop("id").startswith("env_")
    assert answer == {"session": "busy/s", "error": fault, "tool_calls": []}
    limited = json.loads(person.run("--json", "ask", "short", "hi", code=3).stdout)
    assert limited["error"] == {"type": "LimitError", "message": "no answer after 1 model calls ([limits] steps)"}
    assert limited["tool_calls"][0]["result"] == "42"
    unknown = json.loads(person.run("--json", "ask", "nobody", "hi", code=2).stdout)
    assert unknown["error"]["type"] == "UnknownError"


def test_a_deadline_ends_the_wait(person: Person) -> None:
    done = person.run("ask", "slow", "hi", "--seconds", "0.2", code=1)
    assert "before the deadline" in done.stderr


def test_no_message_and_no_configuration_are_said_clearly(person: Person) -> None:
    assert person.run("ask", "echo", stdin=" \n", code=2).stderr == "clawmesh: the message is empty\n"
    (person.folder / "clawmesh.toml").unlink()
    assert "'clawmesh init' writes one" in person.run("ask", "echo", "hi", code=2).stderr


def test_images_are_looked_at_before_they_are_sent(person: Person) -> None:
    (person.folder / "pixel.png").write_bytes(PIXEL)
    (person.folder / "notes.txt").write_text("no image")
    assert person.run("ask", "echo", "look", "--image", "pixel.png").stdout == "You said: look\n"
    assert (
        "notes.txt is no image that models read"
        in person.run("ask", "echo", "x", "--image", "notes.txt", code=2).stderr
    )
    assert "cannot read the image gone.png" in person.run("ask", "echo", "x", "--image", "gone.png", code=2).stderr


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_cleanly(person: Person, interrupt: signal.Signals) -> None:
    with person.terminal("ask", "slow", "hi") as terminal:
        terminal.expect("one")
        terminal.kill(interrupt)
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 130
    assert "Traceback" not in str(terminal.before)


def test_a_terminal_sees_the_answer_arrive(person: Person) -> None:
    with person.terminal("ask", "teller", "What is it?") as terminal:
        terminal.expect_exact("I count.")
        terminal.expect_exact('calculator(expression="6 * 7") → 42')
        terminal.expect_exact("It is 42.")
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 0


def test_a_reader_that_goes_ends_the_command(person: Person) -> None:
    script = f"{person.executable} demo | head -n 2"
    done = subprocess.run(
        ["bash", "-c", script], env=person.environ, cwd=person.folder, capture_output=True, timeout=50
    )
    assert b"How much memory" in done.stdout
    assert done.stderr.strip() == b""


def test_what_is_not_utf_8_is_refused(person: Person) -> None:
    assert "is not UTF-8" in person.run("ask", "echo", "caf\udce9", code=2).stderr
    assert person.run("ask", "echo", stdin="caf\udce9", code=2).stderr == "clawmesh: standard input is not UTF-8\n"
    done = person.run("chat", "echo", stdin="caf\u00e9\ncaf\udce9\n", code=2)
    assert done.stdout == "You said: caf\u00e9\n"
    assert done.stderr == "clawmesh: standard input, line 2: is not UTF-8\n"


BACKEND = """
from clawmesh import Message, Reply, Usage


class Backend:
    async def complete(self, request, emit):
        return Reply(message=Message.assistant("caf\\u00e9 \\ud800"), stop=request.model, usage=Usage(), model="m")


def ender(services, /):
    \"\"\"End as the model's name says.\"\"\"
    return Backend()


def register_backends():
    return {"ender": ender}
"""


@pytest.fixture
def ender(person: Person) -> Person:
    """With an agent for each reason to end."""
    with (person.folder / "clawmesh.toml").open("a") as file:
        for stop in ("refusal", "content_filter", "length", "end"):
            file.write(f'[agents.{stop}]\nbackend = "ender"\nmodel = "{stop}"\n')
        file.write('[backends.ender]\ntype = "ender"\n')
    person.plugin("ender", BACKEND)
    return person


@pytest.mark.parametrize(
    ("stop", "note"),
    [
        ("refusal", "clawmesh: the model refused\n"),
        ("content_filter", "clawmesh: the provider's filter ended the answer\n"),
        ("length", "clawmesh: the answer was cut off at max_tokens\n"),
        ("end", ""),
    ],
)
def test_why_an_answer_ended_early_is_said(ender: Person, stop: str, note: str) -> None:
    done = ender.run("ask", stop, "hi")
    assert done.stderr == note
    assert done.stdout == "caf\u00e9 \ufffd\n"


def test_json_says_what_a_person_reads(ender: Person) -> None:
    done = ender.run("ask", "end", "hi", "--json")
    assert json.loads(done.stdout)["text"] == "caf\u00e9 \ufffd"


def test_what_cannot_be_written_is_said_in_a_line(person: Person) -> None:
    words = ["bash", "-c", f"{person.executable} ask echo hi > /dev/full"]
    done = subprocess.run(words, env=person.environ, cwd=person.folder, capture_output=True, text=True, timeout=50)
    assert done.returncode == 1
    assert done.stderr == "clawmesh: the output cannot be written: No space left on device\n"


def test_what_a_plugin_prints_is_no_part_of_the_answer(person: Person) -> None:
    person.plugin("noisy", "print('at import')\ndef before_model(): print('at work')\n")
    done = person.run("--json", "ask", "echo", "hi")
    assert json.loads(done.stdout)["text"] == "You said: hi"
    assert "at import\n" in done.stderr
    assert "at work\n" in done.stderr


def test_an_image_that_is_no_file_is_not_read(person: Person) -> None:
    for name in ("/dev/zero", "."):
        assert "the image" in person.run("ask", "echo", "x", "--image", name, code=2).stderr


def test_an_error_begins_on_a_line_of_its_own(person: Person) -> None:
    with person.terminal("ask", "slow", "hi", "--seconds", "0.5") as terminal:
        terminal.expect_exact("one\r\nclawmesh: ")
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 1


def test_the_end_of_the_terminal_ends_the_command(person: Person) -> None:
    with person.terminal("ask", "slow", "hi") as terminal:
        terminal.expect("one")
        terminal.kill(signal.SIGHUP)
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 130
