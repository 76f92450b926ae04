from __future__ import annotations

from pathlib import Path

import pytest
import tomli
from jsonschema import Draft202012Validator

from clawmesh.agent.hooks import Incident
from clawmesh.clock import SystemClock
from clawmesh.config.catalogue import Catalogue
from clawmesh.config.check import check
from clawmesh.config.load import parse
from clawmesh.config.schema import schema
from clawmesh.config.template import PROVIDERS, Provider, compose, with_keys
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.loader import load
from clawmesh.plugin.trust import Trust

OLLAMA = Provider("ollama", "ollama", "qwen3:8b", note="Ollama")


@pytest.fixture
def bundled(tmp_path: Path) -> Catalogue:
    """What the bundled plugins offer."""
    folders, incidents = Folders.of(tmp_path), list[Incident]()
    return load(folders, Trust.open(folders.trust), clock=SystemClock(), report=incidents.append).catalogue


@pytest.mark.parametrize(
    "providers", [[], [OLLAMA], *[[each] for each in PROVIDERS], [*PROVIDERS, OLLAMA]], ids=lambda each: f"{len(each)}"
)
def test_what_is_composed_is_sound(providers: list[Provider], bundled: Catalogue) -> None:
    text = compose(providers)
    environ = {provider.variable: "k" for provider in providers}
    config = parse(text, environ)
    assert check(config, bundled, environ) == ()
    assert list(Draft202012Validator(schema(bundled)).iter_errors(tomli.loads(text))) == []
    assert list(config.agents) == ["helper", "writer"]
    assert all(len(line) <= 120 for line in text.splitlines())


def test_every_line_that_is_commented_out_is_sound_as_well(bundled: Catalogue, tmp_path: Path) -> None:
    lines = compose([PROVIDERS[0]]).splitlines()
    settings = [line.removeprefix("# ") for line in lines if line.startswith("# ") and _is_toml(line)]
    agent = ["[agents.more]", 'memory = "notes"', 'model = "m"', 'backend = "openai"']
    (tmp_path / "more-plugins").mkdir()
    text = "\n".join(
        line for line in [*settings, *agent] if not line.startswith(("include", "tokens", "temperature", "inst"))
    )
    config = parse(text, {"OPENAI_API_KEY": "k"})
    assert check(config, bundled, {"OPENAI_API_KEY": "k"}) == ()
    assert (config.mesh.hops, config.plugins.disabled) == (16, ("http_get",))


def _is_toml(line: str) -> bool:
    try:
        return bool(tomli.loads(line.removeprefix("# ")))
    except tomli.TOMLDecodeError:
        return False


def test_keys_are_found_by_their_names() -> None:
    environ = {"OPENAI_API_KEY": "k", "GROQ_API_KEY": " ", "ANTHROPIC_API_KEY": "k", "OTHER_KEY": "k"}
    assert [provider.name for provider in with_keys(environ)] == ["anthropic", "openai"]
    assert "k" not in [line.split("=")[-1].strip(' "') for line in compose(with_keys(environ)).splitlines()]


def test_several_providers_make_a_fallback_easy() -> None:
    assert '# or ["anthropic", "openai"]' in compose(PROVIDERS)
    assert "# or [" not in compose(PROVIDERS[:1])


def test_without_a_provider_the_agents_work_offline() -> None:
    config = parse(compose([]), {})
    assert config.agents["helper"].backend == ("offline",)
    assert config.backends["offline"].type == "scripted"
