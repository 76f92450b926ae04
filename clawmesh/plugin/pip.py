"""Runs pip inside this program, for it has no interpreter to run it with. Only for a process of its own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from pip._internal.cli.main import main
from pip._vendor.urllib3.exceptions import HTTPError

QUIET = ("--disable-pip-version-check", "--no-input", "--progress-bar=off", "--root-user-action=ignore")
# A machine without network should say so after seconds, not after minutes.
PATIENCE = ("--retries=1", "--timeout=15")


class Breakage(logging.Filter):
    """Notices connections that broke, of which pip itself tells only in words."""

    def __init__(self) -> None:
        super().__init__()
        self.reason = ""

    def filter(self, record: logging.LogRecord) -> bool:
        for value in record.args if isinstance(record.args, tuple) else ():
            if isinstance(value, HTTPError):
                self.reason = type(value).__name__
        return True


def install(arguments: Sequence[str]) -> dict[str, Any]:
    """Run `pip install`; return its exit code, and the type of error that broke a connection if one did."""
    breakage = Breakage()
    # A filter, because pip takes the handlers away when it sets up its own.
    logging.getLogger("pip._vendor.urllib3.connectionpool").addFilter(breakage)
    code = main(["install", *QUIET, *PATIENCE, *arguments])
    return {"code": int(code), "unreachable": breakage.reason}
