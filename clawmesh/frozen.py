"""What differs when ClawMesh runs from its one file: run-time hooks, worker processes, environment, integrity."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from clawmesh.errors import StorageError

# Modules that PyInstaller adapts by a run-time hook, which clawmesh.spec keeps as the module pyi_rth_NAME.
HOOKED = ("inspect", "multiprocessing", "pkgutil")
WORKER = ("--multiprocessing-fork", "from multiprocessing.", "import sys; from multiprocessing.")
MANIFEST = "manifest"
VERSION = "[0-9a-f]{16}"


def prepare() -> None:
    """Adapt the frozen interpreter to its program; never returns in a process that multiprocessing started."""
    lock = os.environ.pop("CLAWMESH_LOCK", "")
    if lock:
        os.set_inheritable(int(lock), False)  # this process holds the unpacked files, its children need not
    restore(os.environ)
    sys.meta_path.insert(0, LazyHooks())
    if any(argument.startswith(WORKER) for argument in sys.argv[1:]):
        importlib.import_module("multiprocessing").freeze_support()


def restore(environ: MutableMapping[str, str]) -> None:
    """Take out what the bootloader put in: a child process must not load the bundled libraries."""
    original = environ.pop("LD_LIBRARY_PATH_ORIG", None)
    environ.pop("LD_LIBRARY_PATH", None)
    if original is not None:
        environ["LD_LIBRARY_PATH"] = original
    for name in [name for name in environ if name.startswith("_PYI_")]:
        del environ[name]


class LazyHooks:
    """Finds the hooked modules, so that their run-time hook runs when they are first imported.

    PyInstaller itself imports all of them at every start, which takes 30 ms.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's own spec with a loader that also runs the hook."""
        spec = PathFinder.find_spec(name, path, target) if name in HOOKED else None
        if spec is not None and spec.loader is not None:
            spec.loader = HookedLoader(spec.loader, f"pyi_rth_{name}")
        return spec


class HookedLoader(Loader):
    """Loads a module with its own loader, then imports its hook."""

    def __init__(self, loader: Loader, hook: str) -> None:
        self._loader = loader
        self._hook = hook

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        importlib.import_module(self._hook)


def executable() -> Path:
    """Return the file that the user started: what a service unit or a second process should run."""
    return Path(os.environ.get("CLAWMESH_FILE") or sys.executable)


def verify(folder: Path) -> Iterator[str]:
    """Yield one sentence for every file of the unpacked executable that is not as it was built.

    `folder` is the one that holds `sys.executable`. The launcher named it after the manifest's own hash.

    Raises StorageError if the folder has no readable manifest, as it has none when nothing was unpacked.
    """
    try:
        manifest = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise StorageError(f"{folder / MANIFEST}: cannot be read: {error.strerror}") from error
    if re.fullmatch(VERSION, folder.name) and not hashlib.sha256(manifest).hexdigest().startswith(folder.name):
        yield f"{folder / MANIFEST}: does not belong to this folder"
        return
    for line in manifest.decode().splitlines():
        digest, mode, name = line.split(" ", 2)
        if fault := _fault(folder / name, digest, int(mode, 8)):
            yield f"{folder / name}: {fault}"


def _fault(path: Path, digest: str, mode: int) -> str:
    try:
        found = path.lstat().st_mode
        content = path.read_bytes()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if found != mode:
        return f"has mode {found:o} instead of {mode:o}"
    return "" if hashlib.sha256(content).hexdigest() == digest else "its content has changed"
