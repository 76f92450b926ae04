"""What goes on in a mesh under proof: the plans that its agents get."""

from __future__ import annotations

from random import Random

from tests.recovery.shop import Action, Plan

MODELS = ("ann", "ben", "cho")
CLERK = "dan"
TEAM = (*MODELS, CLERK)
TOPIC = "news"
DEEDS = ("charge", "book", "look")
VERBS = ("ask_agent", "ask_agent", "send_agent", "ask_agents", "publish")


class Traffic:
    """Makes plans; the same seed makes the same."""

    def __init__(self, random: Random, depth: int = 2) -> None:
        self._random = random
        self._depth = depth

    def plan(self, name: str, agent: str, level: int = 0) -> Plan:
        """Return a plan for an agent; the plans in it are named after it."""
        steps = []
        for step in range(self._random.randint(0, 3 - level)):
            actions = range(self._random.randint(1, 2))
            steps.append(tuple(self._action(f"{name}.{step}{index}", agent, level) for index in actions))
        return Plan(name, tuple(steps))

    def _action(self, name: str, agent: str, level: int) -> Action:
        if agent != CLERK and (level >= self._depth or self._random.random() < 0.6):
            return Action(self._random.choice(DEEDS), {"item": name})
        verb = self._random.choice(VERBS)
        if verb == "publish":
            return Action(verb, {"topic": TOPIC, "message": self.plan(name, MODELS[-1], level + 1).text})
        others = [other for other in TEAM if other != agent]
        if verb == "ask_agents":
            asked = self._random.sample(others, self._random.randint(2, len(others)))
            mode = self._random.choice(("first", "all", "quorum"))
            # Every one of them gets the same plan, so it has to suit the clerk, too.
            return Action(verb, {"agents": asked, "mode": mode, "message": Plan(name).text})
        other = self._random.choice(others)
        return Action(verb, {"agent": other, "message": self.plan(name, other, level + 1).text})
