from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from clawmesh.agent.hooks import Incident
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.loader import load
from clawmesh.plugin.trust import Trust
from tests.plugin.workshop import Workshop

TOOL = "def {name}() -> str:\n    'Do.'\n    return 'done'\ndef register_tools(): return {{'{name}': {name}}}"


def test_a_new_file_is_not_run(workshop: Workshop) -> None:
    workshop.write("fresh.py", f"open({str(workshop.root / 'ran')!r}, 'w')")
    plugin = workshop.find("fresh", workshop.load())
    assert plugin.state == "untrusted"
    assert plugin.reason == "not trusted yet; read it, then run: clawmesh plugins trust fresh"
    assert not (workshop.root / "ran").exists()


def test_a_changed_file_is_not_run_until_it_is_trusted_again(workshop: Workshop) -> None:
    assert workshop.load_one("mine", TOOL.format(name="one")).state == "loaded"
    path = workshop.write("mine.py", TOOL.format(name="two"))
    changed = workshop.find("mine", workshop.load())
    assert (changed.state, changed.registers) == ("changed", ())
    assert changed.reason == "changed since it was trusted; read it, then run: clawmesh plugins trust mine"
    workshop.trust(path)
    assert list(workshop.load().catalogue.tools) == ["two"]


def test_a_file_added_to_a_package_changes_it(workshop: Workshop) -> None:
    package = workshop.write("pack/__init__.py", TOOL.format(name="one")).parent
    workshop.trust(package)
    assert workshop.find("pack", workshop.load()).state == "loaded"
    workshop.write("pack/json.py", "")
    assert workshop.find("pack", workshop.load()).state == "changed"


def test_compiled_code_in_a_package_is_neither_hashed_nor_run(workshop: Workshop) -> None:
    package = workshop.write("pack/__init__.py", "from .inner import register_tools").parent
    workshop.write("pack/inner.py", TOOL.format(name="one"))
    workshop.trust(package)
    workshop.write("pack/__pycache__/inner.cpython-311.pyc", "no code")
    assert workshop.find("pack", workshop.load()).state == "loaded"


def test_what_was_hashed_is_what_runs(workshop: Workshop) -> None:
    """A module imported late comes from the bytes that were trusted, whatever lies there by then."""
    workshop.write("pack/inner.py", "WHICH = 'trusted'")
    package = workshop.write(
        "pack/__init__.py",
        """
        def which():
            'Tell.'
            from . import inner
            return inner.WHICH
        def register_tools(): return {'which': which}
        """,
    ).parent
    workshop.trust(package)
    loaded = workshop.load()
    workshop.write("pack/inner.py", "WHICH = 'swapped'")
    assert loaded.catalogue.tools["which"]() == "trusted"


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_can_write_is_refused(workshop: Workshop, mode: int) -> None:
    path = workshop.write("open.py", TOOL.format(name="one"))
    workshop.trust(path)
    path.chmod(mode)
    plugin = workshop.find("open", workshop.load())
    who = "its group" if mode == 0o664 else "everyone"
    assert plugin.state == "quarantined"
    assert plugin.reason == f"{path}: can be written by {who} (mode {mode:04o}); run: chmod go-w {path}"


def test_a_folder_that_others_can_write_is_refused(workshop: Workshop) -> None:
    path = workshop.write("mine.py", TOOL.format(name="one"))
    workshop.trust(path)
    path.parent.chmod(0o777)
    plugin = workshop.find("mine", workshop.load())
    assert plugin.reason == f"{path.parent}: can be written by everyone (mode 0777); run: chmod go-w {path.parent}"


@pytest.mark.parametrize("where", ["link.py", "pack/inner.py"])
def test_a_symbolic_link_is_refused(workshop: Workshop, where: str) -> None:
    target = workshop.root / "elsewhere.py"
    target.write_text(TOOL.format(name="one"))
    if where.startswith("pack"):
        workshop.write("pack/__init__.py", TOOL.format(name="two"))
    path = workshop.root / "plugins" / where
    path.symlink_to(target)
    plugin = workshop.find(where.removesuffix("/inner.py").removesuffix(".py"), workshop.load())
    assert plugin.state == "quarantined"
    assert plugin.reason == f"{path}: is a symbolic link; put the file itself there"


def test_a_pipe_is_refused_at_once(workshop: Workshop) -> None:
    path = workshop.root / "plugins" / "pipe.py"
    os.mkfifo(path, 0o600)
    assert workshop.find("pipe", workshop.load()).reason == f"{path}: is no regular file"


def test_a_huge_file_is_refused(workshop: Workshop) -> None:
    path = workshop.write("huge.py", "#" * (4 * 1024 * 1024 + 1))
    assert workshop.find("huge", workshop.load()).reason == f"{path}: is larger than 4 MiB"


def test_a_file_that_cannot_be_a_module_is_named_so(workshop: Workshop) -> None:
    workshop.write("my-tool.py", TOOL.format(name="one"))
    plugin = workshop.find("my-tool", workshop.load())
    assert (plugin.state, plugin.reason) == ("quarantined", '"my-tool" is no Python name; call it my_tool.py')


def test_files_that_begin_with_an_underscore_or_a_dot_are_no_plugins(workshop: Workshop) -> None:
    workshop.write("_draft.py", "")
    workshop.write(".hidden.py", "")
    workshop.write("notes.txt", "")
    workshop.write("folder/module.py", "")
    assert workshop.load().plugins == ()


def test_a_name_registered_twice_names_both_files(workshop: Workshop) -> None:
    bundled = workshop.write("ours.py", TOOL.format(name="clock"), "bundled")
    theirs = workshop.load_one("theirs", TOOL.format(name="clock"))
    assert theirs.state == "quarantined"
    assert theirs.reason == f'{theirs.file}: the tool "clock" is already registered by {bundled}; rename one'
    loaded = workshop.load()
    assert loaded.catalogue.tools["clock"].__module__ == "clawmesh_plugins.ours"


def test_a_quarantined_plugin_registers_nothing_at_all(workshop: Workshop) -> None:
    workshop.write("ours.py", TOOL.format(name="clock"), "bundled")
    text = TOOL.format(name="clock").replace("{'clock'", "{'other': clock, 'clock'") + "\ndef before_tool(call): pass"
    assert workshop.load_one("theirs", text).state == "quarantined"
    loaded = workshop.load()
    assert list(loaded.catalogue.tools) == ["clock"]
    assert loaded.hooks.names == ()


def test_two_plugins_of_one_name_are_told_apart(workshop: Workshop) -> None:
    first = workshop.write("mine.py", TOOL.format(name="one"))
    second = workshop.write("mine.py", TOOL.format(name="two"), "data/plugins")
    workshop.trust(first)
    workshop.trust(second)
    loaded = workshop.load()
    assert [plugin.state for plugin in loaded.plugins] == ["loaded", "quarantined"]
    assert loaded.plugins[1].reason == f'{second}: the name "mine" is taken by {first}; rename one'
    assert loaded.catalogue.tools["one"]() == "done"


def test_a_plugin_may_be_called_like_a_package(workshop: Workshop) -> None:
    plugin = workshop.load_one("json", "import json\nassert json.loads('1') == 1\n" + TOOL.format(name="one"))
    assert plugin.state == "loaded"


def test_a_disabled_plugin_is_not_run(workshop: Workshop) -> None:
    workshop.load_one("mine", TOOL.format(name="one"))
    loaded = workshop.load(disabled=["mine", "mein"])
    assert [(plugin.name, plugin.state) for plugin in loaded.plugins] == [("mine", "disabled"), ("mein", "missing")]
    assert loaded.plugins[1].reason == 'disabled, but there is no such plugin; did you mean "mine"?'
    assert loaded.catalogue.tools == {}


def test_a_traceback_begins_in_the_plugin(workshop: Workshop) -> None:
    plugin = workshop.load_one("broken", "def f():\n    return 1 / 0\nf()")
    assert plugin.traceback.startswith(f'Traceback (most recent call last):\n  File "{plugin.file}", line 3')
    assert plugin.traceback.endswith("ZeroDivisionError: division by zero\n")
    assert "clawmesh/plugin" not in plugin.traceback


def test_ctrl_c_during_an_import_is_not_the_plugins_fault(workshop: Workshop) -> None:
    workshop.trust(workshop.write("slow.py", "raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        workshop.load()


def test_a_slow_import_is_reported(workshop: Workshop) -> None:
    def slow() -> None:
        workshop.clock.advance(2.5)

    sys.modules["clawmesh_plugins.tests_slow"] = module = type(sys)("clawmesh_plugins.tests_slow")
    module.__dict__["slow"] = slow
    plugin = workshop.load_one("lazy", "from clawmesh_plugins.tests_slow import slow\nslow()\ndef before_tool(): pass")
    assert (plugin.state, plugin.seconds) == ("loaded", 2.5)
    assert [str(incident) for incident in workshop.incidents] == [
        "plugin lazy: import has taken 2.50 s; the whole mesh waits for it"
    ]


def test_an_import_that_hangs_is_reported_while_it_does(workshop: Workshop) -> None:
    reported = threading.Event()
    sys.modules["clawmesh_plugins.tests_hang"] = module = type(sys)("clawmesh_plugins.tests_hang")
    module.__dict__["wait"] = reported.wait
    path = workshop.write(
        "stuck.py", "from clawmesh_plugins.tests_hang import wait\nassert wait(20)\ndef after_tool(): ..."
    )
    workshop.trust(path)
    incidents: list[str] = []

    def report(incident: Incident) -> None:
        incidents.append(str(incident))
        reported.set()

    trust = Trust.open(workshop.folders.trust)
    loaded = load(workshop.folders, trust, clock=workshop.clock, report=report, patience=0.01)
    assert loaded.plugins[0].state == "loaded"
    assert incidents == ["plugin stuck: import has taken 0.01 s; the whole mesh waits for it"]


def test_httpx_is_the_client_that_is_bundled(workshop: Workshop) -> None:
    plugin = workshop.write(
        "web.py",
        """
        import httpx, httpx2
        from httpx import AsyncClient
        assert httpx is httpx2 and AsyncClient is httpx2.AsyncClient
        def before_tool(): pass
        """,
    )
    # In a process of its own: in this one, a client of some provider may have imported the other httpx before.
    words = [sys.executable, "-m", "clawmesh", "plugins", "check", str(plugin)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=50)
    assert done.stderr.startswith("ok\n")


def test_installed_packages_come_after_those_that_are_bundled(workshop: Workshop) -> None:
    site = workshop.folders.site
    site.mkdir(parents=True)
    (site / "msgspec.py").write_text("raise RuntimeError('shadowed')")
    (site / "only_here.py").write_text("VALUE = 7")
    plugin = workshop.load_one(
        "mine", "import msgspec, only_here\nassert only_here.VALUE == 7\ndef before_tool(): pass"
    )
    assert (plugin.state, plugin.reason) == ("loaded", "")
    assert sys.path[-1] == str(site)


def test_a_package_can_read_its_own_files(workshop: Workshop) -> None:
    workshop.write("pack/words.txt", "hello")
    package = workshop.write(
        "pack/__init__.py",
        "import pkgutil\nassert pkgutil.get_data(__name__, 'words.txt') == b'hello\\n'[:5]\ndef before_tool(): pass",
    ).parent
    workshop.trust(package)
    plugin = workshop.find("pack", workshop.load())
    assert (plugin.state, plugin.reason) == ("loaded", "")


def test_the_folders_are_searched_in_order(tmp_path: Path) -> None:
    folders = Folders.of(tmp_path / "data", tmp_path / "clawmesh.toml", tmp_path / "extra")
    assert folders.user == (tmp_path / "plugins", tmp_path / "extra", tmp_path / "data" / "plugins")
    assert (folders.bundled / "clock.py").is_file()


def test_every_bundled_plugin_loads(workshop: Workshop) -> None:
    folders = Folders.of(workshop.root / "data")
    loaded = load(folders, Trust.open(folders.trust), clock=workshop.clock, report=workshop.incidents.append)
    assert {plugin.reason for plugin in loaded.plugins} == {""}
    assert {"clock", "calculator"} <= set(loaded.catalogue.tools)
    assert "ram" in loaded.catalogue.memories
