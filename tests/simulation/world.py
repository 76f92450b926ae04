"""A simulated world: callers, processes that come and go, a disk, and what goes wrong with all of them."""

from __future__ import annotations

import hashlib
import traceback
from asyncio import Future, get_running_loop
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing, suppress
from random import Random
from typing import Any, TypeVar

import anyio
from msgspec import Struct

from clawmesh.config.model import MeshSettings
from clawmesh.errors import BusyError, ClawmeshError, FullError, OverloadedError, StorageError, ToolError
from clawmesh.mesh.address import Address
from clawmesh.mesh.engine import Engine
from clawmesh.mesh.envelope import Outcome
from clawmesh.messages import Message
from tests.recovery.checker import Checker
from tests.recovery.shop import Plan
from tests.recovery.traffic import TEAM, Traffic
from tests.recovery.witness import Deed, Wish, Witness
from tests.simulation.life import GoneError, Life
from tests.simulation.loop import LoopClock, VirtualLoop
from tests.simulation.storage import Storage

T = TypeVar("T")
FAILPOINTS = ("journal.begin", "journal.commit", "journal.committed", "journal.checkpoint", "journal.checkpointed")
MISHAPS = ("kill", "kill", "power", "power", "restart", "slow", "better", "better", "stuck", "jump", "full", "failing")
HORIZON = 5_000.0


class Result(Struct, frozen=True):
    """What came of one seed; `faults` are what must not be, `digest` is the same for the same run."""

    seed: int
    faults: tuple[str, ...]
    seconds: float
    lives: int
    entries: int
    digest: str


class World:
    """Everything in it follows from its seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.calm = self.random.random() < 0.2
        self.loop = VirtualLoop(Random(self.random.getrandbits(64)) if self.random.random() < 0.5 else None)
        self.clock = LoopClock(self.loop)
        self.witness = Witness()
        self.storage = Storage(Random(self.random.getrandbits(64)), self._shake)
        self._fragile = 0.0 if self.calm else self.random.choice((0.0, 0.0005, 0.005))
        self.settings = MeshSettings(
            hibernate=self.random.choice((0.5, 4.0)), mailbox=1000 if self.calm else self.random.choice((1, 3, 1000))
        )
        self._patience = (200.0, 600.0) if self.calm else self.random.choice(((2.0, 40.0), (200.0, 600.0)))
        self._traffic = Traffic(self.random)
        self._life: Life | None = None
        self._lives = 0
        self._born: list[Future[Life]] = []
        self._ending = False
        self._slow = 0.0
        self._stuck_until = 0.0

    def run(self) -> Result:
        """Let it all happen, and hold it against the journal."""
        with closing(self.loop) as loop:
            loop.set_exception_handler(lambda _loop, context: self.witness.complain(str(context)))
            loop.run_until_complete(self._main())
            seconds = loop.time()
        log, faults = self.storage.read()
        faults += Checker(self.witness, log).faults(calm=self.calm)
        return Result(self.seed, tuple(faults), seconds, self._lives, len(log), digest(log))

    async def deed(self, life: Life, key: str, name: str, arguments: Mapping[str, Any]) -> None:
        """Let an effect happen after a while, and fail at times, before or after it."""
        await self._work(life)
        failing = not self.calm and self.random.random() < 0.05
        if not failing or self.random.random() < 0.5:
            self.witness.deeds.append(Deed(life.number, key, name, arguments))
        await self._work(life)
        if failing:
            raise OverloadedError("too much") if name == "model" else ToolError("no luck")

    async def _work(self, life: Life) -> None:
        await anyio.sleep(self.random.expovariate(4.0) if self.random.random() < 0.9 else 0.0)
        if (left := self._stuck_until - self.loop.time()) > 0:
            await anyio.sleep(left)
        if life.dead:
            await anyio.sleep_forever()

    async def _main(self) -> None:
        with anyio.move_on_after(HORIZON) as horizon:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._live, tasks.cancel_scope)
                async with anyio.create_task_group() as callers:
                    for number in range(self.random.randint(1, 5)):
                        callers.start_soon(self._call, f"caller{number}")
                    if not self.calm:
                        tasks.start_soon(self._trouble)
                await self._end()
                tasks.cancel_scope.cancel()
        if horizon.cancelled_caught:
            self.witness.complain(f"not drained after {HORIZON} s")

    async def _live(self, everything: anyio.CancelScope) -> None:
        """Start a process again and again; one that ends by itself is the end of it all."""
        while True:
            self._lives += 1
            life = self._life = Life(self._lives, self, {} if self.calm or self._ending else self._failpoints())
            for waiter in self._born:
                if not waiter.done():
                    waiter.set_result(life)
            self._born.clear()
            self.storage.forget()
            await life.run()
            if isinstance(life.failure, StorageError) and self.storage.troubled:
                life.failure = None  # as it must be: whoever watches over it starts it again
            if life.failure is not None:
                self.witness.complain("".join(traceback.format_exception(life.failure)))
                everything.cancel()
            await anyio.sleep(self.random.expovariate(1.0))

    def _failpoints(self) -> Mapping[str, int]:
        if self.random.random() < 0.5:
            return {}
        return {self.random.choice(FAILPOINTS): 1 + int(self.random.expovariate(0.1))}

    async def _trouble(self) -> None:
        """Let things go wrong until the end."""
        while not self._ending:
            await anyio.sleep(self.random.expovariate(0.15))
            if self._life is not None and not self._ending:
                self._mishap(self._life)

    def _mishap(self, life: Life) -> None:
        kind = self.random.choice(MISHAPS)
        if kind in ("kill", "power"):
            life.die(power=kind == "power")
        elif kind == "restart":
            life.stop()
        elif kind == "slow":
            self._slow = self.random.uniform(0.5, 5.0)
        elif kind == "better":
            self._slow = 0.0
            self.storage.heal()
        elif kind == "full":
            self.storage.fill()
        elif kind == "failing":
            self.storage.fail(self.random.randint(1, 3))
        elif kind == "stuck":
            self._stuck_until = self.loop.time() + self.random.expovariate(0.05)
        else:
            self.clock.jump(self.random.choice((-3600.0, -1.0, 1.0, 3600.0)))

    def pause(self) -> float:
        """Return how long the disk takes for one thing, in seconds."""
        return self.random.expovariate(1000.0) + self.random.random() * self._slow

    def _shake(self) -> None:
        """Lose the power at times in the very moment of writing."""
        if self._life is not None and self.random.random() < self._fragile:
            self._life.die(power=True)

    async def _end(self) -> None:
        """Let everything come to its outcome with nothing new going wrong, then end in good order."""
        self._ending = True
        self._slow = self._stuck_until = self._fragile = 0.0
        self.storage.heal()
        clean = False
        while not clean:
            await self._persist(lambda engine: engine.drained())
            life = await self._current()
            life.stop()
            await life.ended.wait()
            clean = life.clean and not life.left

    async def _persist(self, work: Callable[[Engine], Awaitable[T]]) -> T:
        """Ask again until there is an answer."""
        while True:
            try:
                return await (await self._current()).call(work)
            except (GoneError, BusyError, FullError, StorageError):
                await anyio.sleep(0.1 + self.random.random())

    async def _current(self) -> Life:
        """Return the life of the moment, the next one where there is none."""
        if self._life is not None and not self._life.dead:
            return self._life
        waiter: Future[Life] = get_running_loop().create_future()
        self._born.append(waiter)
        return await waiter

    async def _call(self, caller: str) -> None:
        """Say one thing after the other, as a person or a program does."""
        sessions = [f"{self.random.choice(TEAM)}/{self.random.choice('xyz')}" for _ in range(2)]
        for number in range(self.random.randint(1, 6)):
            session = self.random.choice(sessions)
            name = f"{caller}.{number}"
            plan = self._traffic.plan(name, Address.parse(session).agent)
            manner = self.random.choice(("ask", "ask", "send", "once"))
            self.witness.wishes.append(Wish(name, caller, session, number, manner != "once"))
            await self._say(manner, session, plan, caller)
            await anyio.sleep(self.random.expovariate(0.5))

    async def _say(self, manner: str, session: str, plan: Plan, caller: str) -> None:
        to, message, seconds = Address.parse(session), Message.user(plan.text), self.random.uniform(*self._patience)

        def ask(engine: Engine) -> Awaitable[Outcome]:
            key = plan.name if manner == "ask" else ""
            return engine.ask(to, message, sender=caller, seconds=seconds, key=key)

        def send(engine: Engine) -> Awaitable[str]:
            return engine.send(to, message, sender=caller, seconds=seconds, key=plan.name)

        if manner == "once":
            with suppress(GoneError, ClawmeshError):  # then the caller will never know what became of it
                self.witness.hear(plan.name, await (await self._current()).call(ask))
            return
        for _ in range(self.random.choice((1, 1, 2))):
            if manner == "ask":
                self.witness.hear(plan.name, await self._persist(ask))
            else:
                self.witness.promise(plan.name, await self._persist(send))


def digest(log: object) -> str:
    """Return a short word for what happened."""
    return hashlib.sha256(repr(log).encode()).hexdigest()[:12]
