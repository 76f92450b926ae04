"""An agent for launchd, on macOS; see launchd.plist(5)."""

from __future__ import annotations

import plistlib
from collections.abc import Mapping
from pathlib import Path

from clawmesh.service.plan import Plan

LABEL = "clawmesh"
FILE = f"{LABEL}.plist"
STOP_SECONDS = 45
FILES = 65_536


def agent(plan: Plan, environment: Mapping[str, str], log: Path) -> str:
    """Return the property list; what the mesh says goes to `log`.

    launchd reads no file of keys: those that the configuration takes from the environment go into the list's
    `EnvironmentVariables`, or better into files that the configuration names.
    """
    content = {
        "Label": LABEL,
        "ProgramArguments": [*plan.words],
        "EnvironmentVariables": dict(environment),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": STOP_SECONDS,
        "Umask": 0o077,
        "SoftResourceLimits": {"NumberOfFiles": FILES},
        "HardResourceLimits": {"NumberOfFiles": FILES},
        "StandardOutPath": str(log),
        "StandardErrorPath": str(log),
        **({"UserName": plan.user} if plan.system and plan.user else {}),
    }
    return plistlib.dumps(content, sort_keys=False).decode()
