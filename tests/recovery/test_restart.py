"""The executable after an end that it did not choose, and on disks that fail it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from clawmesh.clock import SystemClock
from clawmesh.cluster.hold import socket_of
from clawmesh.cluster.joint import open_joint
from clawmesh.errors import BusyError, FailedError, JointError, MeshError, StorageError
from clawmesh.ids import Ids
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.messages import Message
from tests.recovery.ledger import Effect, Fault, Ledger, open_ledger
from tests.recovery.log import read_logs
from tests.recovery.server import Server, serving
from tests.recovery.shop import Account, Action, Plan
from tests.recovery.site import Site

pytestmark = pytest.mark.timeout(120)
IDS = Ids(SystemClock())
# A turn goes on within this many seconds of a restart, and a shared machine may be slow.
RESUMED = 5.0 * 4


def enveloped(to: str, plan: Plan, *, kind: str = "ask", seconds: float = 60.0) -> Envelope:
    return Envelope(
        id=IDS.new("env"),
        sender="user",
        to=Address.parse(to),
        kind=kind,  # type: ignore[arg-type]
        message=Message.user(plan.text),
        deadline=SystemClock().monotonic() + seconds,
    )


async def handed_in(data: Path, envelope: Envelope, *, again: bool = False) -> Outcome | None:
    """Hand an envelope to the process that serves; return the outcome, None of what was only sent.

    Raises JointError where the process ends before.
    """
    async with open_joint(socket_of(data, 0), SystemClock(), lasting=False) as joint:
        delivery = Delivery(envelope)
        delivery.again = again
        await joint.deliver(delivery)
        outcome = None if envelope.kind == "send" else await delivery.waiter()
        if outcome is not None and isinstance(outcome.error, JointError):
            raise outcome.error
        return outcome


def told(outcome: Outcome | None) -> Account:
    assert outcome is not None
    assert outcome.message is not None, outcome.error
    return msgspec.json.decode(outcome.message.text, type=Account)


async def seen(condition: Callable[[], bool], ledger: Ledger) -> None:
    await asyncio.to_thread(ledger.wait_for, condition, RESUMED)


def step(tool: str, item: str = "it") -> tuple[Action, ...]:
    return (Action(tool, {"item": item}),)


class Hold:
    """Lets nothing of this name return from the ledger, once it is counted, until it is let go."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.held = True

    def __call__(self, effect: Effect) -> Fault:
        return Fault(after=3600.0 if self.held and effect.name == self._name else 0.0)


@pytest.mark.parametrize("tool", ["charge", "book", "look"])
def test_a_killed_turn_goes_on_from_its_last_step(executable: Path, tmp_path: Path, tool: str) -> None:
    """What the model has said is not asked again, and a tool is called again as its effect allows."""
    hold = Hold(tool)
    plan = Plan("plan", (step("book", "before"), step(tool), step("look", "after")))

    async def main(site: Site, ledger: Ledger) -> Account:
        envelope = enveloped("ann/s", plan)
        async with serving(site) as server:
            assert await server.ready(), server.said
            waiting = asyncio.create_task(handed_in(site.data, envelope))
            await seen(lambda: sum(ledger.attempts(tool).values()) >= 1 + (tool == "book"), ledger)
        with pytest.raises(JointError):
            await waiting
        hold.held = False
        async with serving(site) as server:
            await seen(lambda: bool(ledger.attempts("model")["plan#2"]), ledger)
            assert await server.ready(), server.said
            account = told(await handed_in(site.data, envelope, again=True))
            assert await server.stop() == 0
        return account

    with open_ledger(lambda effect: hold(effect) if effect.arguments.get("item") == "it@ann/s" else Fault()) as ledger:
        site = Site(executable, tmp_path)
        site.furnish(ledger.url)
        account = asyncio.run(main(site, ledger))
    assert [ledger.attempts("model")[f"plan#{number}"] for number in range(4)] == [1, 1, 1, 1]
    assert account.results[0] == ("book before@ann/s",)
    assert account.results[2] == ("look after@ann/s",)
    keys = [effect.key for effect in ledger.effects if effect.arguments.get("item") == "it@ann/s"]
    assert len(set(keys)) == 1
    if tool == "charge":
        assert len(keys) == 1
        assert "its outcome is unknown" in account.results[1][0]
    else:
        assert len(keys) == 2
        assert account.results[1] == (f"{tool} it@ann/s",)


def test_a_poisoned_turn_is_set_aside_after_three_tries(executable: Path, tmp_path: Path) -> None:
    poisoned, sound = enveloped("ann/s", Plan("bad", (step("poison"),))), enveloped("ben/s", Plan("good"))

    async def main(site: Site, ledger: Ledger) -> tuple[Outcome | None, Account]:
        async with serving(site) as server:
            assert await server.ready(), server.said
            with pytest.raises(JointError):
                await handed_in(site.data, poisoned)
        for _ in range(2):
            async with serving(site) as server:
                assert await server.died(RESUMED)
        async with serving(site) as server:
            assert await server.ready(), server.said
            account = told(await handed_in(site.data, sound))
            outcome = await handed_in(site.data, poisoned, again=True)
            assert await server.stop() == 0
        return outcome, account

    with open_ledger() as ledger:
        site = Site(executable, tmp_path)
        site.furnish(ledger.url)
        outcome, account = asyncio.run(main(site, ledger))
        assert "the process ended 3 times" in site.run("dead", "list").stdout
    assert account.name == "good"
    assert outcome is not None
    assert outcome.ending is Ending.DEAD
    assert isinstance(outcome.error, FailedError)
    assert sum(ledger.attempts("poison").values()) == 3
    assert ledger.attempts("model")["bad#0"] == 1


def test_a_process_that_was_stopped_goes_on(executable: Path, tmp_path: Path) -> None:
    """Whatever waits for it meanwhile is neither lost nor done twice."""
    plan = Plan("plan", (step("charge"), step("look")))

    async def main(site: Site, ledger: Ledger) -> Account:
        async with serving(site) as server:
            assert await server.ready(), server.said
            waiting = asyncio.create_task(handed_in(site.data, enveloped("ann/s", plan)))
            await seen(lambda: bool(ledger.attempts("charge")), ledger)
            os.killpg(server.process.pid, signal.SIGSTOP)
            other = asyncio.create_task(handed_in(site.data, enveloped("ben/s", Plan("other"))))
            await asyncio.sleep(0)
            os.killpg(server.process.pid, signal.SIGCONT)
            account, _ = told(await waiting), told(await other)
            assert await server.stop() == 0
        return account

    with open_ledger(lambda effect: Fault(after=0.5 if effect.name == "charge" else 0.0)) as ledger:
        site = Site(executable, tmp_path)
        site.furnish(ledger.url)
        account = asyncio.run(main(site, ledger))
    assert account.results == (("charge it@ann/s",), ("look it@ann/s",))
    assert [*ledger.attempts("charge").values()] == [1]


def served(executable: Path, folder: Path) -> tuple[Site, Path]:
    """Return a site that was killed while its journal held something, and the journal."""

    async def main(site: Site) -> None:
        async with serving(site) as server:
            assert await server.ready(), server.said
            told(await handed_in(site.data, enveloped("ann/s", Plan("plan"))))

    with open_ledger() as ledger:
        site = Site(executable, folder)
        site.furnish(ledger.url)
        asyncio.run(main(site))
    return site, site.data / "journal" / "0.db"


def test_a_damaged_journal_is_refused_and_left_as_it_is(executable: Path, tmp_path: Path) -> None:
    site, journal = served(executable, tmp_path)
    damaged = journal.read_bytes()[:4096] + os.urandom(len(journal.read_bytes()) - 4096)
    journal.write_bytes(damaged)
    journal.with_name("0.db-wal").write_bytes(b"")
    said = site.run("serve", code=1).stderr
    assert f"the journal {journal} is damaged" in said
    assert "Traceback" not in said
    assert journal.read_bytes() == damaged


def test_a_log_that_is_gone_is_missed(executable: Path, tmp_path: Path) -> None:
    site, journal = served(executable, tmp_path)
    journal.with_name("0.db-wal").unlink()
    said = site.run("serve", code=1).stderr
    assert "its log 0.db-wal is gone" in said
    assert "Traceback" not in said


@pytest.fixture
def private() -> list[str]:
    """Return the words that start a shell with mounts of its own."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("only root can mount a file system")
    return ["unshare", "--mount", "sh", "-ec"]


def test_a_data_directory_that_cannot_be_written_is_named(executable: Path, tmp_path: Path, private: list[str]) -> None:
    site, _journal = served(executable, tmp_path)
    mount = f'mount --bind {site.data} {site.data}; mount -o remount,ro,bind {site.data}; exec "$@"'
    words = [*private, mount, "sh", str(executable), "serve"]
    done = subprocess.run(words, cwd=site.folder, env=site.environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert str(site.data) in done.stderr
    assert "Traceback" not in done.stderr


def test_on_a_full_disk_nothing_is_promised_that_is_not_kept(
    executable: Path, tmp_path: Path, private: list[str]
) -> None:
    promised: list[str] = []

    async def send(data: Path, number: int) -> bool:
        envelope = enveloped("ann/s", Plan(f"plan{number}"), kind="send", seconds=2.0)
        try:
            await handed_in(data, envelope)
        except (BusyError, StorageError, JointError, MeshError):
            return False
        promised.append(envelope.id)
        return True

    async def main(site: Site) -> None:
        small = f"mount -t tmpfs -o size=6m,mode=700 none {site.data}"
        mount = f'cp -a {site.data} {site.folder}/kept; {small}; cp -a {site.folder}/kept/. {site.data}; exec "$@"'
        async with serving(site, *private, mount, "sh") as server:
            assert await server.ready(), server.said
            await fill(server, Path(f"/proc/{server.process.pid}/root{site.data}"))
            assert await server.stop() == 0
            assert "Traceback" not in server.said

    async def fill(server: Server, data: Path) -> None:
        number = 0
        while number < 20:
            number += await send(data, number)
        filler = data / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        while await send(data, number):
            number += 1
        async with open_joint(socket_of(data, 0), SystemClock(), lasting=False) as joint:
            assert "the disk is full" in (await joint.query("status"))["trouble"]
        filler.unlink()
        async with asyncio.timeout(RESUMED):
            while not await send(data, number):
                pass
        # It comes after all that was sent to this session.
        account = told(await handed_in(data, enveloped("ann/s", Plan("last"))))
        assert {f"plan{index}" for index in range(20)} <= {*account.seen}
        shutil.copytree(data / "journal", tmp_path / "journal")

    with open_ledger() as ledger:
        site = Site(executable, tmp_path)
        site.furnish(ledger.url)
        asyncio.run(main(site))
    log, faults = read_logs(tmp_path / "journal")
    assert faults == []
    assert {*promised} <= {entry.envelope for entry in log}
