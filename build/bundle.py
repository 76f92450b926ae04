"""What goes into the executable: modules, data files, metadata, plugins. Used by clawmesh.spec."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import py_compile
import re
import shutil
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "work"
STANDARD = Path(sysconfig.get_path("stdlib"))
EXTENSIONS = Path(sysconfig.get_config_var("DESTSHARED"))
STRIP = shutil.which("strip") is not None

# Modules that no plugin of a program without a screen and without an installed Python can use, and test suites.
EXCLUDED = [
    "_ctypes_test",
    "_tkinter",
    "ensurepip",
    "httpx2._main",
    "idlelib",
    "lib2to3",
    "nis",  # drags in Kerberos
    "readline",  # prompt-toolkit edits lines here
    "setuptools",
    "test",
    "tkinter",
    "turtle",
    "turtledemo",
]
SKIPPED = {*EXCLUDED, "__phello__", "test", "tests"}
CODE = {".py", ".pyc", ".pyi", ".so", ".c", ".h", ".pxd", ".pyx", ".exe"}
OF_INSTALLATION = {"RECORD", "REQUESTED", "INSTALLER", "direct_url.json"}
APART = {"__pycache__", "lib-dynload", "site-packages"}
SUFFIXES = tuple(importlib.machinery.all_suffixes())


def modules() -> list[str]:
    """Return the names of all modules to bundle: the whole standard library, ours and those of the requirements.

    Whole, because a plugin may import what we do not, and because libraries import parts of themselves by name.
    """
    files = [*within(STANDARD), *within(EXTENSIONS)]
    files += [Path("clawmesh", file) for file in within(ROOT / "clawmesh")]
    for distribution in bundled():
        files += [Path(file) for file in distribution.files or () if file.suffix != ".pyc"]
    return sorted(filter(None, map(module, files)))


def within(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, relative to it, without what has a path of its own."""
    for file in folder.rglob("*"):
        place = file.relative_to(folder)
        if file.is_file() and APART.isdisjoint(place.parts):
            yield place


def module(file: Path) -> str | None:
    """Return the dotted name of the module that a file holds; None for other files and for unwanted modules."""
    suffix = next((suffix for suffix in SUFFIXES if file.name.endswith(suffix)), None)
    parts = [*file.parent.parts, file.name.removesuffix(suffix or "")]
    if parts[-1] == "__init__":
        parts.pop()
    name = ".".join(parts)
    wanted = (
        suffix and all(part.replace("-", "_").isidentifier() for part in parts) and SKIPPED.isdisjoint({*parts, name})
    )
    return name if wanted and not parts[-1].startswith(("_test", "xxlimited")) else None


def data() -> list[tuple[str, str]]:
    """Return (source, target folder) of every data file: metadata, constraints, plugins, the packages' own data."""
    distributions = list(bundled())
    constraints = WORK / "constraints.txt"
    WORK.mkdir(parents=True, exist_ok=True)
    constraints.write_text("".join(f"{each.metadata['Name']}=={each.version}\n" for each in distributions))
    files = [(str(constraints), "."), *plugin_files(ROOT / "plugins", WORK / "plugins")]
    for distribution in distributions:
        files += data_files(distribution)
    for file in within(ROOT / "clawmesh"):
        if file.suffix not in CODE:
            files.append((str(ROOT / "clawmesh" / file), str(Path("clawmesh", file).parent)))
    return files


def bundled() -> Iterator[metadata.Distribution]:
    """Yield the installed distributions that the executable's requirements name."""
    for line in (ROOT / "build" / "requirements" / "runtime.txt").read_text().splitlines():
        if match := re.match(r"[\w.-]+(?===)", line):
            yield from metadata.distributions(name=match[0])


def data_files(distribution: metadata.Distribution) -> Iterator[tuple[str, str]]:
    """Yield a distribution's own data and its metadata, without which entry points and versions are silently empty."""
    for file in distribution.files or ():
        source = Path(str(distribution.locate_file(file)))
        if file.suffix not in CODE and file.name not in OF_INSTALLATION and ".." not in file.parts and source.is_file():
            yield str(source), str(file.parent)


def plugin_files(source: Path, compiled: Path) -> Iterator[tuple[str, str]]:
    """Yield the bundled plugins with bytecode that is never compared with its source: loading compiles nothing."""
    for file in sorted(source.rglob("*")):
        if file.is_dir() or "__pycache__" in file.parts:
            continue
        target = os.path.join("plugins", file.parent.relative_to(source))
        yield str(file), target
        if file.suffix == ".py":
            cache = compiled / file.relative_to(source).parent / Path(importlib.util.cache_from_source(file.name))
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            name = os.path.join(target, file.name)
            py_compile.compile(str(file), str(cache), name, doraise=True, invalidation_mode=mode)
            yield str(cache), os.path.join(target, "__pycache__")


def reading_at_once(dependencies: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return the importer's own modules with one changed: it reads the archive's index at once.

    PyInstaller's reads it item by item, which takes a third of the time that `--version` takes.
    """
    name = "pyimod01_archive"
    original = Path(str(metadata.distribution("pyinstaller").locate_file(f"PyInstaller/loader/{name}.py")))
    slow, fast = "marshal.load(fp)", "marshal.loads(fp.read())"
    text = original.read_text()
    if text.count(slow) != 1:
        raise LookupError(f"{original}: expected {slow} once")
    changed = WORK / f"{name}.py"
    changed.write_text(text.replace(slow, fast))
    compiled = py_compile.compile(str(changed), str(WORK / f"{name}.pyc"), f"{name}.py", doraise=True)
    return [(each, compiled or "", kind) if each == name else (each, path, kind) for each, path, kind in dependencies]
