"""What is told of another process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from clawmesh.bench.door import Door, room
from clawmesh.errors import ResourceError


def test_a_process_is_seen_from_outside() -> None:
    code = "sum(range(3_000_000)); print(flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        door = Door(80, process.pid)
        assert door.cpu_seconds() > 0
        assert door.resident() > 1024 * 1024
        process.communicate(b"\n")
    with pytest.raises(ResourceError, match="processor time"):
        door.cpu_seconds()
    with pytest.raises(ResourceError, match="memory"):
        door.resident()


def test_half_as_many_find_room_where_each_takes_two_descriptors() -> None:
    assert room(2) == room(1) // 2
    assert Door(80, os.getpid()).cpu_seconds() > 0


def test_a_request_says_what_the_server_wants_to_know() -> None:
    assert Door(80, 1, "secret").request("POST", "/x", b"{}") == (
        b"POST /x HTTP/1.1\r\nHost: 127.0.0.1:80\r\nAccept: */*\r\nAuthorization: Bearer secret\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert b"Content" not in Door(80, 1).request("GET", "/x")
