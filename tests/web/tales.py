"""Messages that were never sent, told as the journal tells real ones: by the same types, as the same JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from clawmesh.abc.tool import Effect
from clawmesh.agent.case import facts
from clawmesh.agent.story import Account, Call, Rest, Step
from clawmesh.mesh.envelope import Ending
from clawmesh.mesh.record import Accepted, Ended, Fault
from clawmesh.messages import Message, Usage

Json = dict[str, Any]
Words = Callable[[str], str]

CUSTOMER = "concierge/customer-00421"
ORDERS = "orders/concierge~customer-00421"
BILLING = "billing/concierge~customer-00421"
AUDITOR = "auditor/billing~concierge~customer-00421"
SIGN = '{"agent": "auditor", "message": "Sign off a refund of 64.90 EUR for order 88213."}'
REFUNDED = (
    "I refunded 64.90 EUR for the second charge (in_3392). "
    "The auditor signed it as A-5521; it arrives in two to three days."
)
FOUND = '{"order": 88213, "state": "at depot", "depot": "Leeds", "eta": "2026-11-29T11:30"}'
CHATTER = (
    (
        "Where is order 88213?",
        "orders_find",
        "It left the warehouse on Tuesday, is at the depot in Leeds and arrives tomorrow.",
    ),
    ("Can it still come tomorrow?", "route", "Yes. It is on the morning round: between 9:00 and 11:30."),
    ("And what did it cost?", "invoice_find", "64.90 EUR with shipping, paid by card on 24 November."),
    ("Change the address to Harbour Street 4, please.", "orders_change", "Done: the driver has been told."),
)


class Tale(Struct, frozen=True, kw_only=True):
    """What became of a message; `steps` are told with times since its acceptance."""

    sender: str
    to: str
    text: str
    took: float | None = None
    waited: float = 0.004
    steps: tuple[Step, ...] = ()
    answer: str = ""
    fault: str = ""
    kind: Literal["ask", "send"] = "ask"
    rests: tuple[Rest, ...] = ()


def told(id: str, at: float, tale: Tale, causes: tuple[str, ...] = ()) -> Json:
    """Return the JSON of one message, accepted at that time."""
    outcome = None
    if tale.took is not None:
        outcome = Ended(
            ending=Ending.FAILED if tale.fault else Ending.ANSWERED,
            message=Message.assistant(tale.answer) if tale.answer else None,
            error=Fault("ToolError", tale.fault) if tale.fault else None,
            taken=at + tale.waited,
        )
    envelope = Accepted(
        id=id,
        sender=tale.sender,
        to=tale.to,
        kind=tale.kind,
        message=Message.user(tale.text),
        deadline=at + 300,
        causes=causes,
    )
    return facts(
        Account(
            envelope=envelope,
            accepted=at,
            steps=tuple(_since(step, at) for step in tale.steps),
            ended=at + tale.took if tale.took is not None else 0.0,
            outcome=outcome,
            rests=tale.rests,
        )
    )


def _since(step: Step, at: float) -> Step:
    calls = [
        Call(**{**_fields(call), "began": call.began and at + call.began, "ended": call.ended and at + call.ended})
        for call in step.calls
    ]
    return Step(**{**_fields(step), "at": at + step.at, "calls": tuple(calls)})


def _fields(value: Struct) -> Json:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def thought(at: float, seconds: float, tokens: int, *calls: Call, reasoning: str = "", text: str = "") -> Step:
    """A model call that replied so long after the acceptance."""
    spoken = tokens // 6
    return Step(
        at=at,
        seconds=seconds,
        backend="openai",
        model="gpt-6-mini",
        stop="tool_calls" if calls else "end",
        usage=Usage(input_tokens=tokens - spoken, output_tokens=spoken, total_tokens=tokens),
        text=text,
        reasoning=reasoning,
        calls=calls,
    )


def used(name: str, arguments: str, began: float, seconds: float, result: str) -> Call:
    """A tool call that gave something; one of another agent fails where this says that something is closed."""
    return Call(
        name=name,
        arguments=arguments,
        effect=Effect.IDEMPOTENT if name == "ask_agent" else None,
        began=began,
        ended=began + seconds,
        seconds=seconds,
        result=result,
        failed="closed" in result,
    )


def transcript(address: str, now: float, words: Words) -> list[Json]:
    """The newest messages of a session."""
    found = [told(f"env_1m8order{each}", now - 4000 + each * 640, _chat(address, each, words)) for each in range(4)]
    found.append(told("env_1m8refund", now - 900, _unknown(address, words, now)))
    watching = Call(name="ledger", arguments='{"watch": "in_3392"}', effect=Effect.PURE, began=1.01)
    text = words("Tell me when the refund is there.")
    waiting = Tale(sender="user", to=address, text=text, steps=(thought(1.0, 0.9, 900, watching),))
    return [*found, told("env_1m8pending", now - 6, waiting)]


def _chat(address: str, number: int, words: Words) -> Tale:
    asked, tool, said = CHATTER[number]
    looked = used(tool, '{"order": 88213, "fields": ["state", "route"]}', 0.93, 0.31 + number / 7, words(FOUND))
    took = 2.3 + number / 3
    why = words("The number is given: look it up before anything else.")
    steps = (
        thought(0.92, 0.9, 1240 + number * 400, looked, reasoning=why),
        thought(took, took - 1.3 - number / 7, 1410 + number * 420, text=words(said)),
    )
    return Tale(sender="user", to=address, text=words(asked), took=took, steps=steps, answer=words(said))


def _unknown(address: str, words: Words, now: float) -> Tale:
    """A turn that was cut off in the middle of what must not be done twice."""
    looked = used("invoice_find", '{"order": 88213}', 1.41, 0.42, words('[{"id": "in_3391"}, {"id": "in_3392"}]'))
    closed = used("ask_agent", SIGN, 1.41, 2.05, words("the ledger is closed until 06:00"))
    paid = Call(name="refund", arguments='{"invoice": "in_3392"}', effect=Effect.UNSAFE, began=4.92, unknown=True)
    why = words("Two charges of the same amount: a double charge.")
    return Tale(
        sender=CUSTOMER,
        to=address,
        text=words("Two charges: refund one."),
        took=5.6,
        waited=0.09,
        steps=(
            thought(1.4, 1.3, 2210, looked, closed, reasoning=why, text="I look at both charges."),
            thought(4.9, 1.2, 2480, paid),
        ),
        fault=words("the turn may take 12 steps, and has taken them"),
        rests=(Rest("dead", now - 890, "limit"),),
    )


def kin(at: float, words: Words) -> list[Json]:
    """A complaint and all that came of it: the road from a customer to the auditor."""
    first, orders, billing = "env_1m8kin0", "env_1m8kin1", "env_1m8kin3"
    tales = [
        (0.0, (), _complaint(words)),
        (0.92, (first,), _where()),
        (1.66, (first, orders), _route()),
        (0.95, (first,), _refund(words)),
        (2.2, (first, billing), Tale(sender=BILLING, to=AUDITOR, text="Sign off.", took=2.05, fault="it is closed")),
        (4.4, (first, billing), _signed()),
        (
            7.95,
            (first,),
            Tale(sender=CUSTOMER, to="notify/concierge~customer-00421", text="Mail it.", took=0.4, kind="send"),
        ),
    ]
    return [told(f"env_1m8kin{number}", at + after, tale, causes) for number, (after, causes, tale) in enumerate(tales)]


def _complaint(words: Words) -> Tale:
    text = words("My parcel never came, and I was charged twice. Order 88213.")
    asked = used("ask_agent", '{"agent": "orders", "message": "Where is order 88213?"}', 0.92, 3.1, "Leeds")
    steps = (thought(0.9, 0.88, 2412, asked), thought(9.84, 1.4, 3120))
    return Tale(sender="user", to=CUSTOMER, text=text, took=9.84, steps=steps, answer=words(REFUNDED))


def _where() -> Tale:
    asked = used("ask_agent", '{"agent": "warehouse", "message": "Route of parcel 7731-A?"}', 0.72, 1.2, "round 4")
    steps = (thought(0.7, 0.69, 1180, asked), thought(3.1, 1.1, 1312))
    return Tale(sender=CUSTOMER, to=ORDERS, text="Where is order 88213?", took=3.1, steps=steps, answer="In Leeds.")


def _route() -> Tale:
    to, steps = "warehouse/orders~concierge~customer-00421", (thought(1.18, 0.8, 640),)
    return Tale(sender=ORDERS, to=to, text="Route?", took=1.18, waited=0.34, steps=steps, answer="round 4")


def _signed() -> Tale:
    steps = (thought(2.9, 1.9, 1875),)
    return Tale(sender=BILLING, to=AUDITOR, text="Sign off.", took=2.9, waited=0.9, steps=steps, answer="A-5521")


def _refund(words: Words) -> Tale:
    calls = (
        used("invoice_find", '{"order": 88213}', 0.81, 0.38, words('[{"id": "in_3391"}, {"id": "in_3392"}]')),
        used("ask_agent", SIGN, 1.25, 2.05, "the ledger is closed for a moment"),
    )
    why = words("Two charges, same amount, one minute apart: one of them is wrong.")
    steps = (
        thought(0.8, 0.79, 1830, *calls, reasoning=why),
        thought(3.44, 0.12, 2044, used("ask_agent", SIGN, 3.45, 2.9, "signed, reference A-5521")),
        thought(6.9, 0.52, 2204),
    )
    text = words("Two charges for order 88213: refund one.")
    return Tale(sender=CUSTOMER, to=BILLING, text=text, took=6.9, steps=steps, answer=words(REFUNDED))
