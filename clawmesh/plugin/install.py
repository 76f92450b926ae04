"""Install what plugins depend on into a private folder, by pip in a process of its own.

All plugins share the folder, so each installation resolves the needs of all of them together. The folder is a symbolic
link to a generation: the next one is prepared aside and then the link is turned, so that a failure leaves everything
as it was.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomli
import tomli_w
from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet

from clawmesh.errors import PluginError, StorageError
from clawmesh.plugin.isolation import Bounds, run
from clawmesh.plugin.script import Script

SECONDS = 900.0
VERB = ("plugins", "isolated", "pip")
RECORD = "requirements.toml"
PASSED_ON = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_TRUSTED_HOST", "PIP_CONFIG_FILE"),
    *("PIP_CERT", "PIP_CLIENT_CERT", "PIP_PROXY", "PIP_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
)


def packages(folders: Sequence[str]) -> dict[str, str]:
    """Return the versions of the packages in these folders by normalized name; the first folder wins."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions(path=list(folders)):
        found.setdefault(_normal(distribution.metadata["Name"]), distribution.version)
    return found


class Site:
    """The folder of installed packages, and what each plugin asked for."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self._bundled = packages([path for path in sys.path if path != str(folder)])

    def install(self, plugin: str, script: Script, plugins: Sequence[str]) -> dict[str, str]:
        """Install a plugin's dependencies; return all packages that are there now, with their versions.

        `plugins` names all plugins: what others of them have installed stays, what has no plugin any more goes.

        Raises:
            PluginError: this Python or a bundled package does not fit, or pip fails; it says why.
            StorageError: the folder cannot be written.
        """
        self._check(plugin, script)
        try:
            with self._locked():
                asked = {name: needs for name, needs in self._asked().items() if name in plugins}
                return self._turn({**asked, plugin: list(script.dependencies)})
        except OSError as error:
            raise StorageError(f"{error.filename or self._folder}: {error.strerror}") from error

    def _check(self, plugin: str, script: Script) -> None:
        """Find out beforehand what pip would say less clearly."""
        try:
            python = SpecifierSet(script.requires_python)
            requirements = [Requirement(text) for text in script.dependencies]
        except (InvalidRequirement, InvalidSpecifier) as error:
            raise PluginError(f"{plugin}: a requirement is wrong: {error}", plugin=plugin) from error
        if not python.contains(platform.python_version(), prereleases=True):
            here = platform.python_version()
            raise PluginError(f"{plugin} needs Python {python}, and this is Python {here}", plugin=plugin)
        for requirement in requirements:
            version = self._bundled.get(_normal(requirement.name))
            applies = requirement.marker is None or requirement.marker.evaluate()
            if version and applies and not requirement.specifier.contains(version, prereleases=True):
                clash = f"{plugin} needs {requirement}, and ClawMesh brings {requirement.name} {version}"
                raise PluginError(f"{clash}, which all plugins share", plugin=plugin)

    def _asked(self) -> dict[str, list[str]]:
        try:
            return tomli.loads((self._folder / RECORD).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}

    def _turn(self, asked: Mapping[str, list[str]]) -> dict[str, str]:
        following = Path(tempfile.mkdtemp(prefix=f"{self._folder.name}.", dir=self._folder.parent))
        try:
            self._pip(following, sorted({need for needs in asked.values() for need in needs}))
            (following / RECORD).write_text(tomli_w.dumps(asked), encoding="utf-8")
            link = following.with_suffix(".link")
            link.symlink_to(following.name)
            link.replace(self._folder)
        except BaseException:
            shutil.rmtree(following, ignore_errors=True)
            raise
        for other in self._folder.parent.glob(f"{self._folder.name}.*"):
            if other != following and other.is_dir():
                shutil.rmtree(other)
        return packages([str(following)])

    def _pip(self, target: Path, needs: Sequence[str]) -> None:
        if not needs:
            return
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
            constraints.writelines(f"{name}=={version}\n" for name, version in self._bundled.items())
            constraints.flush()
            options = ["--target", str(target), "--only-binary=:all:", "--no-compile", "-c", constraints.name]
            outcome = run(VERB, [*options, *needs], bounds=Bounds(SECONDS), environ=self._environ, pass_on=PASSED_ON)
        _judge(outcome.answer, outcome.printed, needs)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder.parent / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _judge(answer: Mapping[str, Any], printed: str, needs: Sequence[str]) -> None:
    if answer["code"] == 0:
        return
    if answer["unreachable"]:
        raise PluginError(
            f"cannot install {', '.join(needs)}: the package index cannot be reached; this machine seems to be offline"
            f" ({answer['unreachable']}); nothing was changed"
        )
    lines = [line for line in printed.splitlines() if line.strip()]
    raise PluginError("\n  ".join([f"cannot install {', '.join(needs)}; nothing was changed; pip says:", *lines[-20:]]))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
