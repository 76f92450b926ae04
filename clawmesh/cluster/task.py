"""Background work that lives as long as a block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio


@asynccontextmanager
async def beside(*work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run functions beside the block and cancel them at its end; one that fails cancels the block."""
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        for each in work:
            tasks.start_soon(each)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group, which would wrap it
            failure = error
        finally:
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
