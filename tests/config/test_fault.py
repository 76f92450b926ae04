from __future__ import annotations

import datetime
from typing import Any

import pytest

from clawmesh.config.fault import Faults, describe, looks_like_key, names_secret


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abcdefghijkl123",
        "my key is sk-ant-api03-abcdefghijkl",
        "Bearer abcdefgh1",
        "bearer  abcdefgh1",
        "Basic dXNlcjpwYXNzMQ==",
        "AIzaSyA1234567890abcdefghij",
        "ghp_abcdefghijklmnop1",
        "xoxb-1234567890-abc",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.x",
        "gsk_abcdefghijklmnop1",
    ],
)
def test_keys_are_recognised(text: str) -> None:
    assert looks_like_key(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "skill",
        "sk-short",
        "task-management-tool-2026",
        "Answer basic questions.",
        "basic questions",
        "key-value-store-2026",
        "ask-me-anything",
        "a basic text",
        "You bear arms.",
        "gpt-5-mini",
    ],
)
def test_words_are_no_keys(text: str) -> None:
    assert not looks_like_key(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", '"x" (string)'),
        (True, "true (boolean)"),
        (1, "1 (integer)"),
        (1.5, "1.5 (number)"),
        ([], "an empty list"),
        ([1], "a list"),
        ({}, "an empty table"),
        (datetime.date(2026, 1, 2), "2026-01-02 (date)"),
        (datetime.time(1, 2), "01:02:00 (time of day)"),
        (datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC), "2026-01-02 03:00:00+00:00 (date and time)"),
        ("sk-abcdefghijklmnopq1", "a string that looks like a key (not shown)"),
    ],
)
def test_values_are_described(value: Any, expected: str) -> None:
    assert describe(value) == expected


def test_faults_know_their_way() -> None:
    assert Faults.of("wrong", "b").under("a")[0].path == ("a", "b")


def test_names_of_secrets_are_recognised() -> None:
    names = ["Authorization", "x-api-key", "X_API_KEY", "auth-token", "Set-Cookie", "Accept", "X-Token-Limit"]
    assert [name for name in names if names_secret(name)] == names[:5]
