"""The ledger: it counts what happened, and what it does wrong is what it was told to do wrong."""

from __future__ import annotations

import json
from http.client import HTTPConnection, RemoteDisconnected
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.recovery.ledger import Effect, Fault, Ledger, open_ledger


def post(ledger: Ledger, key: str, name: str = "charge") -> tuple[int, Any]:
    connection = HTTPConnection(urlsplit(ledger.url).netloc)
    try:
        connection.request("POST", "/effect", json.dumps({"key": key, "name": name, "arguments": {"item": "tea"}}))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_it_counts_by_name_and_key() -> None:
    with open_ledger() as ledger:
        answers = [post(ledger, key) for key in ("a", "b", "a")]
        post(ledger, "a", "book")
    assert answers == [(200, {"times": 1}), (200, {"times": 1}), (200, {"times": 2})]
    assert ledger.attempts("charge") == {"a": 2, "b": 1}
    assert ledger.effects[-1] == Effect("a", "book", {"item": "tea"})


def test_it_lists_what_happened() -> None:
    with open_ledger() as ledger:
        post(ledger, "a")
        connection = HTTPConnection(urlsplit(ledger.url).netloc)
        connection.request("GET", "/effects")
        listed = json.loads(connection.getresponse().read())
        connection.close()
    assert listed == {"effects": [{"key": "a", "name": "charge", "arguments": {"item": "tea"}}]}


def test_a_refusal_is_no_effect() -> None:
    with open_ledger(lambda _effect: Fault(refuses=True)) as ledger:
        assert post(ledger, "a") == (503, {})
    assert ledger.effects == []


def test_an_answer_that_never_comes_is_an_effect() -> None:
    with open_ledger(lambda _effect: Fault(forgets_to_answer=True)) as ledger, pytest.raises(RemoteDisconnected):
        post(ledger, "a")
    assert ledger.attempts("charge") == {"a": 1}


def test_a_slow_service_ends_with_its_test() -> None:
    with open_ledger(lambda _effect: Fault(after=3600)) as ledger:
        connection = HTTPConnection(urlsplit(ledger.url).netloc)
        connection.request("POST", "/effect", json.dumps({"key": "a", "name": "book", "arguments": {}}))
        ledger.wait_for(lambda: ledger.attempts("book")["a"] == 1)
    connection.close()
