from __future__ import annotations

import os

import msgspec
import pytest

from clawmesh.errors import PluginError
from clawmesh.plugin.check import Finding, check
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.source import Source
from tests.plugin.workshop import Workshop

PLUGIN = """
from clawmesh import ToolError, tool

class Adder:
    'Add to a number.'
    def __init__(self, services, /, *, base: int = 10):
        self.base = base
        self.spec = ToolSpec(name='adder', description='Add.', parameters={
            'type': 'object', 'properties': {'n': {'type': 'integer'}}, 'required': ['n']})
    async def call(self, context, arguments):
        return str(self.base + arguments['n'])

from clawmesh import ToolSpec

@tool(effect='pure')
def half(number: int) -> float:
    'Halve.'
    if number == 0:
        raise ToolError('nothing to halve')
    return number / 2

async def echo(context, message, *, loud: bool = False):
    'Echo.'
    if message.text == 'ask':
        await context.mesh.ask('someone', 'hi')
    return message.text.upper() if loud else message.text

def register_tools(): return {'half': half, 'adder': Adder}
def register_agents(): return {'echo': echo}
def before_tool(call): pass

EXAMPLES = EXAMPLES_HERE
"""
GOOD = [
    {"tool": "half", "arguments": {"number": 3}, "result": 1.5},
    {"tool": "half", "arguments": {"number": 3}, "result": "1.5"},
    {"tool": "half", "arguments": {"number": 3}, "contains": "1."},
    {"tool": "half", "arguments": {"number": 3}},
    {"tool": "half", "arguments": {"number": 0}, "error": "nothing to halve"},
    {"tool": "half", "arguments": {}, "error": "number: missing"},
    {"tool": "adder", "arguments": {"n": 1}, "config": {"base": 5}, "result": 6},
    {"tool": "adder", "arguments": {"n": "1"}, "error": "do not fit"},
    {"agent": "echo", "message": "hi", "config": {"loud": True}, "result": "HI"},
    {"agent": "echo", "message": "ask", "error": "there is no other agent while examples run"},
]
BAD = [
    ({"tool": "half", "arguments": {"number": 3}, "result": 2}, "1.5", "2"),
    ({"tool": "half", "arguments": {"number": 3}, "result": "x"}, "1.5", "'x'"),
    ({"tool": "half", "arguments": {"number": 3}, "contains": "x"}, "1.5", "a text with 'x'"),
    ({"tool": "half", "arguments": {"number": 3}, "error": "x"}, "1.5", "an error with 'x'"),
    ({"tool": "half", "arguments": {"number": 0}}, "nothing to halve", "no error"),
    ({"tool": "halve"}, 'the plugin registers no tool "halve"; did you mean "half"?', "no error"),
    ({"tool": "adder", "config": {"bass": 1}}, "the example's config does not fit: bass: unknown key", "no error"),
]


def checked(workshop: Workshop, examples: object) -> Finding:
    path = workshop.write("mine.py", PLUGIN.replace("EXAMPLES_HERE", repr(examples)))
    return check(Source.at(path), workshop.folders, os.environ)


def test_a_plugin_is_described_and_its_examples_run_though_it_is_not_trusted(workshop: Workshop) -> None:
    finding = checked(workshop, GOOD)
    assert [verdict for verdict in finding.examples if not verdict.ok] == []
    assert (finding.ok, len(finding.examples)) == (True, len(GOOD))
    assert finding.hooks == ["before_tool (mine)"]
    assert [msgspec.to_builtins(offer) for offer in finding.offers] == [
        {
            "kind": "tool",
            "name": "half",
            "description": "Halve.",
            "effect": "pure",
            "schema": {
                "type": "object",
                "properties": {"number": {"type": "integer"}},
                "required": ["number"],
                "additionalProperties": False,
            },
            "config": {},
        },
        {
            "kind": "tool",
            "name": "adder",
            "description": "Add.",
            "effect": "unsafe",
            "schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
            "config": {
                "type": "object",
                "properties": {"base": {"type": "integer", "default": 10}},
                "additionalProperties": False,
            },
        },
        {
            "kind": "agent",
            "name": "echo",
            "description": "Echo.",
            "effect": "",
            "schema": {},
            "config": {
                "type": "object",
                "properties": {"loud": {"type": "boolean", "default": False}},
                "additionalProperties": False,
            },
        },
    ]


def test_an_example_that_fails_says_what_was_found_and_expected(workshop: Workshop) -> None:
    finding = checked(workshop, [example for example, _, _ in BAD])
    assert not finding.ok
    for verdict, (_, found, expected) in zip(finding.examples, BAD, strict=True):
        assert not verdict.ok
        assert verdict.found.startswith(found)
        assert verdict.expected == expected


@pytest.mark.parametrize(
    ("examples", "reason"),
    [
        ({"tool": "half"}, "EXAMPLES is wrong: Expected `array`, got `object`"),
        ([{"tol": "half"}], "EXAMPLES is wrong: Object contains unknown field `tol` - at `$[0]`"),
    ],
)
def test_examples_that_are_none_are_named(workshop: Workshop, examples: object, reason: str) -> None:
    finding = checked(workshop, examples)
    assert not finding.ok
    assert finding.reason.startswith(reason)
    assert finding.reason.endswith("the keys are tool, agent, arguments, message, config, result, contains, error")


def test_a_plugin_that_does_not_load_says_why(workshop: Workshop) -> None:
    path = workshop.write("mine.py", "1 / 0")
    finding = check(Source.at(path), workshop.folders, os.environ)
    assert (finding.ok, finding.reason) == (False, "mine.py, line 1: ZeroDivisionError: division by zero")
    assert "1 / 0" in finding.traceback


def test_a_file_that_others_can_write_is_not_run(workshop: Workshop) -> None:
    path = workshop.write("mine.py", PLUGIN)
    path.chmod(0o666)
    with pytest.raises(PluginError, match="can be written by everyone"):
        check(Source.at(path), workshop.folders, os.environ)


@pytest.mark.parametrize("name", ["clock", "calculator", "ram", "http_get", "scripted"])
def test_every_bundled_plugin_passes(workshop: Workshop, name: str) -> None:
    folders = Folders.of(workshop.root / "data")
    finding = check(folders.source(name), folders, os.environ)
    assert (finding.ok, finding.reason) == (True, "")
