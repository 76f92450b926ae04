"""Tells when it is this machine that has nothing left, and not the other that fails."""

from __future__ import annotations

import errno
import os

SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


def out_of_descriptors() -> OSError | None:
    """Return why no file can be opened; the system's resolver does not say so when it cannot open its own."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error
    return None
