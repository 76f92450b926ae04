"""The product as it serves: a process that is started, killed, stopped and started again."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from clawmesh.cluster.hold import holder
from tests.recovery.site import Site

STARTS = 30.0
ENDS = 40.0


class Server:
    """A process group with `clawmesh serve` in it; made by `serving`."""

    def __init__(self, site: Site, process: Process, errors: Path) -> None:
        self._site = site
        self._errors = errors
        self.process = process

    async def ready(self) -> bool:
        """Wait until it says that it is ready; False if it ended before."""
        assert self.process.stdout is not None
        async with asyncio.timeout(STARTS):
            return b"is ready" in await self.process.stdout.readline()

    @property
    def workers(self) -> list[int]:
        """The ids of the worker processes, where there are several."""
        found = holder(self._site.data)
        if found is None or found.workers == 1:
            return []
        with suppress(OSError):
            return [int(pid) for pid in Path(f"/proc/{found.pid}/task/{found.pid}/children").read_text().split()]
        return []

    async def kill(self) -> None:
        """End all of it at once, if it has not ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        # Unlike `wait` this sees the end of its output, too, after which nothing of it is left here.
        await self.process.communicate()

    async def died(self, seconds: float) -> bool:
        """Wait for its end for so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.process.wait()
        return self.process.returncode is not None

    async def stop(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.terminate()
        async with asyncio.timeout(ENDS):
            return await self.process.wait()

    @property
    def said(self) -> str:
        """Return what all processes of this site said on standard error."""
        return self._errors.read_text()


@asynccontextmanager
async def serving(site: Site, *before: str, **environ: str) -> AsyncIterator[Server]:
    """Start to serve, by what stands `before` the command, until the block ends; `ready` waits until it does."""
    errors = site.folder / "errors.txt"
    with errors.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *before,
            str(site.executable),
            "serve",
            cwd=site.folder,
            env={**site.environ, **environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=file,
            start_new_session=True,
        )
    server = Server(site, process, errors)
    try:
        yield server
    finally:
        await server.kill()
