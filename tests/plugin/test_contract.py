from __future__ import annotations

from typing import Any

import pytest

import clawmesh
from clawmesh.agent.peers import verbs
from clawmesh.agent.recollection import recollection
from clawmesh.errors import RefusedError
from clawmesh.messages import Text, ToolCall, ToolResult
from clawmesh.plugin.registration import RESERVED
from tests.plugin.workshop import Workshop

NOWHERE: Any = None
CALL, RESULT = ToolCall("1", "clock"), ToolResult("1", "clock", (Text("noon"),))
NAMES = (
    "after_model, after_tool, before_model, before_tool, "
    "register_agents, register_backends, register_memories, register_tools"
)
BROKEN = {
    "syntax": ("def register_tools(: pass", "broken.py, line 1: SyntaxError: invalid syntax"),
    "null byte": ("x = '\0'", "SyntaxError: source code string cannot contain null bytes"),
    "import": (
        "import nowhere_to_be_found",
        "broken.py, line 1: ModuleNotFoundError: No module named 'nowhere_to_be_found'; if it is a package, name it "
        "in a `# /// script` block and run: clawmesh plugins install broken",
    ),
    "import name": (
        "from clawmesh import nothing",
        "broken.py, line 1: ImportError: cannot import name 'nothing' from 'clawmesh' (CLAWMESH)",
    ),
    "exit": (
        "import sys\nsys.exit(3)",
        "broken.py, line 2: ends the program (SystemExit: 3); a plugin is imported, not run",
    ),
    "raises": ("def f():\n    return 1 / 0\nf()", "broken.py, line 2: ZeroDivisionError: division by zero"),
    "base exception": (
        "class Stop(BaseException): pass\nraise Stop('now')",
        "broken.py, line 2: Stop: now",
    ),
    "endless recursion": ("def f(): f()\nf()", "broken.py, line 1: RecursionError: maximum recursion depth exceeded"),
    "nothing": ("x = 1", f"defines no hook; a plugin has at least one of {NAMES}"),
    "misspelt hook": (
        "def register_tool(): return {}",
        'register_tool is no hook; did you mean "register_tools"?',
    ),
    "unknown before": (
        "def before_tools(call): pass",
        'before_tools is no hook; did you mean "before_tool"?',
    ),
    "marked and unknown": (
        "from clawmesh import hookimpl\n@hookimpl\ndef anything(): pass",
        f"anything is no hook; expected one of {NAMES}",
    ),
    "hook is a value": ("register_tools = {'a': len}", "register_tools is a dict, expected a function"),
    "hook is async": (
        "async def register_tools(): return {}",
        "register_tools is async; a hook is a plain function, async lives in what it returns",
    ),
    "hook is a generator": (
        "def register_tools(): yield {}",
        "register_tools is a generator or wrapper; a hook is a plain function that returns",
    ),
    "hook is a wrapper": (
        "from clawmesh import hookimpl\n@hookimpl(wrapper=True)\ndef before_tool(call):\n    return (yield)",
        "before_tool is a generator or wrapper; a hook is a plain function that returns",
    ),
    "hook parameter": (
        "def before_tool(context, tool): pass",
        'before_tool has an unknown parameter "tool"; it may take context, call',
    ),
    "register parameter": (
        "def register_tools(config): return {}",
        'register_tools has an unknown parameter "config"; it takes none',
    ),
    "hook star": (
        "def before_tool(*args): pass",
        'before_tool has the parameter "*args"; name plain parameters only',
    ),
    "hook raises": (
        "def register_tools():\n    raise ValueError('no')",
        "broken.py, line 2: ValueError: no",
    ),
    "returns None": (
        "def register_tools(): pass",
        "register_tools returned None, expected a mapping of names to callables",
    ),
    "returns a list": (
        "def register_tools(): return [len]",
        "register_tools returned a list, expected a mapping of names to callables",
    ),
    "key": (
        "def register_tools(): return {1: len}",
        "register_tools: the key 1 is an int, expected a string",
    ),
    "name": (
        "def register_tools(): return {'a b': len}",
        'register_tools: the name "a b" is not allowed; use letters, digits, _ and -, at most 64',
    ),
    "not callable": (
        "def register_backends(): return {'x': 'openai'}",
        'register_backends: "x" is a str and cannot be called; register a class or function that makes a backend',
    ),
    "instance": (
        "class Echo:\n    spec = None\n    async def call(self, context, arguments): pass\n"
        "def register_tools(): return {'x': Echo()}",
        'register_tools: "x" is an Echo and cannot be called; register its class',
    ),
    "async factory": (
        "async def x(): pass\ndef register_backends(): return {'x': x}",
        'register_backends: "x" is async; a factory is a plain function or class, async lives in what it makes',
    ),
    "factory star": (
        "def x(*args): pass\ndef register_backends(): return {'x': x}",
        'register_backends: "x" has the parameter "*args"; its signature is the schema, so name each one',
    ),
    "factory double star": (
        "def x(**options): pass\ndef register_memories(): return {'x': x}",
        'register_memories: "x" has the parameter "**options"; its signature is the schema, so name each one',
    ),
    "factory positional": (
        "def x(url): pass\ndef register_backends(): return {'x': x}",
        'register_backends: "x" has the positional parameter "url"; write `*, ` before what the configuration sets, '
        "and `services, /` for the host's services",
    ),
    "factory second positional": (
        "def x(services, url, /): pass\ndef register_backends(): return {'x': x}",
        'register_backends: "x" has the positional parameter "url"; write `*, ` before what the configuration sets, '
        "and `services, /` for the host's services",
    ),
    "factory hint missing": (
        "def x(*, url): pass\ndef register_backends(): return {'x': x}",
        'register_backends: "x": parameter "url" of x has no type hint, which its configuration needs',
    ),
    "tool class": (
        "class X: pass\ndef register_tools(): return {'x': X}",
        'register_tools: "x" is a class without `async def call`; a tool needs it',
    ),
    "backend class": (
        "class X:\n    def complete(self, request, emit): pass\ndef register_backends(): return {'x': X}",
        'register_backends: "x" is a class without `async def complete`; a backend needs it',
    ),
    "memory class": (
        "class X:\n    async def remember(self, scope, text): pass\ndef register_memories(): return {'x': X}",
        'register_memories: "x" is a class without `async def recall`; a memory needs it',
    ),
    "reserved": (
        "def x(): 'Do.'\ndef register_tools(): return {'recall': x}",
        'register_tools: "recall" is the name of a tool that ClawMesh itself brings; choose another',
    ),
    "reserved agent": (
        "async def x(context, message): pass\ndef register_agents(): return {'llm': x}",
        'register_agents: "llm" is the name of an agent that ClawMesh itself brings; choose another',
    ),
    "partial": (
        "from functools import partial\ndef register_backends(): return {'x': partial(dict, a=1)}",
        "register_backends: \"x\": its signature cannot be read: no signature found for builtin type <class 'dict'>",
    ),
    "encoding": (
        "# coding: nonsense",
        "FILE: is not text: unknown encoding: nonsense",
    ),
    "tool hint missing": (
        'def x(a):\n    """Do."""\ndef register_tools(): return {"x": x}',
        'register_tools: "x": x: parameter "a" has no type hint; write for example "a: str"',
    ),
    "tool hint unsupported": (
        'def x(a: complex):\n    """Do."""\ndef register_tools(): return {"x": x}',
        'register_tools: "x": x: parameter "a": the hint <class \'complex\'> has no JSON Schema: '
        "type <class 'complex'> is not supported",
    ),
    "tool hint unknown": (
        'def x(a: "Nowhere"):\n    """Do."""\ndef register_tools(): return {"x": x}',
        'register_tools: "x": x: parameter "a": the hint \'Nowhere\' cannot be resolved: '
        "name 'Nowhere' is not defined",
    ),
    "tool without docstring": (
        "def x(a: int): pass\ndef register_tools(): return {'x': x}",
        'register_tools: "x": x: has no docstring; it is what the model reads to choose the tool',
    ),
    "tool star": (
        'def x(*a: int):\n    """Do."""\ndef register_tools(): return {"x": x}',
        'register_tools: "x": x: parameter "*a: int" has no schema; name every parameter of a tool',
    ),
    "tool generator": (
        'def x():\n    """Do."""\n    yield 1\ndef register_tools(): return {"x": x}',
        'register_tools: "x": x: is a generator; a tool returns its result',
    ),
    "agent not async": (
        "def x(context, message): pass\ndef register_agents(): return {'x': x}",
        'register_agents: "x" is not async; an agent is `async def agent(context, message)`',
    ),
    "agent parameters": (
        "async def x(message): pass\ndef register_agents(): return {'x': x}",
        'register_agents: "x" takes 1 positional parameters, expected (context, message)',
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_quarantined_with_its_reason(workshop: Workshop, name: str) -> None:
    text, reason = BROKEN[name]
    reason = reason.replace("CLAWMESH", str(clawmesh.__file__)).replace("FILE", f"{workshop.root}/plugins/broken.py")
    workshop.write("sound.py", "def before_tool(call): pass", "bundled")
    broken = workshop.load_one("broken", text)
    assert (broken.state, broken.reason) == ("quarantined", reason)
    loaded = workshop.load()
    assert workshop.find("sound", loaded).state == "loaded"
    assert loaded.hooks.names == ("before_tool (sound)",)
    assert not any((loaded.catalogue.tools, loaded.catalogue.backends, loaded.catalogue.memories))


def test_unmarked_marked_and_renamed_functions_are_hooks(workshop: Workshop) -> None:
    plugin = workshop.load_one(
        "hooks",
        """
        from clawmesh import hookimpl

        def before_tool(call): pass

        @hookimpl
        def after_tool(call, result): pass

        @hookimpl(specname="before_model")
        def count(request): pass
        """,
    )
    assert plugin.state == "loaded"
    assert workshop.load().hooks.names == ("before_model (hooks)", "before_tool (hooks)", "after_tool (hooks)")


def test_what_is_only_imported_is_no_hook(workshop: Workshop) -> None:
    plugin = workshop.load_one(
        "importing",
        "from clawmesh.hookspecs import *\nfrom atexit import register as register_tool\ndef after_tool(): pass",
    )
    assert plugin.state == "loaded"


def test_a_hook_may_stand_in_a_module_of_the_package(workshop: Workshop) -> None:
    workshop.write("pack/inner.py", "def x(): 'Do.'\ndef register_tools(): return {'x': x}")
    workshop.trust(workshop.write("pack/__init__.py", "from .inner import register_tools").parent)
    assert [str(each) for each in workshop.find("pack", workshop.load()).registers] == ["tool x"]


def test_the_last_loaded_wrapper_hook_is_called_first_unless_one_says_otherwise(workshop: Workshop) -> None:
    workshop.load_one("a", "def before_tool(call): pass")
    workshop.load_one("b", "from clawmesh import hookimpl\n@hookimpl(tryfirst=True)\ndef before_tool(call): pass")
    workshop.load_one("c", "def before_tool(call): pass")
    assert workshop.load().hooks.names == ("before_tool (b)", "before_tool (c)", "before_tool (a)")


def test_a_module_can_make_its_after_hooks_guards(workshop: Workshop) -> None:
    text = "def before_tool(call): 1 / 0\ndef after_tool(result): 1 / 0\n"
    workshop.load_one("lenient", "def after_tool(result): 1 / 0")
    hooks = workshop.load().hooks
    assert hooks.after_tool(NOWHERE, CALL, RESULT) is RESULT
    workshop.load_one("strict", text + "GUARD = True")
    hooks = workshop.load().hooks
    with pytest.raises(RefusedError, match="the guard before_tool of plugin strict failed"):
        hooks.before_tool(NOWHERE, CALL)
    with pytest.raises(RefusedError, match="the guard after_tool of plugin strict failed"):
        hooks.after_tool(NOWHERE, CALL, RESULT)


def test_the_reserved_names_are_those_of_our_own_tools() -> None:
    assert {*verbs({"peer": ""}, ["topic"]), *recollection()} == RESERVED["tool"]
