"""One life of a simulated process: from the opening of its journal to its end, which may come at any moment."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypeVar, cast

import anyio
from anyio.abc import TaskGroup

from clawmesh.abc.context import Services
from clawmesh.abc.journal import Kind
from clawmesh.abc.tool import Effect
from clawmesh.agent.hooks import Hooks
from clawmesh.agent.roster import Parts, Roster
from clawmesh.agent.session import Sessions
from clawmesh.config.model import AgentConfig, Limits, MeshSettings
from clawmesh.config.source import Place, Source
from clawmesh.failpoint import Failpoints
from clawmesh.ids import Ids
from clawmesh.mesh.ending import CLOSED
from clawmesh.mesh.engine import Engine, Means, open_engine
from clawmesh.mesh.record import read_accepted
from clawmesh.testing.journal import open_simulated_journal
from tests.recovery.shop import Deed, Note, Planner, clerk, read
from tests.recovery.traffic import CLERK, MODELS, TEAM, TOPIC
from tests.recovery.witness import Witness
from tests.simulation.loop import LoopClock
from tests.simulation.storage import Storage

T = TypeVar("T")
DRAIN = 30.0
PLACE = Place(Source(Path("simulation.toml")), ("agents",))
EFFECTS = {"charge": Effect.UNSAFE, "book": Effect.IDEMPOTENT, "look": Effect.PURE}


class GoneError(Exception):
    """The process ended before it answered."""


class Surroundings(Protocol):
    """What a life finds in its world."""

    clock: LoopClock
    random: Random
    settings: MeshSettings
    storage: Storage
    witness: Witness

    def pause(self) -> float:
        """Return how long the disk takes for one thing, in seconds."""

    async def deed(self, life: Life, key: str, name: str, arguments: Mapping[str, Any]) -> None:
        """Let an effect happen, or fail."""


class Life:
    """Runs the real engine, the real turns and the real journal; `die` ends it as a kill does.

    `clean` says that it ended in good order, `left` how many envelopes it left to the next one.
    """

    def __init__(self, number: int, world: Surroundings, plan: Mapping[str, int]) -> None:
        self.number = number
        self.dead = False
        self.clean = False
        self.left = 0
        self.failure: BaseException | None = None
        self._world = world
        self._failpoints = Failpoints(plan, lambda _name: self.die(power=False))
        self._ready: Future[Engine] = get_running_loop().create_future()
        self._over = anyio.Event()
        self.ended = anyio.Event()
        self._calls: dict[Future[Any], None] = {}
        self._tasks: TaskGroup | None = None

    async def run(self) -> None:
        """Live until `stop` or `die`."""
        try:
            async with anyio.create_task_group() as self._tasks:
                if not self.dead:
                    await self._live()
                    self.clean = not self.dead
                self._tasks.cancel_scope.cancel()
        except* Exception as group:  # noqa: BLE001 - judged by the world
            # The process would have ended by it, and the next one begun.
            self.failure = _first(group)
        finally:
            self._part()
            self.ended.set()

    def stop(self) -> None:
        """End in good order."""
        self._over.set()

    def die(self, *, power: bool) -> None:
        """End at once, with the process or the whole machine; whatever is still done in this life has no effect."""
        if self.dead:
            return
        self._world.storage.part(power=power)
        self._part()
        if self._tasks is not None:
            get_running_loop().call_soon(self._tasks.cancel_scope.cancel)

    async def call(self, work: Callable[[Engine], Awaitable[T]]) -> T:
        """Let the engine do something for a caller outside.

        Raises:
            GoneError: the process ended meanwhile.
        """
        if self.dead:
            raise GoneError
        await self._wait(self._ready)
        answer: Future[T] = get_running_loop().create_future()
        assert self._tasks is not None
        self._tasks.start_soon(self._serve, work, answer)
        return await self._wait(answer)

    async def _wait(self, future: Future[T]) -> T:
        self._calls[future] = None
        try:
            return await future
        finally:
            self._calls.pop(future, None)

    async def _serve(self, work: Callable[[Engine], Awaitable[T]], answer: Future[T]) -> None:
        try:
            value = await work(self._ready.result())
        except Exception as error:  # noqa: BLE001 - it is the caller's
            if not self.dead and not answer.done():
                answer.set_exception(error)
            return
        if not self.dead and not answer.done() and value is not CLOSED:
            answer.set_result(value)

    def _part(self) -> None:
        """Cut the ties to the world outside."""
        self.dead = True
        for future in [*self._calls, self._ready]:
            if not future.done():
                future.set_exception(GoneError())
                future.exception()  # somebody may wait for it or not

    async def _live(self) -> None:
        disk, clock = self._world.storage.disk, self._world.clock
        async with open_simulated_journal(
            disk, clock=clock, failpoints=self._failpoints, warn=self._warn, pause=self._world.pause
        ) as journal:
            for story in await journal.reader.pending():
                to, message = read_accepted(story[0].data).to, read_accepted(story[0].data).message
                steps = sum(entry.kind is Kind.STEP for entry in story)
                if not self.dead:  # or the disk that it reads is not the one that the next life will find
                    self._world.witness.own(self.number, to, read(message).name, steps)
            ids = Ids(clock, Random(self._world.random.getrandbits(64)))
            sessions = Sessions(journal, clock, self._world.settings, lambda _agent: 200, 10**15)
            roster = Roster(self._parts(sessions, ids))
            topics = dict.fromkeys(TEAM, (TOPIC,))
            means = Means(clock, ids, journal, self._warn)
            async with (
                open_engine(roster.handle, topics, self._world.settings, means) as engine,
                _tended(sessions, engine, self._warn),
            ):
                if not self._ready.done():
                    self._ready.set_result(engine)
                await self._over.wait()
                engine.gate.hold("end", "the mesh ends")
                with anyio.move_on_after(DRAIN):
                    await engine.drained()
                self.left = engine.under_way

    def _parts(self, sessions: Sessions, ids: Ids) -> Parts:
        clock, random = self._world.clock, Random(self._world.random.getrandbits(64))
        note = self._note()
        agents = {
            name: AgentConfig(
                name=name,
                type="llm" if name in MODELS else "clerk",
                backend=("planner",),
                model="planner",
                tools=tuple(EFFECTS),
                peers=TEAM,
                topics=(TOPIC,),
                limits=Limits(seconds=300.0),
                place=PLACE,
            )
            for name in TEAM
        }
        return Parts(
            agents=agents,
            backends={"planner": Planner(note)},
            models={"planner": "planner"},
            tools={name: Deed(name, effect, note) for name, effect in EFFECTS.items()},
            memories={},
            coded={CLERK: clerk},
            hooks=Hooks((), lambda incident: self._world.witness.complain(str(incident)), clock),
            services=Services(cast(Any, None), clock, ids, random, Path()),
            sessions=sessions,
            report=lambda _setback: None,
        )

    def _note(self) -> Note:
        async def note(key: str, name: str, arguments: Mapping[str, Any]) -> None:
            await self._world.deed(self, key, name, arguments)

        return note

    def _warn(self, _text: str) -> None:
        """Nobody reads it here: what a warning is about is seen in the journal."""


@asynccontextmanager
async def _tended(sessions: Sessions, engine: Engine, warn: Callable[[str], None]) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sessions.tend, engine, warn)
        yield
        tasks.cancel_scope.cancel()


def _first(group: BaseExceptionGroup[Exception]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
