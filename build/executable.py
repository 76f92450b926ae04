"""The executable: PyInstaller makes a folder of the program, build/pack.py one file of the folder."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from environment import REQUIREMENTS, environment
from steps import BUILD, ROOT, WORK, StepError, exclusive, run, step, unless_done

EXECUTABLE = BUILD / "dist" / "clawmesh"
FOLDER = WORK / "dist" / "clawmesh"
SOURCE = BUILD / "venv" / "exe" / "source"
LAUNCHER = WORK / "launcher"
LAUNCHER_SOURCE = [BUILD / "launcher.c", BUILD / "archive.c"]
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-static", "-s", "-fwhole-program", "-DZSTD_DISABLE_ASM")


def build_executable() -> None:
    """Build build/dist/clawmesh unless it is there and nothing that goes into it has changed.

    Raises StepError when a step of it fails.
    """
    if sys.platform != "linux":
        raise StepError("the executable is for Linux and can only be built there")
    stamp = WORK / "executable.done"
    with exclusive("executable"):
        if not EXECUTABLE.is_file():
            stamp.unlink(missing_ok=True)
        unless_done(stamp, inputs(), build)


def inputs() -> Iterator[Path]:
    """Yield every file that has an influence on the executable."""
    for name in ("runtime", "build", "source", "compiler"):
        yield REQUIREMENTS / f"{name}.txt"
    for name in ("executable.py", "bundle.py", "pack.py"):
        yield BUILD / name
    yield from LAUNCHER_SOURCE
    yield ROOT / "clawmesh.spec"
    for folder in ("clawmesh", "plugins"):
        yield from (file for file in (ROOT / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def build() -> None:
    """Build the executable."""
    python = environment("exe", "build")
    sources = REQUIREMENTS / "source.txt"
    unless_done(python.parent.parent / "bootloader.done", [sources], partial(build_bootloader, python))
    parts = [sources, BUILD / "executable.py", *LAUNCHER_SOURCE]
    unless_done(WORK / "launcher.done", parts, build_launcher)
    step("collecting the program with PyInstaller")
    settings = {
        "PYINSTALLER_CONFIG_DIR": str(WORK / "pyinstaller"),
        "PYINSTALLER_ZLIB_COMPRESSION_LEVEL": "0",  # pack.py compresses the whole, once; starting gets faster
    }
    folders = ("--workpath", WORK, "--distpath", WORK / "dist")
    run(python, "-m", "PyInstaller", "--noconfirm", *folders, "clawmesh.spec", environment=os.environ | settings)
    step(f"packing {EXECUTABLE.relative_to(ROOT)}")
    EXECUTABLE.parent.mkdir(exist_ok=True)
    run(python, BUILD / "pack.py", LAUNCHER, FOLDER, EXECUTABLE)


def find_compiler(libc: str) -> list[str | Path]:
    """Return the command of a C compiler: the machine's own if it can link statically, else Zig's from a package."""
    if shutil.which("cc") is not None:
        library = subprocess.run(["cc", "-print-file-name=libc.a"], stdout=subprocess.PIPE, text=True).stdout.strip()
        if Path(library).is_absolute():
            return ["cc"]
    python = environment("compiler", "compiler")
    return [python, "-m", "ziglang", "cc", "-target", f"{platform.machine()}-linux-{libc}"]


def build_bootloader(python: Path) -> None:
    """Fetch the sources, and compile PyInstaller's bootloader with zlib inside: the one it ships needs the system's."""
    step("fetching the sources of zstd and of PyInstaller's bootloader")
    shutil.rmtree(SOURCE, ignore_errors=True)
    pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check")
    here = ("--no-deps", "--no-build-isolation")
    requirements = ("--require-hashes", "-r", REQUIREMENTS / "source.txt")
    run(*pip, "download", *here, "--no-binary=:all:", *requirements, "--dest", SOURCE)
    shutil.unpack_archive(next(SOURCE.glob("zstandard-*.tar.gz")), SOURCE)
    step("compiling PyInstaller's bootloader")
    compiler = shlex.join(map(str, find_compiler("gnu")))
    settings = {"PYINSTALLER_COMPILE_BOOTLOADER": "1", "PYI_STATIC_ZLIB": "1", "CC": compiler}
    package = next(SOURCE.glob("pyinstaller-*.tar.gz"))
    run(*pip, "install", *here, "--force-reinstall", "--no-index", package, environment=os.environ | settings)


def build_launcher() -> None:
    """Compile the launcher into a program that needs no library."""
    step("compiling the launcher")
    include = next(SOURCE.glob("zstandard-*/zstd"))
    run(*find_compiler("musl"), *FLAGS, "-I", include, "-o", LAUNCHER, LAUNCHER_SOURCE[0])
