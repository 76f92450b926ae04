"""The structure of the source: who may import whom, how long files and functions may be, what text may not say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "clawmesh"
FOLDERS = ("clawmesh", "plugins", "build", "tests")
IGNORED = {"__pycache__", "cache", "dist", "venv", "work", "node_modules"}

# A file imports from the lines above its own and from its own folder. `clawmesh` is the package itself.
LAYERS = (
    "version errors secret clock",
    "ids messages frozen runtime telemetry failpoint machine wheel",
    "config codec http",
    "abc",
    "provider hookspecs mesh journal server web",
    "clawmesh",
    "agent memory guard",
    "plugin",
    "app",
    "api mcp a2a cluster",
    "bench backup doctor service",
    "cli",
    "__main__",
)
RANKS = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms.split()}
RANKS["testing"] = RANKS["app"] + 1

FILE_LINES = 500
FUNCTION_LINES = 60
# In two halves, or this file would name them too.
REGISTRIES = tuple(
    ".".join(halves) for halves in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("golang", "org"))
)


def sources(*folders: str) -> list[Path]:
    return [
        file
        for folder in folders
        for file in sorted((ROOT / folder).rglob("*.py"))
        if IGNORED.isdisjoint(file.relative_to(ROOT).parts)
    ]


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, module) of every absolute import; a name imported from `clawmesh` may be a module of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "clawmesh":
            for alias in node.names:
                yield node.lineno, f"clawmesh.{alias.name}" if alias.name in RANKS else "clawmesh"
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_room_has_a_layer() -> None:
    rooms = {entry.name.removesuffix(".py") for entry in PACKAGE.iterdir() if entry.suffix in ("", ".py")}
    assert rooms - {"__init__", "__pycache__", "py.typed"} <= RANKS.keys()


@pytest.mark.parametrize("file", sources("clawmesh"), ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_down(file: Path) -> None:
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py").replace("__init__", "clawmesh")
    wrong = [
        f"line {line}: {module}"
        for line, module in imports(ast.parse(file.read_text()))
        if module.partition(".")[0] in ("clawmesh", "plugins")
        and room(module) != own
        and RANKS.get(room(module), len(LAYERS)) >= RANKS[own]
    ]
    assert wrong == []


@pytest.mark.parametrize("file", sources("clawmesh", "plugins"), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_local_import_gives_its_reason(file: Path) -> None:
    lines = file.read_text().splitlines()
    unexplained = [
        line
        for function in functions(ast.parse(file.read_text()))
        for line, module in imports(function)
        if module.startswith("clawmesh") and not any("#" in text for text in lines[line - 2 : line])
    ]
    assert unexplained == []


@pytest.mark.parametrize("file", sources(*FOLDERS), ids=lambda file: str(file.relative_to(ROOT)))
def test_files_and_functions_are_short(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= FILE_LINES
    long = [node.name for node in functions(ast.parse(text)) if (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES]
    assert long == []


def test_no_file_names_a_package_registry() -> None:
    files = [ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "clawmesh.spec"]
    for folder in (*FOLDERS, ".ci"):
        files += [file for file in (ROOT / folder).rglob("*") if IGNORED.isdisjoint(file.relative_to(ROOT).parts)]
    naming = [
        str(file) for file in files if file.is_file() and any(host.encode() in file.read_bytes() for host in REGISTRIES)
    ]
    assert naming == []
