"""The seam between a turn and what it can do in the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from clawmesh.messages import Image, Text

if TYPE_CHECKING:
    from clawmesh.abc.context import Context

Output: TypeAlias = str | Text | Image | Sequence[Text | Image]
P = ParamSpec("P")
T = TypeVar("T")
MARK = "__clawmesh_tool__"


class Effect(StrEnum):
    """What happens when a call is made twice, which decides what recovery may do."""

    PURE = "pure"
    IDEMPOTENT = "idempotent"
    UNSAFE = "unsafe"


class ToolSpec(Struct, frozen=True):
    """What a model and the turn know of a tool.

    `parameters` is a JSON Schema of type object; `approval` says that no call runs without a person's approval.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    effect: Effect = Effect.UNSAFE
    approval: bool = False


class Tool(Protocol):
    """Made by a plugin's `register_tools`: an instance of a registered class, or built from a plain function."""

    @property
    def spec(self) -> ToolSpec: ...

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> Output:
        """Do the work; `arguments` satisfy the spec's schema.

        Raises:
            ToolError: the reason goes back to the model.
        """


class Mark(Struct, frozen=True):
    """What `@tool` says about a function."""

    effect: Effect
    approval: bool


def tool(*, effect: Effect | str = Effect.UNSAFE, approval: bool = False) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Say more about a function that serves as a tool: its effect class, and whether a person must approve.

    A call that needs approval is refused, and the model is told so, wherever there is nobody to give it; a mesh that
    runs by itself has nobody.
    """

    def mark(function: Callable[P, T]) -> Callable[P, T]:
        setattr(function, MARK, Mark(Effect(effect), approval))
        return function

    return mark
