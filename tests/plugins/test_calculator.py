from __future__ import annotations

import pytest

from clawmesh.errors import ToolError
from plugins.calculator import calculator


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("2 + 3 * 4", "14"),
        ("(2 + 3) * 4", "20"),
        ("10 / 4", "2.5"),
        ("10 / 5", "2"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("+5", "5"),
        ("2 ** -1", "0.5"),
        ("2 ** 100", "1267650600228229401496703205376"),
        ("0.1 + 0.2", "0.3"),
        ("1e3", "1000"),
        ("1e20", "1e+20"),
        ("sqrt(2) * sqrt(2)", "2"),
        ("sin(pi / 6)", "0.5"),
        ("log(e)", "1"),
        ("max(1, 2.5, -3)", "2.5"),
        ("round(2.567, 2)", "2.57"),
        ("round(2.6)", "3"),
        ("factorial(5)", "120"),
        ("gcd(12, 18)", "6"),
        ("+".join(["1"] * 400), "400"),
        ("  1 + 1\n", "2"),
    ],
)
def test_arithmetic(expression: str, result: str) -> None:
    assert calculator(expression) == result


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("1 +", "this is no arithmetic expression: invalid syntax (<unknown>, line 1)"),
        ("", "this is no arithmetic expression: invalid syntax (<unknown>, line 0)"),
        ("1\0", "this is no arithmetic expression: source code string cannot contain null bytes"),
        ("1 / 0", "this cannot be calculated: division by zero"),
        ("sqrt(-1)", "this cannot be calculated: math domain error"),
        ("sqrt(1, 2)", "this cannot be calculated: math.sqrt() takes exactly one argument (2 given)"),
        ("(-8) ** 0.5", "the result is no real number"),
        ("2 ^ 3", "^ is not understood; powers are written with **"),
        ("1 << 9", "the operator LShift is not understood"),
        ("9 ** 9 ** 9", "the result would have more than 14000 bits"),
        ("2 ** 9999 * 2 ** 9999", "the result would have more than 14000 bits"),
        ("10.0 ** 400", "this cannot be calculated: (34, 'Numerical result out of range')"),
        ("1e308 * 10", "the result is too large for a number"),
        ("factorial(2000)", "factorial takes a whole number from 0 to 1000"),
        ("factorial(0.5)", "factorial takes a whole number from 0 to 1000"),
        ("round(1, -10 ** 9)", "round takes at most 100 digits"),
        ("x", 'there is no "x"; there are pi, e, tau'),
        ("'a' * 9", "'a' is no number"),
        ("True", "True is no number"),
        ("(1).real", "only numbers, + - * / // % **, brackets and functions are understood, no Attribute"),
        ("[1][0]", "only numbers, + - * / // % **, brackets and functions are understood, no Subscript"),
        ("(lambda: 1)()", "only numbers, + - * / // % **, brackets and functions are understood, no Call"),
        ("max(*[1])", "only numbers, + - * / // % **, brackets and functions are understood, no Starred"),
        ("1" * 1001, "the expression has 1001 characters; at most 1000 are taken"),
        ("-" * 990 + "1", "the expression is nested too deeply"),
    ],
)
def test_what_is_no_arithmetic_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(ToolError) as caught:
        calculator(expression)
    assert str(caught.value) == reason


def test_an_unknown_function_names_those_there_are() -> None:
    with pytest.raises(ToolError, match='there is no function "eval"; there are sqrt, exp, log'):
        calculator("eval(1)")
