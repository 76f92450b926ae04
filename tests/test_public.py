"""What plugins may rely on."""

from __future__ import annotations

import subprocess
import sys

import pytest

import clawmesh


@pytest.mark.parametrize("name", clawmesh.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(clawmesh, name) is not None


def test_the_names_are_sorted_and_nothing_else_is_public() -> None:
    assert clawmesh.__all__ == sorted(clawmesh.__all__)
    homes = [name for names in clawmesh._HOMES.values() for name in names]
    assert sorted(homes) == clawmesh.__all__


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'clawmesh' has no attribute 'Agnet'"):
        clawmesh.Agnet  # noqa: B018


def test_the_package_itself_imports_nothing() -> None:
    code = "import sys; sys.path += ['.']; import clawmesh; print([each for each in sys.modules if 'claw' in each])"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['clawmesh']\n"
