"""The supervisor: starts the workers, replaces one that dies, and ends when all have ended.

It has no event loop and no threads, so that what it forks is whole, and it loads no more than what they all share.
"""

from __future__ import annotations

import ctypes
import math
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, TypeAlias

Tell: TypeAlias = Callable[[bytes], None]
Work: TypeAlias = Callable[[int, Tell], int]
"""What a worker does: takes its number, and what tells the supervisor how far it is; returns its exit code.

It tells READY once. At a SIGTERM it drains, tells DRAINED, and goes on for the others, which may still need it; at
HURRY it ends, drained or not.
"""

READY, DRAINED = b"r", b"d"
# Not SIGTERM again: two of the same kind, one right after the other, are one.
HURRY = signal.SIGUSR1
# After this the workers that have not ended are killed.
DRAIN_SECONDS = 28.0
# One that lived for so long was in no crash loop.
SOUND_SECONDS = 10.0
PAUSES = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
STOPS = (signal.SIGTERM, signal.SIGINT)
# Passed on to the first worker, which reads the configuration again.
RELOAD = signal.SIGHUP
# So many of them are passed on to the workers; one more kills them.
PATIENCE = 2
PR_SET_PDEATHSIG = 1
PIPE_BYTES = 4096


class Worker:
    """A worker's place, and the process that fills it: `pid` is 0 while there is none."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid = 0
        self.told = -1  # a pipe on which it tells how far it is
        self.state = b""
        self.deaths = 0
        self.started = 0.0
        self.due = 0.0

    @property
    def opening(self) -> bool:
        """Whether it has been started, and is not ready yet."""
        return self.pid != 0 and not self.state

    def hang_up(self) -> None:
        """Hear no more of it."""
        if self.told >= 0:
            os.close(self.told)
        self.told = -1


class Supervisor:
    """Does `work` in several processes; `ready` is called once, when all of them are.

    Workers that drain are ended only when all have drained: until then one may need what another has to say. If one
    cannot start, the first may still say why it cannot either; then all are ended.
    """

    def __init__(self, work: Work, workers: int, ready: Callable[[], None], warn: Callable[[str], None]) -> None:
        self._work = work
        self._workers = [Worker(number) for number in range(workers)]
        self._ready = ready
        self._warn = warn
        self._announced = False
        self._doomed = False
        self._ending = False
        self._stops = 0
        self._until = 0.0
        self._code = 0

    def run(self) -> int:
        """Return the exit code: 0 if a signal ended it and every worker ended in good order.

        SIGTERM or SIGINT ends the workers; one more makes them quicker, a third one kills them. SIGHUP is passed on.
        """
        with _wakeups() as wakeups:
            while True:
                for worker in self._workers:
                    self._fill(worker)
                if self._ending and not self._running:
                    return self._code
                readable = select.select([wakeups, *self._pipes], [], [], self._pause())[0]
                for number in os.read(wakeups, PIPE_BYTES) if wakeups in readable else b"":
                    if number in STOPS:
                        self._stop()
                    elif number == RELOAD and self._workers[0].state:
                        os.kill(self._workers[0].pid, RELOAD)
                for worker in self._workers:
                    if worker.told in readable:
                        self._hear(worker)
                    self._look(worker)
                if self._doomed and not self._ending and not self._workers[0].opening:
                    self._stop()
                if self._stops == 1 and all(worker.state == DRAINED for worker in self._running):
                    self._stop()
                if self._ending and time.monotonic() >= self._until:
                    self._kill()

    @property
    def _running(self) -> Sequence[Worker]:
        return [worker for worker in self._workers if worker.pid]

    @property
    def _pipes(self) -> Sequence[int]:
        return [worker.told for worker in self._workers if worker.told >= 0]

    def _pause(self) -> float | None:
        """Return after how many seconds there is something to do without anything happening."""
        now = time.monotonic()
        if self._ending:
            return max(0.0, self._until - now) if self._until < math.inf else None
        dues = [worker.due - now for worker in self._workers if not worker.pid and not self._doomed]
        return max(0.0, min(dues)) if dues else None

    def _fill(self, worker: Worker) -> None:
        """Start a process in an empty place, when its time has come."""
        if worker.pid or self._ending or self._doomed or time.monotonic() < worker.due:
            return
        worker.started = time.monotonic()
        worker.state = b""
        worker.told, tell = os.pipe()
        worker.pid = self._fork(worker.number, tell)
        os.close(tell)

    def _fork(self, number: int, tell: int) -> int:
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        # No signal may reach the child while its handlers are still ours.
        signal.pthread_sigmask(signal.SIG_BLOCK, (*STOPS, RELOAD))
        pid = os.fork()
        if not pid:
            _perform(self._work, number, tell, parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOPS, RELOAD))
        return pid

    def _hear(self, worker: Worker) -> None:
        """Take note of how far a worker is."""
        state = os.read(worker.told, PIPE_BYTES)[-1:]
        if not state:
            worker.hang_up()
            return
        worker.state = state
        if not self._announced and all(each.state for each in self._workers):
            self._announced = True
            self._ready()
        if state == DRAINED and not self._ending:
            os.kill(worker.pid, HURRY)  # somebody has told it alone to end

    def _look(self, worker: Worker) -> None:
        """Take note of a worker's end."""
        pid, status = os.waitpid(worker.pid, os.WNOHANG) if worker.pid else (0, 0)
        if not pid:
            return
        worker.pid = 0
        worker.state = b""
        worker.hang_up()
        code = os.waitstatus_to_exitcode(status)
        if self._ending:
            self._code = self._code or min(abs(code), 1)
        elif code > 0 and not self._announced:
            # What keeps one from starting keeps all of them.
            self._code = self._code or code
            self._doomed = True
        else:
            self._mourn(worker, code)

    def _mourn(self, worker: Worker, code: int) -> None:
        """Say how a worker ended, and when it is started again."""
        now = time.monotonic()
        worker.deaths = 1 if now - worker.started > SOUND_SECONDS else worker.deaths + 1
        pause = PAUSES[min(worker.deaths, len(PAUSES)) - 1]
        worker.due = now + pause
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._warn(f"worker {worker.number} {how}; it is started again{f' in {pause} s' if pause else ''}")

    def _stop(self) -> None:
        self._stops += 1
        if not self._ending:
            self._ending = True
            self._until = time.monotonic() + DRAIN_SECONDS
        if self._stops > PATIENCE:
            self._kill()
        for worker in self._running:
            os.kill(worker.pid, signal.SIGTERM if self._stops == 1 else HURRY)

    def _kill(self) -> None:
        for worker in self._running:
            self._warn(f"worker {worker.number} does not end and is killed")
            os.kill(worker.pid, signal.SIGKILL)
        self._until = math.inf


def _heeded() -> Sequence[signal.Signals]:
    """Return the signals that are ours to handle; under nohup SIGHUP is not."""
    return [each for each in (*STOPS, RELOAD, signal.SIGCHLD) if signal.getsignal(each) is not signal.SIG_IGN]


@contextmanager
def _wakeups() -> Iterator[int]:
    """Turn signals into bytes of a pipe, which is yielded."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = {each: signal.signal(each, _note) for each in _heeded()}
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(-1)
        for each, handler in before.items():
            signal.signal(each, handler)
        os.close(reading)
        os.close(writing)


def _note(_number: int, _frame: object) -> None:
    """Handle a signal: its number is in the pipe."""


def _perform(work: Work, number: int, tell: int, parent: int) -> NoReturn:
    """Do a worker's work and end with its exit code, whatever happens."""
    code = 1
    try:
        _detach(parent)
        code = work(number, lambda state: _write(tell, state))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - a fork must not go on as if it were its parent
        traceback.print_exc()
    finally:
        os._exit(code)


def _write(pipe: int, state: bytes) -> None:
    os.write(pipe, state)


def _detach(parent: int) -> None:
    """Give a fork signals of its own, and let it be killed when its parent ends, where the system can."""
    signal.set_wakeup_fd(-1)
    for each in _heeded():
        signal.signal(each, signal.SIG_DFL)
    for each in (signal.SIGINT, signal.SIGHUP):  # what the terminal says is for the supervisor, which ends us
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOPS, RELOAD))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
