"""A mesh that does not exist: agents, sessions, messages, costs, for the dashboard to show.

Hostile, it has what attackers would like to see run in every text that a model or a person may write.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime

from tests.web.tales import Json, kin, transcript

HOSTILE = (
    '<img src=x onerror="window.ran=(window.ran||0)+1"><script>window.ran=1</script>'
    "<svg onload=window.ran=1></svg> [x](javascript:window.ran=1) \"'`${window.ran=1}</pre></script>\u202e\x07"
)
# name: description, model, tools
AGENTS = {
    "concierge": ("greets customers and hands them to who can help", "sonnet-5", ["clock"]),
    "intake": ("reads mail and tickets, sorts them", "haiku-5", ["mail_read"]),
    "triage": ("decides what is urgent", "haiku-5", ["clock"]),
    "orders": ("finds orders, changes and cancels them", "gpt-6-mini", ["orders_find", "orders_change", "clock"]),
    "billing": ("explains invoices, arranges refunds", "gpt-6-mini", ["invoice_find", "refund", "calculator"]),
    "warehouse": ("knows what is in stock and where it is", "qwen3-32b", ["stock", "route"]),
    "research": ("finds facts and does the numbers", "sonnet-5", ["web_search", "calculator", "notes_*"]),
    "reader": ("reads long documents and says what is in them", "qwen3-32b", ["file_read"]),
    "writer": ("writes clear, short prose", "sonnet-5", []),
    "critic": ("reads drafts and names what to mend", "haiku-5", []),
    "engineer": ("mends what is broken in the shop", "opus-5", ["shell", "file_read", "file_write"]),
    "reviewer": ("reviews changes before they go out", "opus-5", ["file_read"]),
    "auditor": ("signs off whatever moves money", "opus-5", ["ledger"]),
    "notify": ("sends what a person should know", "", ["mail_send"]),
}
LINKS = {
    ("user", "concierge"): 214,
    ("api", "intake"): 96,
    ("schedule", "research"): 24,
    ("intake", "triage"): 71,
    ("intake", "concierge"): 25,
    ("concierge", "orders"): 118,
    ("concierge", "billing"): 63,
    ("concierge", "research"): 41,
    ("concierge", "notify"): 29,
    ("triage", "orders"): 22,
    ("triage", "billing"): 14,
    ("triage", "engineer"): 9,
    ("orders", "warehouse"): 97,
    ("orders", "billing"): 31,
    ("billing", "auditor"): 38,
    ("research", "reader"): 88,
    ("research", "writer"): 36,
    ("writer", "critic"): 52,
    ("engineer", "reviewer"): 12,
}
FAILING = {("billing", "auditor"): 4, ("research", "reader"): 3, ("triage", "engineer"): 2}
TOML = """\
# The shop's agents. Secrets are named here, never written.

[mesh]
workers = 2
deadline = 300

[backends.anthropic]
type = "anthropic"
api_key = "(redacted)"

[backends.local]
type = "openai"
base_url = "http://127.0.0.1:8000/v1"

"""
REASONS = (
    "anthropic: 529 overloaded_error: Overloaded; local: connection refused",
    "the tool ledger failed: the ledger is closed until 06:00",
    "limit: 12 steps, and still no answer",
    "mailbox of auditor/nightly is full, and its deadline has passed",
)
SESSIONS = 10_000
LETTERS = 40
DAY = 86400


class World:
    """Everything that the fake API tells, made once, the same at every run."""

    def __init__(self, now: float, *, hostile: bool) -> None:
        self.now = now
        self.hostile = hostile
        self.random = random.Random(7)
        self.agents = [self._agent(name) for name in AGENTS]
        self.sessions = sorted(map(self._session, range(SESSIONS)), key=lambda session: str(session["address"]))
        self.letters = [self._letter(number) for number in range(LETTERS)]

    def text(self, text: str) -> str:
        return f"{text} {HOSTILE}" if self.hostile else text

    def _agent(self, name: str) -> Json:
        description, model, tools = AGENTS[name]
        chain = ["anthropic", "local"] if "-5" in model else ["openai"] if "gpt" in model else ["local"]
        return {
            "name": name,
            "type": "model" if model else "notify",
            "description": self.text(description),
            "backend": chain if model else [],
            "model": self.text(model) if model else "",
            "tools": [*tools, HOSTILE] if self.hostile else tools,
            "peers": [to for sender, to in LINKS if sender == name],
            "topics": ["incidents"] if name in ("engineer", "notify", "triage") else [],
            "memory": "notes" if name in ("research", "concierge") else "",
            "limits": {"steps": 12, "tokens": 200_000, "seconds": 300, "parallel_tools": 8, "tool_seconds": 60},
            "sessions": {"active": len(name) * 3, "warm": len(name) * 57},
        }

    def _session(self, number: int) -> Json:
        agent = list(AGENTS)[number % len(AGENTS)]
        session = f"customer-{number:05}" if agent in ("concierge", "intake") else f"concierge~customer-{number:05}"
        entries = self.random.randrange(3, 90)
        used = self.now - self.random.random() * DAY * 3
        names = {"address": f"{agent}/{session}", "agent": agent, "session": session}
        return {**names, "entries": entries, "bytes": entries * 611, "used": used}

    def _letter(self, number: int) -> Json:
        return {
            "id": f"env_1m8dead{number:05}",
            "session": f"{('auditor', 'engineer', 'notify')[number % 3]}/nightly-{number % 7}",
            "at": self.now - number * 1900 - 40,
            "reason": self.text(REASONS[number % len(REASONS)]),
            "sender": f"billing/customer-{number:05}",
        }

    def graph(self, beat: float) -> Json:
        """The last minute; `beat` moves its figures a little."""
        sums = {name: {"messages": 0, "errors": 0, "under_way": 0, "tokens": 0} for name in AGENTS}
        links = []
        for (sender, to), messages in LINKS.items():
            many, errors = round(messages * (0.9 + 0.2 * beat)), FAILING.get((sender, to), 0)
            links.append({"from": sender, "to": to, "messages": many, "errors": errors})
            sums[to]["messages"] += many
            sums[to]["errors"] += errors
            sums[to]["under_way"] += many // 30
            sums[to]["tokens"] += many * (len(to) * 97)
        return {"seconds": 60, "agents": [{"name": name, **each} for name, each in sums.items()], "links": links}

    def cost(self, days: int) -> Json:
        found = []
        for back in range(days - 1, -1, -1):
            date = datetime.fromtimestamp(self.now - back * DAY, UTC)
            busy = (0.35 if date.weekday() > 4 else 1.0) * (0.8 + self.random.random() * 0.4)
            rows = [self._spent(name, int(2_400_000 * busy / (1 + place * 0.8))) for place, name in enumerate(AGENTS)]
            found.append({"day": date.strftime("%Y-%m-%d"), "agents": rows})
        return {"days": found}

    def _spent(self, agent: str, tokens: int) -> Json:
        spoken = tokens // 5
        used = {"input_tokens": tokens - spoken, "output_tokens": spoken, "total_tokens": tokens}
        return {"agent": agent, "turns": tokens // 2100, **used}

    def toml(self) -> str:
        tables = [
            f"[agents.{each['name']}]\nbackend = {each['backend']}\nmodel = '{each['model']}'\n"
            f"peers = {each['peers']}\n"
            for each in self.agents
        ]
        return TOML + "\n".join(tables)

    def transcript(self, address: str) -> list[Json]:
        return transcript(address, self.now, self.text)

    def case(self, id: str) -> tuple[Json, list[Json]]:
        """A message and its kin."""
        found = kin(self.now - 320, self.text)
        own = next((each for each in found if each["id"] == id), found[3])
        return own, [each for each in found if each is not own]
