from __future__ import annotations

import os
import platform
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from clawmesh.errors import PluginError
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.install import Site
from clawmesh.plugin.script import Script


@dataclass
class Shop:
    """A site to install into, and a folder of wheels, which is all that pip gets to see."""

    root: Path

    @property
    def folder(self) -> Path:
        return Folders.of(self.root / "data").site

    def stock(self, name: str, version: str, needs: Sequence[str] = ()) -> None:
        """Make a wheel that holds one module, whose VERSION is its version."""
        info = f"{name}-{version}.dist-info"
        metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        files = {
            f"{name}.py": f"VERSION = {version!r}\n",
            f"{info}/METADATA": "\n".join([*metadata, *[f"Requires-Dist: {need}" for need in needs]]) + "\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
        (self.root / "wheels").mkdir(exist_ok=True)
        with zipfile.ZipFile(self.root / "wheels" / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            for file, text in files.items():
                wheel.writestr(file, text)

    def install(self, plugin: str, *needs: str, python: str = "", among: Sequence[str] = ("a", "b")) -> dict[str, str]:
        environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.root / "wheels"), "PIP_CONFIG_FILE": os.devnull}
        return Site(self.folder, {**os.environ, **environ}).install(plugin, Script(needs, python), among)

    @property
    def modules(self) -> dict[str, str]:
        """What is installed, as a plugin would find it: module by module with its version."""
        return {path.stem: path.read_text().split("'")[1] for path in self.folder.glob("*.py")}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.stock("one", "1.0", ["two>=1"])
    shop.stock("two", "1.0")
    shop.stock("two", "2.0")
    return shop


def test_the_folder_holds_what_all_plugins_need_and_nothing_else(shop: Shop) -> None:
    assert shop.install("a", "one") == shop.modules == {"one": "1.0", "two": "2.0"}
    assert shop.install("b", "two<2") == shop.modules == {"one": "1.0", "two": "1.0"}
    assert shop.install("b", among=["b"]) == shop.modules == {}


def test_a_failure_says_why_and_leaves_everything_as_it_was(shop: Shop) -> None:
    shop.install("a", "two<2")
    with pytest.raises(PluginError) as caught:
        shop.install("b", "two>=2")
    assert str(caught.value).startswith("cannot install two<2, two>=2; nothing was changed; pip says:\n  ")
    assert "conflict" in str(caught.value)
    assert shop.modules == {"two": "1.0"}
    left = {path.name for path in shop.folder.parent.iterdir()}
    assert left == {"lock", shop.folder.name, shop.folder.readlink().name}


def test_a_clash_with_a_bundled_package_is_refused_by_name(shop: Shop) -> None:
    with pytest.raises(PluginError) as caught:
        shop.install("a", "anyio<4")
    assert str(caught.value).startswith("a needs anyio<4, and ClawMesh brings anyio 4")
    assert str(caught.value).endswith(", which all plugins share")


def test_a_clash_further_down_is_refused_by_name(shop: Shop) -> None:
    shop.stock("deep", "1.0", ["anyio<4"])
    with pytest.raises(PluginError) as caught:
        shop.install("a", "deep")
    assert "anyio" in str(caught.value)
    assert "constraint" in str(caught.value)
    assert not shop.folder.exists()


def test_another_python_is_refused(shop: Shop) -> None:
    with pytest.raises(PluginError) as caught:
        shop.install("a", "one", python=">=3.99")
    assert str(caught.value) == f"a needs Python >=3.99, and this is Python {platform.python_version()}"


@pytest.mark.parametrize(("need", "python"), [("one two", ""), ("one", "new")])
def test_a_wrong_requirement_is_named(shop: Shop, need: str, python: str) -> None:
    with pytest.raises(PluginError, match="a: a requirement is wrong: "):
        shop.install("a", need, python=python)


def test_a_requirement_cannot_be_an_option_of_pip(shop: Shop) -> None:
    with pytest.raises(PluginError, match="a: a requirement is wrong: "):
        shop.install("a", "--index-url=http://127.0.0.1/")


def test_a_machine_without_network_says_so(tmp_path: Path) -> None:
    environ = {**os.environ, "PIP_INDEX_URL": "http://127.0.0.1:9/simple/", "PIP_CONFIG_FILE": os.devnull}
    site = Site(Folders.of(tmp_path).site, environ)
    with pytest.raises(PluginError) as caught:
        site.install("a", Script(("one",)), ["a"])
    assert str(caught.value) == (
        "cannot install one: the package index cannot be reached; this machine seems to be offline"
        " (NewConnectionError); nothing was changed"
    )


def test_pure_and_binary_wheels_come_from_the_registry(tmp_path: Path) -> None:
    site = Site(Folders.of(tmp_path).site, os.environ)
    try:
        packages = site.install("a", Script(("humanize", "markupsafe")), ["a"])
    except PluginError as error:
        if "cannot be reached" in str(error):
            pytest.skip("no package registry can be reached")
        raise
    assert packages.keys() == {"humanize", "markupsafe"}
    assert list((Folders.of(tmp_path).site / "markupsafe").glob("*.so"))
