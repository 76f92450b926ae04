"""A supervised program for tests: `python crew.py WORKERS MOOD` speaks in lines of what happens to it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from clawmesh.cluster.supervisor import DRAINED, HURRY, READY, Supervisor, Tell


def say(text: str) -> None:
    # One write a line, so that those of several processes do not mix.
    os.write(1, f"{text}\n".encode())


def work(number: int, tell: Tell) -> int:
    """Wait for SIGTERM, according to the mood."""
    mood = sys.argv[2]
    stops = {signal.SIGTERM, HURRY}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    say(f"worker {number} is {os.getpid()}")
    if mood == "misfit" and number == 1:
        return 2
    if mood == "dying":
        os.kill(os.getpid(), signal.SIGKILL)
    tell(READY)
    if mood == "raising":
        raise ZeroDivisionError("oh")
    signal.sigwait(stops)
    say(f"worker {number} is told")
    if mood == "slow":
        signal.sigwait(stops)
        say(f"worker {number} is told again")
        return 0
    if mood == "deaf":
        while True:
            signal.sigwait(stops)
            say(f"worker {number} does not care")
    if mood == "needed" and number == 0:
        signal.sigtimedwait({HURRY}, 0.3)
        say("worker 0 has drained at last")
    if mood == "mortal" and number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    tell(DRAINED)
    signal.sigwait(stops)
    say(f"worker {number} ends")
    return 1 if mood == "failing" and number else 0


def main() -> int:
    Path(sys.argv[3]).write_text(f"{os.getpid()}")
    supervisor = Supervisor(work, int(sys.argv[1]), lambda: say("ready"), lambda text: say(f"warning: {text}"))
    code = supervisor.run()
    say(f"ended after {time.process_time():.0f} s of work")
    return code


if __name__ == "__main__":
    sys.exit(main())
