"""How the account of one message looks: its facts, and its turn step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clawmesh.agent.case import reason
from clawmesh.agent.story import PENDING, Account, Call, Rest, Step
from clawmesh.cli.console import Console
from clawmesh.cli.phrase import ago, count, cut, moment, span, tokens
from clawmesh.cli.view import named
from clawmesh.messages import Usage

TEXT = 400
LINE = 80
STATES = {"answered": "green", "failed": "red", "refused": "red", "expired": "red", "dead": "red", PENDING: "yellow"}
SPOKEN = {"ask": "asked", "send": "told"}


def show(account: Account, waits: str, console: Console, *, together: Usage | None = None) -> None:
    """Print an account; `waits` says what a pending one waits for, `together` what all that it caused used with it."""
    envelope = account.envelope
    how = "" if account.took is None else f" after {span(account.took)}"
    style = STATES.get(account.state, "")
    said = console.clean(f"{envelope.sender} {SPOKEN[envelope.kind]} {envelope.to}")
    console.print(f"{console.style(account.id, 'bold')}: {said}, {console.style(account.state + how, style)}")
    rows = [*_said(account), *_times(account, waits), *_costs(account, together), *_rests(account)]
    console.table([(name, cut(text, TEXT)) for name, text in rows])
    if account.steps:
        console.print()
        head = ("AT", "STEP", "TOOK", "", "")
        console.table([*_steps(account)], head=head, styles={"failed": "red", "unknown": "red"})


def used(accounts: Sequence[Account]) -> str:
    """Say what turns used together."""
    steps = sum(len(account.steps) for account in accounts)
    calls = sum(len(account.calls) for account in accounts)
    usage = sum((account.usage for account in accounts), Usage())
    return f"{tokens(usage)}, {count(steps, 'model call')}, {count(calls, 'tool call')}"


def _said(account: Account) -> Iterator[tuple[str, str]]:
    yield "message", account.envelope.message.text
    if account.outcome and account.outcome.message:
        yield "answer", account.outcome.message.text
    if account.outcome and (error := account.outcome.error):
        yield "reason", f"{error.type}: {reason(error)}"
        for note in error.notes:
            yield "", note


def _times(account: Account, waits: str) -> Iterator[tuple[str, str]]:
    envelope = account.envelope
    yield "accepted", f"{moment(account.accepted)}, {ago(account.accepted)}"
    if account.parent:
        yield "caused by", account.parent
    if account.waited is not None:
        where = "until it was last taken up" if account.resumed else "in the mailbox"
        yield "waited", f"{span(account.waited)} {where}"
    if waits:
        yield "waits for", waits
        yield "deadline", f"{moment(envelope.deadline)}, {ago(envelope.deadline)}"
    if account.resumed:
        times = ", ".join(map(moment, account.resumed))
        yield "resumed", f"{count(len(account.resumed), 'time')}, after the process had ended: {times}"
    if envelope.key:
        yield "key", envelope.key


def _costs(account: Account, together: Usage | None) -> Iterator[tuple[str, str]]:
    if account.steps:
        yield "used", used([account])
    if together is not None:
        yield "", f"{tokens(together)} with all that it caused"


def _rests(account: Account) -> Iterator[tuple[str, str]]:
    for rest in account.rests:
        yield "rests" if rest is account.rests[0] else "", _rest(account, rest)


def _rest(account: Account, rest: Rest) -> str:
    when = moment(rest.at)
    if rest.state == "revived":
        return f"sent again as {rest.text}, {when}"
    if rest.state == "discarded":
        return f"discarded, {when}"
    hint = f"; 'clawmesh dead redrive {account.id}' sends it again" if rest is account.rest else ""
    return f"among the dead letters since {when}{hint}"


def _steps(account: Account) -> Iterator[tuple[str, ...]]:
    for step in account.steps:
        at = f"+{span(step.at - account.accepted)}"
        model = f"{step.model or 'model'} ({step.backend})" if step.backend else step.model or "model"
        yield at, model, span(step.seconds), count(step.usage.total_tokens, "token"), _reply(step)
        for call in step.calls:
            since = call.ended or call.began
            at = f"+{span(since - account.accepted)}" if since else ""
            took = span(call.seconds) if call.ended else ""
            yield at, f"  {call.name}", took, call.effect or "", _gave(call, account)


def _reply(step: Step) -> str:
    if step.calls:
        return f"calls {', '.join(call.name for call in step.calls)}"
    if step.repair:
        return f"is told: {cut(step.repair, LINE)}"
    return f"answers {cut(step.text, LINE)}" if step.text else step.stop


def _gave(call: Call, account: Account) -> str:
    """Say what was asked of a tool and what came of it."""
    asked = f"({cut(named(call.arguments), LINE)})"
    if call.unknown:
        return f"{asked} → unknown: the process ended while it was at work, and it is not one to call twice"
    if call.result is None:
        if account.state != PENDING:
            return f"{asked} → no result: the turn ended first"
        return f"{asked} is at work" if call.began else asked
    said = f"{asked} → {'failed: ' if call.failed else ''}{cut(call.result, LINE)}"
    return f"{said} (run again after the process had ended)" if call.again else said
