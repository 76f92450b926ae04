"""Configuration: TOML files become frozen values, checked whole before anything starts.

`load` reads the files and checks what needs no plugin; `check` and `bind` hold the tables of backends, tools, memories
and coded agents against the signatures which the plugins registered.
"""

from clawmesh.config.catalogue import Catalogue, check
from clawmesh.config.loader import load, parse
from clawmesh.config.mark import Duration
from clawmesh.config.model import (
    AgentConfig,
    Component,
    Config,
    ContextSettings,
    HttpSettings,
    Limits,
    MeshSettings,
    PluginSettings,
)
from clawmesh.config.pattern import Names
from clawmesh.config.signature import bind, fields_of
from clawmesh.config.source import Place, Source

__all__ = [
    "AgentConfig",
    "Catalogue",
    "Component",
    "Config",
    "ContextSettings",
    "Duration",
    "HttpSettings",
    "Limits",
    "MeshSettings",
    "Names",
    "Place",
    "PluginSettings",
    "Source",
    "bind",
    "check",
    "fields_of",
    "load",
    "parse",
]
