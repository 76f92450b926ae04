"""Measures in a process of its own, so that memory and processor time are those of one measurement alone."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from traceback import format_exception
from typing import Any, TypeVar

from clawmesh.bench.suite import Advance
from clawmesh.errors import ResourceError

T = TypeVar("T")


def apart(measure: Callable[[Advance], T], advance: Advance) -> T:
    """Call `measure` in a fork of this process and return what it returns; call it where no event loop runs yet.

    Raises:
        ResourceError: it failed, or its process ended before it was done.
    """
    with _forked(measure) as pipe:
        done = False
        while not done:
            done, value = _hear(pipe)
            if not done:
                advance(value)
    result: T = value
    return result


def killed(work: Callable[[Advance], object], advance: Advance) -> None:
    """Call `work` in a fork of this process and end that with SIGKILL as soon as it says that its share is 1.

    Raises as `apart` does.
    """
    with _forked(work) as pipe:
        share = 0.0
        while share < 1:
            _, share = _hear(pipe)
            advance(share)


@contextmanager
def _forked(work: Callable[[Advance], object]) -> Iterator[Connection]:
    context = multiprocessing.get_context("fork")  # a frozen program has no interpreter that could be spawned
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, theirs))
    process.start()
    theirs.close()  # so that a process which dies ends the wait for its word
    try:
        yield ours
    finally:
        process.kill()
        process.join()
        ours.close()


def _hear(pipe: Connection) -> tuple[bool, Any]:
    """Return whether the work is done, and its result or its share."""
    try:
        word, value = pipe.recv()
    except EOFError as error:
        raise ResourceError("the process that measured ended before it was done") from error
    if word == "failed":
        sentence, traceback = value
        raise ResourceError(sentence) from ResourceError(traceback)
    return word == "done", value


def _work(work: Callable[[Advance], object], pipe: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whoever forked us may handle it in ways of its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for them; they end us
    try:
        pipe.send(("done", work(lambda share: pipe.send(("share", share)))))
    except Exception as error:  # noqa: BLE001 - raised again by those who wait for the figures
        first: Exception = error
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        pipe.send(("failed", (f"{type(first).__name__}: {first}", "".join(format_exception(error)))))
