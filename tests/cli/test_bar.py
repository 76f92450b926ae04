from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from contextlib import suppress

from clawmesh.cli.bar import WIDTH, Bar
from clawmesh.cli.console import Console


def drawn(columns: int, *steps: tuple[str, float]) -> str:
    """Return what a terminal of that width gets."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(theirs, "w", encoding="utf-8") as errors, Bar(Console(io.StringIO(), errors, {}), "measuring") as bar:
        for what, share in steps:
            bar.show(what, share)
    text = b""
    with suppress(OSError):  # which is how the end reads where the other side is closed
        while True:
            text += os.read(ours, 10_000)
    os.close(ours)
    return text.decode()


def test_a_terminal_sees_a_bar_that_is_gone_in_the_end() -> None:
    full, empty = "█" * WIDTH, "░" * WIDTH
    half = "█" * (WIDTH // 2) + "░" * (WIDTH // 2)
    assert drawn(80, ("a", 0.0), ("a", 0.5), ("a", 0.5), ("b", 1.0)).split("\r\x1b[2K")[1:] == [
        f"{empty}   0%  measuring a",
        f"{half}  50%  measuring a",
        f"{full} 100%  measuring b",
        "",
    ]


def test_a_bar_stays_on_its_line() -> None:
    assert all(len(line) < 30 for line in drawn(30, ("many words", 0.5)).split("\r\x1b[2K"))


def test_a_terminal_of_no_width_is_taken_for_a_usual_one() -> None:
    assert "  measuring many words" in drawn(0, ("many words", 0.5))


def test_elsewhere_each_part_is_a_line() -> None:
    errors = io.StringIO()
    with Bar(Console(io.StringIO(), errors, {}), "measuring") as bar:
        for what, share in (("a", 0.0), ("a", 0.5), ("b", 0.7)):
            bar.show(what, share)
    assert errors.getvalue() == "measuring a\nmeasuring b\n"
