"""Kill the serving product again and again while callers speak to it, and prove that nothing is lost and nothing twice.

By hand: python -m tests.recovery.siege --kills 1000 [--seed 0] [--workers 1 2 3]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from tests.conftest import ROOT
from tests.recovery.caller import Caller
from tests.recovery.checker import Checker
from tests.recovery.ledger import FINE, Effect, Fault, Ledger, open_ledger
from tests.recovery.log import read_logs
from tests.recovery.server import Server, serving
from tests.recovery.site import Site
from tests.recovery.witness import Deed, Witness

CALLERS = 6
FINISH = 120.0
REACHED = 3.0


class Siege:
    """One site, its callers, and one process after the other."""

    def __init__(self, site: Site, ledger: Ledger, seed: int, workers: Sequence[int]) -> None:
        self._site = site
        self._ledger = ledger
        self._random = Random(seed)
        self._workers = workers
        self._witness = Witness()
        self._callers: list[Caller] = []
        self._speaking: list[asyncio.Task[None]] = []

    async def kill(self, kills: int) -> list[str]:
        """Kill so often; return all that is wrong in the end."""
        with self._crowd():
            while kills > 0:
                kills -= await self._attack(kills)
            return await self._finish()

    async def kill_at(self, failpoint: str) -> list[str] | None:
        """Kill once, at a failpoint; return all that is wrong in the end, or None if it was not reached."""
        with self._crowd():
            async with serving(self._site, CLAWMESH_FAILPOINT=failpoint) as server:
                reached = await server.died(REACHED) or await server.stop() == -signal.SIGKILL
            faults = await self._finish()
        return faults if reached else None

    @contextmanager
    def _crowd(self) -> Iterator[None]:
        """Let callers speak, also where nobody listens."""
        for number in range(CALLERS):
            caller = Caller(f"caller{number}", self._site, self._witness, Random(self._random.random()))
            self._callers.append(caller)
            self._speaking.append(asyncio.create_task(caller.run()))
        try:
            yield
        finally:
            for task in self._speaking:
                task.cancel()

    async def _attack(self, kills: int) -> int:
        """Start a process and kill it, or one of its workers before; return how many kills that were."""
        random = self._random
        self._site.configure(self._ledger.url, random.choice(self._workers))
        done = 1
        async with serving(self._site) as server:
            if random.random() < 0.15:
                await asyncio.sleep(random.random() * 0.5)
                return done
            assert await server.ready(), server.said
            await asyncio.sleep(random.random() ** 2 * 0.6)
            while done < kills and random.random() < 0.5 and (workers := server.workers):
                with suppress(ProcessLookupError):
                    os.kill(random.choice(workers), signal.SIGKILL)
                    done += 1
                await asyncio.sleep(random.random() * 0.5)
        return done

    async def _finish(self) -> list[str]:
        """Let everybody come to an end with a last process; return all that is wrong."""
        async with serving(self._site) as server:
            assert await server.ready(), server.said
            for caller in self._callers:
                caller.over.set()
            async with asyncio.timeout(FINISH):
                await asyncio.gather(*self._speaking)
            code = await server.stop()
        return [*([f"exit code {code}: {server.said}"] if code else []), *self._judge(server)]

    def _judge(self, server: Server) -> list[str]:
        log, faults = read_logs(self._site.data / "journal")
        for effect in self._ledger.effects:
            self._witness.deeds.append(Deed(0, effect.key, effect.name, effect.arguments))
        if "Traceback" in server.said:
            faults.append(server.said)
        return [*faults, *Checker(self._witness, log).faults(calm=False)]


@contextmanager
def besieged(executable: Path, folder: Path, *, seed: int, workers: Sequence[int] = (1,)) -> Iterator[Siege]:
    """Furnish a site in a folder, with a ledger that is slow at times, and at times does not answer.

    Each process has one of these numbers of `workers`.
    """
    random = Random(seed)

    def fault(_effect: Effect) -> Fault:
        if random.random() < 0.6:
            return FINE
        lost = random.random() < 0.05
        return Fault(before=random.random() * 0.1, after=random.random() * 0.1, forgets_to_answer=lost)

    folder.mkdir(exist_ok=True)
    with open_ledger(fault) as ledger:
        site = Site(executable, folder)
        site.furnish(ledger.url)
        yield Siege(site, ledger, seed, workers)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    arguments = parser.parse_args(words)
    executable = Path(os.environ.get("CLAWMESH_EXECUTABLE") or ROOT / "build" / "dist" / "clawmesh")
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        besieged(executable, Path(folder), seed=arguments.seed, workers=arguments.workers) as siege,
    ):
        faults = asyncio.run(siege.kill(arguments.kills))
    for fault in faults:
        print(fault)
    print(f"{arguments.kills} kills in {time.monotonic() - began:.0f} s: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
