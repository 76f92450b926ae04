"""Kill the serving product again and again while callers speak to it, and prove that nothing is lost and nothing twice.

By hand: python -m tests.recovery.siege --kills 1000 [--seed 0] [--workers 2]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.conftest import ROOT
from tests.recovery.caller import Caller
from tests.recovery.checker import Checker
from tests.recovery.ledger import Effect, Fault, Ledger, open_ledger
from tests.recovery.log import read_logs
from tests.recovery.server import Server
from tests.recovery.site import Site
from tests.recovery.witness import Deed, Witness

CALLERS = 6
FINISH = 120.0


class Siege:
    """One site, its callers, and one process after the other."""

    def __init__(self, site: Site, ledger: Ledger, seed: int) -> None:
        self._site = site
        self._ledger = ledger
        self._random = Random(seed)
        self._witness = Witness()

    async def run(self, kills: int) -> list[str]:
        """Kill so often; return all that is wrong in the end."""
        callers = [
            Caller(f"caller{number}", self._site, self._witness, Random(self._random.random()))
            for number in range(CALLERS)
        ]
        speaking = [asyncio.create_task(caller.run()) for caller in callers]
        try:
            while kills > 0:
                kills -= await self._attack(kills)
            server = await Server.start(self._site)
            assert await server.ready(), server.said
            for caller in callers:
                caller.over.set()
            async with asyncio.timeout(FINISH):
                await asyncio.gather(*speaking)
            code = await server.stop()
        finally:
            for task in speaking:
                task.cancel()
        return [*([f"exit code {code}: {server.said}"] if code else []), *self._judge(server)]

    async def _attack(self, kills: int) -> int:
        """Start a process and kill it, or one of its workers before; return how many kills that were."""
        random = self._random
        server = await Server.start(self._site)
        done = 1
        try:
            if random.random() < 0.15:
                await asyncio.sleep(random.random() * 0.5)
            else:
                assert await server.ready(), server.said
                await asyncio.sleep(random.random() ** 2 * 0.6)
                while done < kills and random.random() < 0.5 and (workers := server.workers):
                    with suppress(ProcessLookupError):
                        os.kill(random.choice(workers), signal.SIGKILL)
                        done += 1
                    await asyncio.sleep(random.random() * 0.5)
        finally:
            await server.kill()
        return done

    def _judge(self, server: Server) -> list[str]:
        log, faults = read_logs(self._site.data / "journal")
        for effect in self._ledger.effects:
            self._witness.deeds.append(Deed(0, effect.key, effect.name, effect.arguments))
        if "Traceback" in server.said:
            faults.append(server.said)
        return [*faults, *Checker(self._witness, log).faults(calm=False)]


def faulty(random: Random) -> Ledger:
    """Return a ledger that is slow at times, and at times does not answer."""

    def fault(_effect: Effect) -> Fault:
        if random.random() < 0.6:
            return Fault()
        lost = random.random() < 0.05
        return Fault(before=random.random() * 0.1, after=random.random() * 0.1, forgets_to_answer=lost)

    return Ledger(fault)


def besiege(executable: Path, folder: Path, kills: int, *, seed: int, workers: int) -> list[str]:
    """Run one siege in a folder; return all that is wrong."""
    with open_ledger(faulty(Random(seed)).fault) as ledger:
        site = Site(executable, folder)
        site.furnish(ledger.url, f"workers = {workers}")
        return asyncio.run(Siege(site, ledger, seed).run(kills))


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args(words)
    executable = Path(os.environ.get("CLAWMESH_EXECUTABLE") or ROOT / "build" / "dist" / "clawmesh")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        faults = besiege(executable, Path(folder), arguments.kills, seed=arguments.seed, workers=arguments.workers)
    for fault in faults:
        print(fault)
    print(f"{arguments.kills} kills in {time.monotonic() - began:.0f} s: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
