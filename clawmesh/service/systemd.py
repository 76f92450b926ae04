"""A unit for systemd; see systemd.service(5), systemd.exec(5) and systemd.syntax(7)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clawmesh.errors import UsageError
from clawmesh.service.plan import NAME, STATE, Plan

UNIT = f"{NAME}.service"
MARK = "# Written by 'clawmesh service install'"
CACHE = Path("/var/cache/clawmesh")

# A start may have to look through large journals; an end may take 20 s for turns and some more for the disk.
START_SECONDS, STOP_SECONDS = 180, 45
FILES = 65_536
UNFIT = {"'", '"', "\\"}

# What works in every manager, that of a user too, and leaves room for what the mesh starts itself: no system call
# filter, no RestrictNamespaces and nothing over /proc, or bubblewrap could not make its sandboxes; no
# MemoryDenyWriteExecute, or foreign functions (ctypes) and compiled plugins would fail.
HARDENING = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
UMask=0077
"""
# These need the rights of the system's manager.
FURTHER = """\
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RemoveIPC=yes
KeyringMode=private
"""
NETWORK = """\
After=network-online.target
Wants=network-online.target
"""


def unit(plan: Plan, environment: Mapping[str, str]) -> str:
    """Return the unit's text.

    Raises:
        UsageError: systemd starts no program that has such a name.
    """
    if unfit := UNFIT & set(plan.command[0]):
        shown = " and ".join(sorted(unfit))
        raise UsageError(f"systemd starts no program with {shown} in its path: move {plan.command[0]} elsewhere")
    command = " ".join(map(quoted, plan.words))
    return f"""\
{MARK}, which replaces it; 'clawmesh service uninstall' removes it.
[Unit]
Description=ClawMesh, agents that talk to each other ({verbatim(plan.data)})
{NETWORK if plan.system else ""}StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
# The colon keeps systemd from taking a dollar sign in a path for a variable.
ExecStart=:{command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
# A wrong configuration does not mend itself.
RestartPreventExitStatus=2
TimeoutStartSec={START_SECONDS}
TimeoutStopSec={STOP_SECONDS}
# The supervisor tells its workers; what does not end by itself is killed with it.
KillMode=mixed
LimitNOFILE={FILES}
# NAME=value lines: keys that the configuration takes from the environment. Mode 0600; it need not be there.
EnvironmentFile=-{verbatim(plan.keys)}
{"".join(f"Environment={quoted(f'{name}={value}')}{chr(10)}" for name, value in environment.items())}\
{_identity(plan)}{HARDENING}{FURTHER if plan.system else ""}
[Install]
WantedBy={"multi-user.target" if plan.system else "default.target"}
"""


def _identity(plan: Plan) -> str:
    """Return who the service is, and where it may write."""
    if not plan.system:
        return ""
    if plan.user:
        return f"User={verbatim(plan.user)}\nReadWritePaths={quoted(str(plan.data))}\n" + _cache()
    assert plan.data == STATE  # the system makes it, for the user that it invents
    return f"DynamicUser=yes\nStateDirectory={STATE.name}\nStateDirectoryMode=0700\n" + _cache()


def _cache() -> str:
    return f"CacheDirectory={CACHE.name}\nCacheDirectoryMode=0700\nEnvironment=CLAWMESH_RUNTIME_DIR={CACHE}\n"


def quoted(word: str) -> str:
    """Return a word for a line that systemd splits into words."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{verbatim(escaped)}"'


def verbatim(text: str | Path) -> str:
    """Return a text for a line that systemd takes whole: only its specifiers are kept from being replaced."""
    return str(text).replace("%", "%%")
