"""The program inside the executable: whole, like an installed Python to its plugins, harmless to its children."""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib.util
import shlex
import sys
import zipfile
from pathlib import Path

import pytest

from clawmesh import web
from clawmesh.version import VERSION
from tests.build.program import BEGINNING, FLAGS, Program, Sandbox

ROOT = Path(__file__).resolve().parent.parent.parent
BUNDLED = [
    *("anyio", "httptools", "httpx2", "msgspec", "pip", "platformdirs", "pluggy", "prompt_toolkit", "tomli", "tomli_w"),
    *("truststore", "uvloop", "wcwidth"),
]
SUBMODULES = [
    *("asyncio.subprocess", "concurrent.futures.process", "email.mime.text", "http.server", "importlib.resources"),
    *("json.tool", "logging.handlers", "unittest.mock", "xml.etree.ElementTree", "xmlrpc.client", "zoneinfo"),
]
# Not bundled, each for the reason given in build/bundle.py; and two that are jokes told by being imported.
ABSENT = {"ensurepip", "idlelib", "lib2to3", "nis", "readline", "tkinter", "turtle", "turtledemo", "_tkinter"}
JOKES = {"antigravity", "this"}
IMPORT = """
import importlib, warnings
warnings.simplefilter("ignore")
missing = []
for name in {names}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        missing.append(str(error))
print(missing)"""


def test_the_version_is_answered(unpacked: Program) -> None:
    done = unpacked.run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"clawmesh {VERSION}\n", "")


def test_help_needs_no_environment(unpacked: Program) -> None:
    done = unpacked.run("--help", before=("env", "-u", "PATH"))
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout


def test_text_is_utf_8_without_a_locale(unpacked: Program) -> None:
    assert (
        unpacked.python("import sys; print('ä→', sys.stdin.encoding, sys.getfilesystemencoding())")
        == "ä→ utf-8 utf-8\n"
    )


def test_plugins_find_the_whole_standard_library(unpacked: Program) -> None:
    names = [name for name in sys.stdlib_module_names - ABSENT - JOKES if importlib.util.find_spec(name) is not None]
    assert len(names) > 200
    assert unpacked.python(IMPORT.format(names=sorted(names) + SUBMODULES)) == "[]\n"


def test_every_module_of_ours_can_be_imported(unpacked: Program) -> None:
    files = sorted((ROOT / "clawmesh").rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    assert "clawmesh.errors" in names
    assert unpacked.python(IMPORT.format(names=names)) == "[]\n"


def test_the_dashboard_is_in_it(unpacked: Program) -> None:
    code = "from clawmesh import web; print({file.path: file.etag for file in web.files()})"
    assert ast.literal_eval(unpacked.python(code)) == {file.path: file.etag for file in web.files()}


def test_a_bare_root_with_only_glibc_is_enough(sandbox: Sandbox) -> None:
    maps = Path("/proc/self/maps").read_text()
    folder = maps[: maps.index("/libc.so.6")].split()[-1]
    glibc = [f"{folder}/lib{name}" for name in ("c.so.6", "m.so.6", "dl.so.2", "pthread.so.0", "rt.so.1", "util.so.1")]
    loader = next(Path("/").glob("lib*/ld-linux-*.so.*"))
    code = BEGINNING + IMPORT.format(names=["ssl", "sqlite3", "lzma", "ctypes", "curses", *BUNDLED])
    done = sandbox.run(f"""
mkdir -p /mnt/root; mkdir -m 1777 /mnt/root/tmp
cp --parents -L {" ".join(glibc)} {loader} /mnt/clawmesh /mnt/root
env -i $(command -v chroot) /mnt/root /mnt/clawmesh {shlex.join([*FLAGS, code])}""")
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


# The three run-time hooks, which run when their module is first imported


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing_starts_workers(unpacked: Program, method: str) -> None:
    code = f"""
import multiprocessing
with multiprocessing.get_context("{method}").Pool(2) as pool:
    print(pool.map(abs, [-1, -2, -3]))"""
    assert unpacked.python(code) == "[1, 2, 3]\n"


def test_a_worker_sees_the_environment_of_the_user(unpacked: Program) -> None:
    code = """
import multiprocessing, os
with multiprocessing.get_context("spawn").Pool(1) as pool:
    print(pool.apply(os.getenv, ["LD_LIBRARY_PATH"]))"""
    assert unpacked.python(code) == "None\n"


def test_pkgutil_lists_the_bundled_modules(unpacked: Program) -> None:
    code = "import pkgutil, clawmesh; print([each.name for each in pkgutil.iter_modules(clawmesh.__path__)])"
    assert {"errors", "cli", "frozen"} <= set(ast.literal_eval(unpacked.python(code)))


def test_inspect_finds_the_place_of_a_bundled_module(unpacked: Program) -> None:
    code = "import inspect, clawmesh.errors; print(inspect.getsourcefile(clawmesh.errors.ClawmeshError))"
    assert unpacked.python(code) == f"{unpacked.version}/_internal/clawmesh/errors.py\n"


# Children


def test_children_get_the_environment_of_the_user(unpacked: Program) -> None:
    environment = {"CLAWMESH_RUNTIME_DIR": str(unpacked.place), "LD_LIBRARY_PATH": "/of/the/user", "KEPT": "yes"}
    code = "import os, subprocess; subprocess.run(['/usr/bin/env'])"
    lines = unpacked.python(code, env=environment).splitlines()
    assert sorted(lines) == sorted(
        [*(f"{name}={value}" for name, value in environment.items()), f"CLAWMESH_FILE={unpacked.file}"]
    )


def test_children_inherit_no_open_file(unpacked: Program) -> None:
    code = "import subprocess; subprocess.run(['/bin/ls', '/proc/self/fd'], close_fds=False)"
    assert unpacked.python(code).split() == ["0", "1", "2", "3"]  # 3 is what ls reads


def test_the_program_can_start_itself(unpacked: Program) -> None:
    code = """
import os, subprocess, sys
from clawmesh.frozen import executable
for file in (executable(), sys.executable):
    subprocess.run([file, "--version"], check=True)"""
    assert unpacked.python(code) == f"clawmesh {VERSION}\n" * 2


# Plugins


def test_bundled_plugins_carry_bytecode_that_nobody_checks(unpacked: Program) -> None:
    folder = unpacked.version / "_internal" / "plugins"
    sources = sorted(folder.rglob("*.py"))
    assert [file.relative_to(folder) for file in sources] == sorted(
        file.relative_to(ROOT / "plugins") for file in (ROOT / "plugins").rglob("*.py")
    )
    for source in sources:
        flags = Path(importlib.util.cache_from_source(str(source))).read_bytes()[4:8]
        assert int.from_bytes(flags, "little") == 0b01  # PEP 552: by hash, unchecked


def test_the_requirements_are_bundled_with_their_metadata(unpacked: Program) -> None:
    constraints = (unpacked.version / "_internal" / "constraints.txt").read_text().splitlines()
    assert set(BUNDLED) <= {line.partition("==")[0].replace("-", "_") for line in constraints}
    code = (
        "from importlib.metadata import distributions; print(sorted(f'{d.name}=={d.version}' for d in distributions()))"
    )
    assert ast.literal_eval(unpacked.python(code)) == sorted(constraints)


def test_httpx_is_the_bundled_client(unpacked: Program) -> None:
    code = "import httpx2; httpx2.alias_httpx(); import httpx; print(httpx.AsyncClient is httpx2.AsyncClient)"
    assert unpacked.python(code) == "True\n"


def test_pip_installs_a_wheel(unpacked: Program, tmp_path: Path) -> None:
    name = make_wheel(tmp_path).name
    options = ["--no-index", "--only-binary=:all:", "--no-compile", "--disable-pip-version-check", "--quiet"]
    arguments = ["install", *options, "--target", str(tmp_path / "site"), str(tmp_path / name)]
    code = f"""
import sys
from pip._internal.cli.main import main
assert main({arguments}) == 0
sys.path.append({str(tmp_path / "site")!r})
import greeting
print(greeting.WORDS)"""
    assert unpacked.python(code).splitlines()[-1] == "hello"


def make_wheel(folder: Path) -> Path:
    """Write the smallest wheel that pip accepts."""
    info = "greeting-1.0.dist-info"
    files = {
        "greeting.py": "WORDS = 'hello'\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},{fingerprint(text)},{len(text)}" for name, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"])
    wheel = folder / "greeting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return wheel


def fingerprint(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.decode().rstrip('=')}"
