"""Measures in a process of its own, so that memory and processor time are those of one measurement alone."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from traceback import format_exception
from typing import Any, TypeVar

from clawmesh.bench.suite import Advance
from clawmesh.errors import ResourceError

T = TypeVar("T")

# What ends a command.
SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let the signals that end a command wait until the block has been left.

    Between the making of something and the `with` that would end it, a KeyboardInterrupt leaves it behind: make and
    hand it to an exit stack within this block.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def apart(measure: Callable[[Advance], T], advance: Advance) -> T:
    """Call `measure` in a fork of this process and return what it returns; call it where no event loop runs yet.

    Raises:
        ResourceError: it failed, or its process ended before it was done.
    """
    with forked(lambda pipe: _report(measure, pipe)) as pipe:
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
    with forked(lambda pipe: _report(work, pipe)) as pipe:
        share = 0.0
        while share < 1:
            _, share = _hear(pipe)
            advance(share)


@contextmanager
def forked(work: Callable[[Connection], object]) -> Iterator[Connection]:
    """Call `work` in a fork of this process, which is killed with the block; each has one end of a pipe.

    A process that dies closes its end. Ctrl-C is not for it but for this process.
    """
    context = multiprocessing.get_context("fork")  # a frozen program has no interpreter that could be spawned
    ours, theirs = context.Pipe()
    with ExitStack() as stack:
        with undisturbed():
            process = context.Process(target=_begin, args=(work, theirs))
            process.start()
            stack.callback(_end, process, ours)
            theirs.close()
        yield ours


def _begin(work: Callable[[Connection], object], pipe: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whoever forked us may handle it in ways of its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    work(pipe)


def _end(process: BaseProcess, pipe: Connection) -> None:
    process.kill()
    process.join()
    pipe.close()


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


def _report(work: Callable[[Advance], object], pipe: Connection) -> None:
    try:
        pipe.send(("done", work(lambda share: pipe.send(("share", share)))))
    except Exception as error:  # noqa: BLE001 - raised again by those who wait for the figures
        first: Exception = error
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        pipe.send(("failed", (f"{type(first).__name__}: {first}", "".join(format_exception(error)))))
