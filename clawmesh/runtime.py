"""How this process is set up: garbage collection, file descriptors, event loop. The one place for all three."""

from __future__ import annotations

import gc
import resource
import sys
from importlib.util import find_spec
from typing import Any

# Only young objects are looked at while work is under way. With these thresholds the longest look takes 7 ms as ten
# thousand streams begin; at (50_000, 20, 100) it took 14 to 28 ms, and with ten thousand turns one of 300 ms at the
# older ones, which never found anything. Those are left to `collect`.
THRESHOLDS = (10_000, 1_000_000, 1_000_000)
# Young collections after which there may be so much to find that `collect` is worth its time.
PASSES = 20


def tune() -> None:
    """Set limits and garbage collection for a process that holds many conversations."""
    gc.set_threshold(*THRESHOLDS)
    raise_descriptors()


def settle() -> None:
    """Exempt what start-up has made from garbage collection.

    Together with rare young collections it brings the longest pause at 10,000 streams from over 100 ms to under 2 ms.
    """
    gc.freeze()


def collect() -> None:
    """Free what young collections have left behind, if that may be much.

    It takes about 0.3 s where a million objects are alive, so its moment is one when nothing is under way.
    """
    if gc.get_count()[1] >= PASSES:
        gc.collect()
        gc.freeze()


def raise_descriptors() -> int:
    """Raise the soft limit on file descriptors to the hard one; returns the limit in force."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def resident() -> int:
    """Return the bytes of memory that this process holds (RSS)."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:  # without /proc, or a descriptor, the system tells only the most it was, in KiB or (macOS) bytes
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def trim() -> None:
    """Give memory that is free back to the system, where the C library can (glibc)."""
    # Here, not above: few processes ever need it, and it takes milliseconds to import.
    import ctypes  # noqa: PLC0415

    if release := getattr(ctypes.CDLL(None), "malloc_trim", None):
        release(0)


def loop_options() -> dict[str, Any]:
    """Return anyio's options for the event loop: uvloop where there is one."""
    return {"use_uvloop": find_spec("uvloop") is not None}
