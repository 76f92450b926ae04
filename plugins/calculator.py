"""The tool `calculator`: arithmetic that a model should not do in its head."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from clawmesh import ToolError, tool

Number: TypeAlias = int | float

CHARACTERS = 1000
# About 4,200 digits: Python itself prints no whole number of more than 4,300.
BITS = 14_000
ARGUMENTS = 100
DIGITS = 100

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e, "tau": math.tau}


@tool(effect="pure")
def calculator(expression: str) -> str:
    """Calculate an arithmetic expression and return the number.

    Args:
        expression: for example "(3 + 4) * 2 ** 10 / sqrt(2)"; knows + - * / // % ** and brackets, pi, e, tau, and
            functions such as sqrt, exp, log, log2, log10, sin, cos, tan, floor, ceil, round, abs, min, max, factorial
    """
    if len(expression) > CHARACTERS:
        raise ToolError(f"the expression has {len(expression)} characters; at most {CHARACTERS} are taken")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ToolError(f"this is no arithmetic expression: {error}") from error
    try:
        return _shown(_value(tree.body))
    except RecursionError as error:
        raise ToolError("the expression is nested too deeply") from error
    except (ArithmeticError, ValueError, TypeError) as error:
        raise ToolError(f"this cannot be calculated: {error}") from error


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _bounded(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
            return _bounded(_UNARY[type(sign)](_value(operand)))
        case ast.BinOp(left=left, op=sign, right=right):
            return _bounded(_binary(sign, _value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if len(arguments) <= ARGUMENTS:
            return _bounded(_call(name, [_value(argument) for argument in arguments]))
        case ast.Constant(value=value):
            raise ToolError(f"{value!r} is no number")
        case ast.Name(id=name):
            raise ToolError(f'there is no "{name}"; there are {", ".join(_CONSTANTS)}')
    raise ToolError(f"only numbers, + - * / // % **, brackets and functions are understood, no {type(node).__name__}")


def _binary(sign: ast.operator, left: Number, right: Number) -> Number:
    if isinstance(sign, ast.BitXor):
        raise ToolError("^ is not understood; powers are written with **")
    if isinstance(sign, ast.Pow):
        return _power(left, right)
    if isinstance(sign, ast.Div):
        exact = isinstance(left, int) and isinstance(right, int) and right != 0 and left % right == 0
        return left // right if exact else left / right
    if type(sign) not in _BINARY:
        raise ToolError(f"the operator {type(sign).__name__} is not understood")
    result: Number = _BINARY[type(sign)](left, right)
    return result


def _power(base: Number, exponent: Number) -> Number:
    # How large the result gets is known before it is computed, which could take for ever.
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and abs(base) > 1 and exponent * math.log2(abs(base)) > BITS:
        raise ToolError(f"the result would have more than {BITS} bits")
    result = base**exponent
    if isinstance(result, complex):
        raise ToolError("the result is no real number")
    return result


def _call(name: str, arguments: list[Number]) -> Number:
    if name not in _FUNCTIONS:
        raise ToolError(f'there is no function "{name}"; there are {", ".join(_FUNCTIONS)}')
    result: Number = _FUNCTIONS[name](*arguments)
    return result


def _round(number: Number, digits: int = 0) -> Number:
    if abs(digits) > DIGITS:
        raise ToolError(f"round takes at most {DIGITS} digits")
    return round(number, digits) if digits else round(number)


def _factorial(number: Number) -> int:
    if not isinstance(number, int) or not 0 <= number <= 1000:
        raise ToolError("factorial takes a whole number from 0 to 1000")
    return math.factorial(number)


def _bounded(number: Number) -> Number:
    if isinstance(number, int) and number.bit_length() > BITS:
        raise ToolError(f"the result would have more than {BITS} bits")
    return number


def _shown(number: Number) -> str:
    """Return the number; a float with the 15 digits that are certain, so that 0.1 + 0.2 is 0.3."""
    if isinstance(number, int):
        return str(number)
    if not math.isfinite(number):
        raise ToolError("the result is too large for a number")
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.15g}"


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(math, name) for name in ("sqrt", "exp", "log", "log2", "log10", "sin", "cos", "tan", "asin")},
    **{name: getattr(math, name) for name in ("acos", "atan", "atan2", "sinh", "cosh", "tanh", "degrees", "radians")},
    **{name: getattr(math, name) for name in ("floor", "ceil", "trunc", "gcd", "hypot")},
    "abs": abs,
    "min": min,
    "max": max,
    "round": _round,
    "factorial": _factorial,
}


def register_tools() -> Mapping[str, Callable[..., Any]]:
    """Offer the tool `calculator`."""
    return {"calculator": calculator}


EXAMPLES = [
    {"tool": "calculator", "arguments": {"expression": "(3 + 4) * 2 ** 10"}, "result": "7168"},
    {"tool": "calculator", "arguments": {"expression": "0.1 + 0.2"}, "result": "0.3"},
    {"tool": "calculator", "arguments": {"expression": "10 ** 10 ** 10"}, "error": "bits"},
    {"tool": "calculator", "arguments": {"expression": "open(1)"}, "error": 'there is no function "open"'},
]
