"""Times, amounts and texts in words."""

from __future__ import annotations

import time

import pytest

from clawmesh.cli.phrase import age, ago, count, cut, moment, size, span, tokens
from clawmesh.messages import Usage


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0 ms"),
        (0.000061, "0.061 ms"),
        (0.0051, "5.1 ms"),
        (0.934, "934 ms"),
        (2.312, "2.31 s"),
        (119.0, "119 s"),
        (180.0, "3 min"),
        (7200.0, "2 h"),
        (12 * 86_400.0, "12 days"),
    ],
)
def test_a_duration_has_as_many_digits_as_anybody_needs(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_a_time_is_told_from_now() -> None:
    now = time.time()
    assert ago(now) == "just now"
    assert ago(now - 3600 * 5) == "5 h ago"
    assert ago(now + 3600 * 5 + 1) == "in 5 h"
    assert age(now + 60) == "0 ms"
    assert moment(now)[:4] == time.strftime("%Y")


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 B"), (1023, "1023 B"), (4301, "4.2 KB"), (123_456, "121 KB"), (5 * 1024**5, "5120 TB")]
)
def test_bytes_are_told_in_their_unit(number: int, said: str) -> None:
    assert size(number) == said


def test_nouns_follow_their_number() -> None:
    assert [count(number, "call") for number in (0, 1, 1200)] == ["0 calls", "1 call", "1,200 calls"]


def test_tokens_are_told_with_their_parts() -> None:
    assert tokens(Usage(1100, 140, 300, total_tokens=1240)) == "1,240 tokens (1,100 in, 140 out, 300 cached)"
    assert tokens(Usage(1, 0, total_tokens=1)) == "1 token (1 in, 0 out)"


def test_a_long_text_is_cut_and_says_how_long_it_is() -> None:
    assert cut("one\n two", 10) == "one two"
    assert cut("x" * 2000, 3) == "xxx… (2,000 characters)"
