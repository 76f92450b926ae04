from __future__ import annotations

import stat
from pathlib import Path

import pytest

from clawmesh.api.token import Tokens, digest_of, own
from clawmesh.errors import StorageError, UsageError
from clawmesh.mesh.address import Address


def test_a_token_is_found_by_itself_alone_and_nowhere_kept(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    secret = tokens.create("shop", ["talk"], [], 1.0)
    found = tokens.find(secret, 2.0)
    assert found is not None
    assert (found.name, found.scopes, found.digest) == ("shop", ("talk",), digest_of(secret))
    assert tokens.find(secret[:-1], 2.0) is None
    assert tokens.find("", 2.0) is None
    file = tmp_path / "tokens.json"
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(secret) > 40


def test_what_another_process_changes_is_seen_at_once(tmp_path: Path) -> None:
    one, other = Tokens(tmp_path), Tokens(tmp_path)
    secret = one.create("shop", ["talk"], [], 1.0)
    token = other.find(secret, 1.0)
    assert token is not None
    assert other.valid(token, 1.0)
    one.revoke("shop")
    assert other.find(secret, 1.0) is None
    assert not other.valid(token, 1.0)


def test_a_token_ends_when_its_time_is_over(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    secret = tokens.create("shop", ["talk"], [], 1.0, 10.0)
    token = tokens.find(secret, 9.9)
    assert token is not None
    assert tokens.find(secret, 10.0) is None
    assert not tokens.valid(token, 10.0)


def test_the_first_token_is_the_owners_and_lies_in_a_file(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    file = tokens.first(1.0)
    assert file == tmp_path / "token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = tokens.find(own(tmp_path), 1.0)
    assert token is not None
    assert all(token.may(scope) for scope in ("read", "talk", "operate", "admin"))
    assert tokens.first(1.0) is None
    tokens.revoke("owner")
    assert tokens.first(1.0) is None  # whoever revokes the last one means it


def test_a_confined_token_has_sessions_of_its_own(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    tokens.create("shop", ["talk", "read"], ["lead", "w*"], 1.0)
    tokens.create("boss", ["operate"], [], 1.0)
    shop, boss = tokens.all()
    assert shop.inside("lead", "s1") == Address("lead", "shop.s1")
    assert shop.outside(Address("lead", "shop.s1")) == "s1"
    assert shop.owns(Address("lead", "shop.s1"))
    assert not shop.owns(Address("lead", "shopper.s1"))
    assert not shop.owns(Address("other", "shop.s1"))
    assert (shop.knows("writer"), shop.knows("other")) == (True, False)
    assert boss.inside("lead", "shop.s1") == Address("lead", "shop.s1")
    assert boss.owns(Address("other", "shop.s1"))
    with pytest.raises(UsageError):
        shop.inside("lead", "../s1")


@pytest.mark.parametrize(
    ("name", "scope", "said"),
    [
        ("", "talk", '"" is no name'),
        ("Shop", "talk", '"Shop" is no name'),
        ("a.b", "talk", '"a.b" is no name'),
        ("shop", "talk", 'there is a token "shop" already'),
        ("new", "tlak", 'there is no scope "tlak"; did you mean "talk"?'),
    ],
)
def test_what_cannot_be_a_token_is_said(tmp_path: Path, name: str, scope: str, said: str) -> None:
    tokens = Tokens(tmp_path)
    tokens.create("shop", ["talk"], [], 1.0)
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        tokens.create(name, [scope], [], 1.0)
    with pytest.raises(UsageError, match='there is no token "shpo"; did you mean "shop"'):
        tokens.revoke("shpo")
    assert len(tokens.all()) == 1


def test_a_file_that_others_could_have_written_opens_nothing(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    secret = tokens.create("shop", ["talk"], [], 1.0)
    (tmp_path / "tokens.json").chmod(0o666)
    with pytest.raises(StorageError, match="can be written by others"):
        Tokens(tmp_path).find(secret, 1.0)
    (tmp_path / "tokens.json").chmod(0o600)
    (tmp_path / "tokens.json").write_text("[")
    with pytest.raises(StorageError, match="is damaged"):
        tokens.find(secret, 1.0)
