"""A look at the machine: descriptors, memory, clock, system, and what can keep tools in bounds."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from clawmesh.doctor.finding import Finding, fail, ok, warn
from clawmesh.machine import cores, memory

MIB = 1 << 20
FILES_LEAST, FILES_ENOUGH = 256, 4_096
MEMORY_LEAST, MEMORY_ENOUGH = 128 * MIB, 512 * MIB
# Nothing was written by this program before that.
FIRST_DAY = 1_767_225_600.0
SKEW_SECONDS = 60.0
SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies")
CLOCK = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
MEMINFO = Path("/proc/meminfo")
OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_VERSION = 1


def descriptors(limit: int | None = None) -> Finding:
    """Look at how many files a process may have open."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] if limit is None else limit
    if most == resource.RLIM_INFINITY or most >= FILES_ENOUGH:
        return ok("file descriptors", "unlimited" if most == resource.RLIM_INFINITY else f"{most:,} at once")
    text = f"a process may have {most:,} files and connections open at once"
    mend = "raise the hard limit: LimitNOFILE= in a systemd unit, or 'ulimit -Hn 65536' before the start"
    return (fail if most < FILES_LEAST else warn)("file descriptors", text, mend)


def room(meminfo: Path = MEMINFO, most: int | None = None) -> Finding:
    """Look at how much memory there is, and how much of it is free."""
    most = memory() if most is None else most
    free = min(most, _available(meminfo, most))
    text = f"{free // MIB:,} MB of {most // MIB:,} MB are free, on {cores()} cores"
    mend = "10,000 conversations take about 300 MB: end other programs, or give the container more"
    if free < MEMORY_LEAST:
        return fail("memory", text, mend)
    return warn("memory", text, mend) if free < MEMORY_ENOUGH else ok("memory", text)


def _available(meminfo: Path, most: int) -> int:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return most  # a system that does not tell
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else most


def clock(data: Path, now: float | None = None, source: Path = CLOCK) -> Iterator[Finding]:
    """Look whether the clock can be right: later than this program is, and than what it has written."""
    now = time.time() if now is None else now
    written = [
        path.stat().st_mtime for path in [*(data / "journal").glob("*.db*"), data / "trust.toml"] if path.exists()
    ]
    newest = max(written, default=0.0)
    shown = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
    mend = "set the clock, and let it be kept: timedatectl set-ntp true"
    if now < FIRST_DAY:
        yield fail("clock", f"it says {shown}, which is before this program was made", mend)
    elif newest > now + SKEW_SECONDS:
        ahead = newest - now
        yield fail("clock", f"it says {shown}, and the data directory was written to {ahead:,.0f} s later", mend)
    else:
        yield ok("clock", shown)
    kind = source.read_text().strip() if source.exists() else ""
    if kind in SLOW_CLOCKS:
        mend = "a machine whose kernel trusts its tsc tells the time fifty times faster"
        yield warn("clock", f"the kernel reads the time from {kind}, which is slow", mend)


def system(overcommit: Path = OVERCOMMIT) -> Iterator[Finding]:
    """Tell what the kernel and the C library are, and what of them is in the way."""
    libc = " ".join(filter(None, platform.libc_ver()))
    yield ok("system", ", ".join(filter(None, [f"{platform.system()} {platform.release()}", platform.machine(), libc])))
    if overcommit.exists() and overcommit.read_text().strip() == "2":
        mend = "sysctl vm.overcommit_memory=0, or leave much more memory than is used"
        yield warn("system", "the kernel promises no more memory than there is (vm.overcommit_memory=2)", mend)


def sandbox() -> Finding:
    """Tell what this machine has to keep tools in bounds that run commands and code."""
    if sys.platform != "linux":
        return ok("sandbox", "none on this system")
    bubblewrap = shutil.which("bwrap")
    abi = _landlock()
    facts = [
        f"bubblewrap {'at ' + bubblewrap if bubblewrap else 'is not installed'}",
        f"Landlock {f'version {abi}' if abi > 0 else 'is not in this kernel'}",
    ]
    return ok("sandbox", ", ".join(facts))


def _landlock() -> int:
    """Return the version of Landlock that the kernel has; see landlock_create_ruleset(2)."""
    try:
        call = ctypes.CDLL(None, use_errno=True).syscall
    except (OSError, AttributeError):
        return 0
    return int(call(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION))


def user() -> Iterator[Finding]:
    """Tell whether this runs as root, which nothing here needs."""
    if os.geteuid() == 0:
        mend = "run the mesh as a user of its own: what its tools may do, they may do to everything here"
        yield warn("user", "this is root", mend)
