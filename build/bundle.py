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
SITE = Path(sysconfig.get_path("purelib"))
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
    """Yield the files of a folder, relative to it."""
    return (file.relative_to(folder) for file in folder.rglob("*") if "site-packages" not in file.parts)


def module(file: Path) -> str | None:
    """Return the dotted name of the module that a file holds; None for other files and for unwanted modules."""
    suffix = next((suffix for suffix in SUFFIXES if file.name.endswith(suffix)), None)
    parts = [*file.parent.parts, file.name.removesuffix(suffix or "")]
    if parts[-1] == "__init__":
        parts.pop()
    name = ".".join(parts)
    wanted = suffix and all(map(str.isidentifier, parts)) and SKIPPED.isdisjoint({*parts, name})
    return name if wanted and not parts[-1].startswith(("_test", "xxlimited")) else None


def data() -> list[tuple[str, str]]:
    """Return (source, target folder) of every data file: metadata, constraints, plugins, the packages' own data."""
    distributions = list(bundled())
    WORK.mkdir(parents=True, exist_ok=True)
    constraints = WORK / "constraints.txt"
    constraints.write_text("".join(f"{each.metadata['Name']}=={each.version}\n" for each in distributions))
    files = [(str(constraints), ".")]
    for distribution in distributions:
        files += metadata_files(distribution)
    for package in (ROOT / "clawmesh", SITE / "pip"):
        files += package_files(package)
    return files + list(plugin_files(ROOT / "plugins", WORK / "plugins"))


def bundled() -> Iterator[metadata.Distribution]:
    """Yield the installed distributions that the executable's requirements name."""
    for line in (ROOT / "build" / "requirements" / "runtime.txt").read_text().splitlines():
        if match := re.match(r"[\w.-]+(?===)", line):
            yield from metadata.distributions(name=match[0])


def metadata_files(distribution: metadata.Distribution) -> Iterator[tuple[str, str]]:
    """Yield a distribution's dist-info: without it entry points and versions are silently empty."""
    for file in distribution.files or ():
        if file.parts[0].endswith(".dist-info") and file.name not in ("RECORD", "direct_url.json"):
            yield str(distribution.locate_file(file)), str(file.parent)


def package_files(package: Path) -> Iterator[tuple[str, str]]:
    """Yield the files of a package that are not code."""
    for file in sorted(package.rglob("*")):
        if file.is_file() and file.suffix not in (".py", ".pyc", ".pyi", ".exe", ".so"):
            yield str(file), str(file.parent.relative_to(package.parent))


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
