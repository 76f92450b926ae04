"""JSON Schema: for the arguments of tools that bring their own, and for structured output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clawmesh.abc.context import Context
from clawmesh.abc.tool import Output, Tool
from clawmesh.errors import ArgumentError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

FAULTS = 5


class Schema:
    """Tells what is wrong with a value, in words that a model can act on."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = dict(schema)

    def faults(self, value: Any) -> str:
        """Return the first faults of a decoded JSON value, or nothing."""
        found = [f"{fault.json_path}: {fault.message}" for fault in self._validator.iter_errors(value)]
        more = f"; and {len(found) - FAULTS} more" if len(found) > FAULTS else ""
        return "; ".join(found[:FAULTS]) + more

    def faults_in(self, text: str) -> str:
        """Return what is wrong with a JSON text, or nothing."""
        try:
            value = json.loads(text)
        except ValueError as error:
            return f"it is not JSON: {error}"
        return self.faults(value)

    @cached_property
    def _validator(self) -> Validator:
        # Imported late: 100 ms that no command pays before such a tool is called or an answer has a schema.
        import jsonschema.validators  # noqa: PLC0415 - see above

        cls = jsonschema.validators.validator_for(self._schema, default=jsonschema.Draft202012Validator)
        validator: Validator = cls(self._schema)
        return validator


class CheckedTool:
    """A tool made by a plugin's class, whose arguments are held against its schema before it sees them."""

    def __init__(self, tool: Tool) -> None:
        self.spec = tool.spec
        self._tool = tool
        self._schema = Schema(tool.spec.parameters)

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> Output:
        if faults := self._schema.faults(arguments):
            raise ArgumentError(f"the arguments of {self.spec.name} do not fit: {faults}")
        return await self._tool.call(context, arguments)
