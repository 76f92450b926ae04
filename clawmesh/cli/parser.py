"""The command line: every verb and option in one place, importing nothing that a verb needs.

Each verb names its function as `module:function`; it is imported when the verb is called, so that `--version` and
`--help` cost no import of the engine.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any, NoReturn

from clawmesh.config.suggestion import did_you_mean, nearest
from clawmesh.errors import UsageError
from clawmesh.version import VERSION


class Parser(argparse.ArgumentParser):
    """Raises UsageError with one sentence, naming the nearest right verb or option.

    The options of a verb may stand before, between and behind its words.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        words = list(args or ())
        if self._subparsers is None:
            words = self._take_options(words, namespace := namespace or argparse.Namespace())
        found, rest = super().parse_known_args(words, namespace)
        if rest:
            self._refuse(rest)
        return found, []

    def _take_options(self, words: Sequence[str], namespace: argparse.Namespace) -> list[str]:
        """Read the options and return the other words.

        Left to itself, argparse takes a word that may be left out as left out once an option follows the one before it.
        """
        options = Parser(self.prog, add_help=False)
        for action in self._get_optional_actions():
            if action.dest != "help":
                options._add_action(action)
        end = words.index("--") if "--" in words else len(words)
        rest = argparse.ArgumentParser.parse_known_args(options, words[:end], namespace)[1]
        return [*rest, *words[end:]]

    def _refuse(self, rest: Sequence[str]) -> NoReturn:
        for word in rest:
            if word.startswith("-") and word.strip("-"):
                self._refuse_option(word.partition("=")[0])
        hint = "; a text of several words stands in quotation marks" if self._get_positional_actions() else ""
        self.error(f'"{rest[0]}" is one word too many{hint}')

    def _refuse_option(self, name: str) -> NoReturn:
        # Without the dashes, which make all of them look alike.
        known = {name.lstrip("-"): name for action in self._get_optional_actions() for name in action.option_strings}
        near = nearest(name.lstrip("-"), known)
        hint = f'did you mean "{known[near]}"?' if near else f"expected one of {', '.join(sorted(known.values()))}"
        self.error(f'there is no option "{name}"; {hint}')

    def error(self, message: str) -> NoReturn:
        error = UsageError(message)
        error.add_note(f"Try '{self.prog} --help'.")
        raise error

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        # argparse of Python 3.11 has no public place to say which choice is near.
        choices = [str(choice) for choice in action.choices or ()]
        if choices and value not in choices:
            what = f'there is no {action.metavar or action.dest} "{value}"'
            # Verbs without a help text are for our own child processes.
            shown = [each.dest for each in getattr(action, "_choices_actions", ())] or choices
            raise argparse.ArgumentError(None, what + did_you_mean(str(value), shown))


def build() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="clawmesh",
        description="Thousands of AI agents that talk to each other, in one executable.",
        epilog="Try: clawmesh demo",
        parents=[_shared()],
    )
    parser.set_defaults(config=None, data=None, json=False, debug=False)
    parser.add_argument("--version", action="version", version=f"clawmesh {VERSION}")
    # A second instance: its options have no default, so that one given before the verb is not set back after it.
    shared = _shared()
    verbs = parser.add_subparsers(dest="verb", metavar="command", parser_class=Parser)
    _demo(verbs)
    _talk(verbs, shared)
    _token(verbs, shared)
    _journal(verbs, shared)
    _plugins(verbs, shared)
    _config(verbs, shared)
    _upkeep(verbs, shared)
    _rest(verbs, shared)
    return parser


def _shared() -> Parser:
    shared = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = shared.add_argument_group("everywhere")
    group.add_argument(
        "--config", metavar="FILE", help="configuration file (else $CLAWMESH_CONFIG, ./clawmesh.toml, ...)"
    )
    group.add_argument("--data", metavar="DIR", help="data directory (else $CLAWMESH_DATA, or the user's own)")
    group.add_argument("--json", action="store_true", help="print JSON for scripts")
    group.add_argument("--debug", action="store_true", help="show tracebacks")
    return shared


def _add(verbs: Any, name: str, run: str, text: str, parents: Sequence[Parser]) -> Parser:
    parser: Parser = verbs.add_parser(name, help=text, description=text, parents=list(parents))
    parser.set_defaults(run=run)
    return parser


def _group(verbs: Any, name: str, text: str, shared: Parser) -> Any:
    parser = verbs.add_parser(name, help=text, description=text, parents=[shared])
    return parser.add_subparsers(dest=f"{name}_verb", metavar="command", required=True, parser_class=Parser)


def _demo(verbs: Any) -> None:
    demo = verbs.add_parser(
        "demo",
        help="watch a team of agents work, offline, with no key and no configuration",
        description="Watch a team of agents work, offline, with no key and no configuration.",
    )
    demo.set_defaults(run="clawmesh.cli.demo:demo")
    demo.add_argument(
        "message", type=_text, nargs="?", help="what to ask the team (default: how much memory conversations need)"
    )
    demo.add_argument("--config", action="store_true", dest="print_config", help="print the TOML that it runs, and end")
    demo.add_argument("--fast", action="store_true", help="do not slow the streams down to reading speed")
    demo.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print events as JSON lines")
    demo.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks")


def _talk(verbs: Any, shared: Parser) -> None:
    ask = _add(verbs, "ask", "clawmesh.cli.ask:ask", "ask an agent and print its answer", [shared])
    ask.add_argument("agent", help="an agent, or one of its sessions: agent/session")
    ask.add_argument("message", type=_text, nargs="?", help="the message; '-' or nothing: read standard input")
    ask.add_argument("--image", metavar="FILE", action="append", default=[], help="send an image along (repeatable)")
    ask.add_argument("--seconds", type=_seconds, metavar="N", help="give up after N seconds")
    ask.add_argument("--quiet", action="store_true", help="show the answer alone, not the tool calls on the way")

    chat = _add(verbs, "chat", "clawmesh.cli.chat:chat", "talk with an agent", [shared])
    chat.add_argument("agent", nargs="?", help="an agent (may be omitted where there is one), or agent/session")

    serve = _add(verbs, "serve", "clawmesh.cli.serve:serve", "run the mesh until it is told to end", [shared])
    serve.add_argument(
        "--port", type=_port, metavar="N", help="listen there (else $CLAWMESH_PORT, or [api] port); 0: any free port"
    )
    _add(verbs, "stop", "clawmesh.cli.stop:stop", "end the mesh that 'serve' runs on this data directory", [shared])

    agents = _add(verbs, "agents", "clawmesh.cli.agents:agents", "list the agents, or show one", [shared])
    agents.add_argument("agent", nargs="?", help="show this one")
    agents.add_argument("--stats", action="store_true", help="show sessions, and what they take of memory and disk")


def _token(verbs: Any, shared: Parser) -> None:
    token = _group(verbs, "token", "make, list and revoke the tokens that HTTP clients need", shared)
    create = _add(token, "create", "clawmesh.cli.token:create", "make a token and print it, once", [shared])
    create.add_argument("name", type=_text, metavar="NAME", help="whose it is; sessions of a talk token are its own")
    create.add_argument(
        "--scope",
        action="append",
        choices=("read", "talk", "operate", "admin"),
        help="what for (repeatable; default: talk)",
    )
    create.add_argument(
        "--agent", type=_text, action="append", default=[], metavar="NAME", help="for this agent alone, or a pattern"
    )
    create.add_argument("--expires", type=_text, metavar="SPAN", help="worthless after so long, such as 12h or 90d")
    _add(token, "list", "clawmesh.cli.token:list_", "list the tokens, without what is secret", [shared])
    revoke = _add(token, "revoke", "clawmesh.cli.token:revoke", "make a token worthless at once", [shared])
    revoke.add_argument("name", type=_text, metavar="NAME", help="the token's name")


def _journal(verbs: Any, shared: Parser) -> None:
    why = _add(verbs, "why", "clawmesh.cli.why:why", "tell what became of a message or a session, and why", [shared])
    why.add_argument(
        "id", type=_text, metavar="ID", help="a message's id or the beginning of it, or a session: agent/session"
    )
    dead = _group(verbs, "dead", "look at what failed and nobody was told of, send it again, or discard it", shared)
    list_ = _add(dead, "list", "clawmesh.cli.dead:list_", "list the dead letters", [shared])
    list_.add_argument("--agent", type=_text, metavar="NAME", default="", help="only those of this agent")
    show = _add(dead, "show", "clawmesh.cli.dead:show", "show a dead letter whole", [shared])
    show.add_argument("id", type=_text, metavar="ID", help="a dead letter's id, or the beginning of it")
    redrive = _add(dead, "redrive", "clawmesh.cli.dead:redrive", "send dead letters again", [shared])
    discard = _add(dead, "discard", "clawmesh.cli.dead:discard", "take dead letters away for good", [shared])
    for parser in (redrive, discard):
        parser.add_argument(
            "ids", type=_text, metavar="ID", nargs="*", help="ids of dead letters, or the beginnings of them"
        )
        parser.add_argument("--all", action="store_true", help="all of them")
        parser.add_argument(
            "--agent", type=_text, metavar="NAME", default="", help="with --all: only those of this agent"
        )
    discard.add_argument("--yes", action="store_true", help="do not ask first")


def _plugins(verbs: Any, shared: Parser) -> None:
    plugins = _group(verbs, "plugins", "list, make, check, trust and install plugins", shared)
    _add(plugins, "list", "clawmesh.cli.plugins:list_", "list plugins and their state", [shared])
    new = _add(plugins, "new", "clawmesh.cli.plugins:new", "write a small working plugin", [shared])
    new.add_argument("name", help="the plugin's name, which its file has too")
    new.add_argument(
        "--kind",
        choices=("tool", "backend", "memory", "agent"),
        default="tool",
        help="what it offers (default: a tool)",
    )
    check = _add(plugins, "check", "clawmesh.cli.plugins:check", "load a plugin apart and run its examples", [shared])
    trust = _add(plugins, "trust", "clawmesh.cli.plugins:trust", "allow a plugin file, as it is now, to run", [shared])
    untrust = _add(plugins, "untrust", "clawmesh.cli.plugins:untrust", "let a plugin run no more", [shared])
    install = _add(plugins, "install", "clawmesh.cli.plugins:install", "install what a plugin depends on", [shared])
    for parser in (check, trust, untrust, install):
        parser.add_argument("name", metavar="NAME|FILE", help="a plugin, or the path of its file")
    # For our own child processes; a verb without help text is not listed.
    isolated = plugins.add_parser("isolated")
    isolated.set_defaults(run="clawmesh.cli.plugins:isolated")
    isolated.add_argument("work", choices=("check", "pip"))


def _config(verbs: Any, shared: Parser) -> None:
    init = _add(verbs, "init", "clawmesh.cli.init:init", "write a commented clawmesh.toml", [shared])
    init.add_argument("file", nargs="?", help="where to (default: ./clawmesh.toml)")
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    config = _group(verbs, "config", "check, show and describe the configuration", shared)
    _add(config, "check", "clawmesh.cli.config:check", "check the configuration whole", [shared])
    _add(config, "show", "clawmesh.cli.config:show", "print what is in force, secrets redacted", [shared])
    _add(config, "schema", "clawmesh.cli.config:schema", "print the JSON Schema for editors", [shared])
    _add(config, "path", "clawmesh.cli.config:path", "print which file is used", [shared])


def _upkeep(verbs: Any, shared: Parser) -> None:
    backup = _add(
        verbs,
        "backup",
        "clawmesh.cli.backup:backup",
        "write all that the mesh has into one file, also as it runs",
        [shared],
    )
    backup.add_argument("file", type=_text, metavar="FILE", help="the backup, which must not be there yet")
    restore = _add(verbs, "restore", "clawmesh.cli.backup:restore", "bring back what a backup holds", [shared])
    restore.add_argument("file", type=_text, metavar="FILE", help="the backup")
    restore.add_argument(
        "--force", action="store_true", help="also over a data directory in use before; it is kept aside"
    )
    _add(verbs, "doctor", "clawmesh.cli.doctor:doctor", "look for what is wrong here, and say how to mend it", [shared])
    service = _group(verbs, "service", "let the system start the mesh, and start it again", shared)
    install = _add(service, "install", "clawmesh.cli.service:install", "write a systemd unit and start it", [shared])
    install.add_argument("--print", action="store_true", dest="print_unit", help="print it, and change nothing")
    uninstall = _add(
        service, "uninstall", "clawmesh.cli.service:uninstall", "stop it, and remove what 'install' wrote", [shared]
    )
    status = _add(service, "status", "clawmesh.cli.service:status", "say whether it is installed and runs", [shared])
    for parser in (install, uninstall, status):
        parser.add_argument("--system", action="store_true", help="for the machine, not for this user alone; as root")


def _rest(verbs: Any, shared: Parser) -> None:
    bench = _add(verbs, "bench", "clawmesh.cli.bench:bench", "measure this machine", [shared])
    bench.add_argument(
        "--suite", choices=("mesh", "backends", "http"), default="mesh", help="what to measure (default: the mesh)"
    )
    bench.add_argument(
        "--sessions", type=_count, default=10_000, metavar="N", help="mesh: conversations at once (default 10000)"
    )
    bench.add_argument(
        "--streams", type=_count, default=10_000, metavar="N", help="backends: streams at once (default 10000)"
    )
    bench.add_argument(
        "--clients", type=_count, default=10_000, metavar="N", help="http: clients that listen at once (default 10000)"
    )
    replay = _add(verbs, "replay", "clawmesh.cli.replay:again", "run a turn again, from the journal alone", [shared])
    replay.add_argument("id", metavar="ID", help="a message's id, or its beginning")
    completion = _add(verbs, "completion", "clawmesh.cli.completion:completion", "print shell completion", [shared])
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell that reads it")


def _text(given: str) -> str:
    # Bytes of an argument that are not UTF-8 arrive as surrogates (PEP 383).
    if not given.isascii() and any("\ud800" <= each <= "\udfff" for each in given):
        raise argparse.ArgumentTypeError("what is given is not UTF-8")
    return given


def _seconds(given: str) -> float:
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f'found "{given}", expected a number greater than 0')
    return seconds


def _port(given: str) -> int:
    if not (given.isascii() and given.isdecimal() and int(given[:6]) < 65_536):
        raise argparse.ArgumentTypeError(f'found "{given}", expected a number from 0 to 65535')
    return int(given)


def _count(given: str) -> int:
    if not given.isdecimal() or int(given) < 1:
        raise argparse.ArgumentTypeError(f'found "{given}", expected an integer of at least 1')
    return int(given)
