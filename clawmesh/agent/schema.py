"""JSON Schema: for the arguments of tools that bring their own, and for structured output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clawmesh.abc.context import Context
from clawmesh.abc.tool import Output, Tool
from clawmesh.errors import ArgumentError, PluginError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

FAULTS = 5


class Schema:
    """Tells what is wrong with a value, in words that a model can act on; it never raises for a value or a schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = dict(schema)

    @cached_property
    def flaw(self) -> str:
        """What is wrong with the schema itself, or nothing."""
        # Imported late, here and below: 100 ms that no command pays before an answer or a tool has such a schema.
        from jsonschema.exceptions import SchemaError  # noqa: PLC0415 - see above

        try:
            type(self._validator).check_schema(self._schema)
        except SchemaError as error:
            return f"{error.json_path}: {error.message}"
        except Exception as error:  # noqa: BLE001 - a schema comes from outside and can make its check raise anything
            return _failure(error)
        return ""

    def faults(self, value: Any) -> str:
        """Return the first faults of a decoded JSON value, or nothing."""
        if self.flaw:
            return f"its schema is wrong: {self.flaw}"
        try:
            found = [f"{fault.json_path}: {fault.message}" for fault in self._validator.iter_errors(value)]
        except Exception as error:  # noqa: BLE001 - the validator raises what the schema leads it to
            return f"it cannot be held against its schema: {_failure(error)}"
        more = f"; and {len(found) - FAULTS} more" if len(found) > FAULTS else ""
        return "; ".join(found[:FAULTS]) + more

    def faults_in(self, text: str) -> str:
        """Return what is wrong with a JSON text, or nothing."""
        try:
            value = json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            return f"it is not JSON: {_failure(error) if isinstance(error, RecursionError) else error}"
        return self.faults(value)

    @cached_property
    def _validator(self) -> Validator:
        import jsonschema.validators  # noqa: PLC0415 - see above
        from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]  # noqa: PLC0415 - see above

        cls = jsonschema.validators.validator_for(self._schema, default=jsonschema.Draft202012Validator)
        # By default the validator fetches what "$ref" names; this registry holds the drafts alone.
        validator: Validator = cls(self._schema, registry=REGISTRY)
        return validator


def _failure(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else f"{type(error).__name__}: {error}"


def _no_number(constant: str) -> Any:
    """Refuse NaN and the infinities, which Python takes and RFC 8259, section 6, does not have."""
    raise ValueError(f"{constant} is not a number in JSON")


class CheckedTool:
    """A tool made by a plugin's class, whose arguments are held against its schema before it sees them."""

    def __init__(self, tool: Tool) -> None:
        self.spec = tool.spec
        self._tool = tool
        self._schema = Schema(tool.spec.parameters)

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> Output:
        if self._schema.flaw:
            raise PluginError(f"the parameters of {self.spec.name} are not a JSON Schema: {self._schema.flaw}")
        if faults := self._schema.faults(arguments):
            raise ArgumentError(f"the arguments of {self.spec.name} do not fit: {faults}")
        return await self._tool.call(context, arguments)
