from __future__ import annotations

import asyncio
import os
from pathlib import Path

import anyio
import apsw
import pytest

from clawmesh.abc.journal import Kind
from clawmesh.errors import StorageError
from clawmesh.journal.connection import connect_reading
from clawmesh.journal.reader import ThreadShelf
from clawmesh.journal.runner import ThreadRunner
from tests.journal.samples import accepted, ended, opened, snapshot, told

pytestmark = pytest.mark.anyio


async def test_many_sessions_wake_at_once_each_with_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path / "0.db") as journal:
        for number in range(200):
            journal.append(snapshot(f"bot/{number}", str(number).encode(), at=1795574574.1661943 + number))
            journal.append(accepted(str(number), f"bot/{number}", at=1795574574.1661943))
            journal.append(told(Kind.STEP, str(number), data=bytes(range(256))))
            position = journal.append(ended(str(number)))
        await journal.durable(position)
        woken = await asyncio.gather(*(journal.reader.wake(f"bot/{number}") for number in range(200)))
    for number, each in enumerate(woken):
        assert each.snapshot == snapshot(f"bot/{number}", str(number).encode(), at=1795574574.1661943 + number)
        assert each.tail[0][0] == accepted(str(number), f"bot/{number}", at=1795574574.1661943)
        assert each.tail[0][1].data == bytes(range(256))


async def test_names_of_any_letters_come_back_as_they_are(tmp_path: Path) -> None:
    name = "bot/\"\\'\n\t\x01ä😀 [null]"
    async with opened(tmp_path / "0.db") as journal:
        journal.append(accepted("a", name, key=name))
        await journal.durable(journal.append(ended("a")))
        assert (await journal.reader.wake(name)).tail == [[accepted("a", name, key=name), ended("a")]]


async def test_a_read_that_fails_is_told_and_the_next_one_begins_anew(tmp_path: Path) -> None:
    async with opened(tmp_path / "0.db"):
        shelf = ThreadShelf(lambda: connect_reading(str(tmp_path / "0.db")), ThreadRunner("test"))
        shelf.start()
        with pytest.raises(apsw.SQLError, match="no such table: nowhere"):
            await shelf.read(lambda connection: connection.execute("SELECT * FROM nowhere").get)
        assert await shelf.read(lambda connection: connection.execute("SELECT count(*) FROM entry").get) == 0
        await shelf.close()
        with pytest.raises(StorageError, match="the journal is closed"):
            await shelf.read(lambda connection: connection.execute("SELECT 1").get)


async def test_one_who_does_not_wait_holds_up_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path / "0.db") as journal:
        for number in range(50):
            with anyio.CancelScope() as scope:
                scope.cancel()
                await journal.reader.story(str(number))
        assert await journal.reader.story("env_a") == []


async def test_the_log_stays_short_under_load(tmp_path: Path) -> None:
    longest = 0
    async with opened(tmp_path / "0.db") as journal:
        for start in range(0, 60_000, 2_000):
            for number in range(start, start + 2_000):
                position = journal.append(told(Kind.STEP, f"{number:09}", data=bytes(2_000)))
            await journal.durable(position)
            longest = max(longest, os.stat(tmp_path / "0.db-wal").st_size)
    assert os.stat(tmp_path / "0.db").st_size > 100 << 20
    assert longest < 64 << 20
