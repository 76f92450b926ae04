"""How plugin files become modules: under names of their own, and from the very bytes that were hashed.

Every plugin is `clawmesh_plugins.<name>`, so that a plugin called `openai` does not hide a package of that name.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import ExecutionLoader
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from clawmesh.errors import PluginError
from clawmesh.plugin.source import INIT, Snapshot, Source

NAMESPACE = "clawmesh_plugins"


def module_name(source: Source) -> str:
    return f"{NAMESPACE}.{source.name}"


def run_bundled(source: Source) -> ModuleType:
    """Import a bundled plugin as Python imports any file, with its compiled code beside it; only once a process."""
    name = module_name(source)
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(source.main):
        return loaded
    folders = [str(source.path)] if source.package else None
    spec = spec_from_file_location(name, source.main, submodule_search_locations=folders)
    assert spec is not None  # a path that ends in .py always has one
    return _run(spec)


def run_user(source: Source, snapshot: Snapshot) -> ModuleType:
    """Run a user's plugin from its snapshot, anew each time; its compiled code is neither read nor written."""
    if not any(isinstance(finder, SnapshotFinder) for finder in sys.meta_path):
        sys.meta_path.append(SnapshotFinder())
    if not any(isinstance(finder, HttpxFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, HttpxFinder())
    spec = SnapshotLoader(source, snapshot.files).spec(module_name(source))
    assert spec is not None  # the main file is in every snapshot
    return _run(spec)


def forget(source: Source) -> None:
    """Drop a plugin's modules, so that the next import runs them again."""
    name = module_name(source)
    for loaded in [module for module in sys.modules if module == name or module.startswith(f"{name}.")]:
        del sys.modules[loaded]


def decode(content: bytes, source: Source) -> str:
    """Return the text of a Python file.

    Raises:
        PluginError: it is not in the encoding that it says, or UTF-8.
    """
    try:
        return decode_source(content)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise PluginError(f"{source.path}: is not text: {error}", plugin=source.name) from error


def _run(spec: ModuleSpec) -> ModuleType:
    package = sys.modules.setdefault(NAMESPACE, ModuleType(NAMESPACE))
    package.__path__ = []
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


class SnapshotLoader(ExecutionLoader):
    """Loads one plugin's modules from its snapshot."""

    def __init__(self, source: Source, files: Mapping[str, bytes]) -> None:
        self._source = source
        self._files = files

    def spec(self, fullname: str) -> ModuleSpec | None:
        """Return the spec of the plugin or of one of its modules, or None if it has no such module."""
        file = self._file(fullname)
        if file is None:
            return None
        spec = ModuleSpec(fullname, self, origin=self.get_filename(fullname), is_package=file.endswith(INIT))
        spec.has_location = True
        return spec

    def is_package(self, fullname: str) -> bool:
        return (self._file(fullname) or "").endswith(INIT)

    def get_filename(self, fullname: str) -> str:
        folder = self._source.path if self._source.package else self._source.path.parent
        return str(folder / self._found(fullname))

    def get_source(self, fullname: str) -> str:
        return decode(self._files[self._found(fullname)], self._source)

    def get_data(self, path: str) -> bytes:
        """Return a file of the snapshot, for `pkgutil.get_data`."""
        folder = self._source.path if self._source.package else self._source.path.parent
        try:
            return self._files[Path(path).relative_to(folder).as_posix()]
        except (KeyError, ValueError) as error:
            raise OSError(f"{path}: is no file of plugin {self._source.name}") from error

    def _found(self, fullname: str) -> str:
        file = self._file(fullname)
        if file is None:
            raise ImportError(f"plugin {self._source.name} has no module {fullname}", name=fullname)
        return file

    def _file(self, fullname: str) -> str | None:
        if not self._source.package:
            return self._source.path.name if fullname == module_name(self._source) else None
        inner = fullname.removeprefix(module_name(self._source)).lstrip(".").replace(".", "/")
        candidates = (f"{inner}/{INIT}", f"{inner}.py") if inner else (INIT,)
        return next((file for file in candidates if file in self._files), None)


class SnapshotFinder:
    """Finds the modules inside a user's package: only in its snapshot, never on disk."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{NAMESPACE}."):
            return None
        parent = sys.modules.get(fullname.rpartition(".")[0])
        loader = getattr(parent, "__loader__", None)
        return loader.spec(fullname) if isinstance(loader, SnapshotLoader) else None


class HttpxFinder:
    """Makes `import httpx` give httpx2, the maintained line of the same client.

    It waits for the first such import, because httpx2 itself takes longer to import than everything else here.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "httpx":
            return None
        sys.meta_path.remove(self)
        import_module("httpx2").alias_httpx()
        found = (finder.find_spec(fullname, path, target) for finder in sys.meta_path)
        return next((spec for spec in found if spec is not None), None)
