import sqlite3
from contextlib import closing

import pytest

from models.access.accounts import SYSTEM, TRADE
from models.access.tokens import Tokens


@pytest.fixture
def file(tmp_path):
    return tmp_path / "accounts.db"


@pytest.fixture
def tokens(file):
    tokens = Tokens(f"sqlite:///{file}")
    yield tokens
    tokens.close()


def test_a_token_is_its_machines_until_it_is_revoked(tokens):
    window, broker = tokens.make("single-window", SYSTEM, "admin"), tokens.make("broker-7", TRADE, "admin")
    assert (tokens.machine(window).name, tokens.machine(window).role) == ("single-window", SYSTEM)
    assert (tokens.machine(broker).name, tokens.machine(broker).role) == ("broker-7", TRADE)
    tokens.revoke("broker-7")
    assert tokens.machine(broker) is None
    assert tokens.machine(window) is not None
    assert [(each.name, each.revoked_at is None) for each in tokens.machines()] == [
        ("broker-7", False),
        ("single-window", True),
    ]


@pytest.mark.parametrize("forged", ["", "tw_", "single-window", "tw_" + "A" * 43, "\udc80"])
def test_nothing_else_signs_in(tokens, forged):
    tokens.make("single-window", SYSTEM, "admin")
    assert tokens.machine(forged) is None


def test_the_database_does_not_know_the_token(tokens, file):
    token = tokens.make("single-window", SYSTEM, "admin")
    with closing(sqlite3.connect(file)) as other:
        written = repr(other.execute("SELECT * FROM tidewaiter_tokens").fetchall())
    assert token not in written
    assert token.removeprefix("tw_") not in written
    assert "single-window" in written


@pytest.mark.parametrize(
    ("name", "role", "message"),
    [
        ("Single Window", SYSTEM, "name is 'Single Window'; allowed: up to 63 small letters"),
        ("broker", "officer", "role is 'officer'; allowed: declaration-system, trade-system"),
        ("taken", SYSTEM, "name 'taken' has or had a token already"),
    ],
)
def test_what_is_not_allowed_is_said(tokens, name, role, message):
    tokens.make("taken", TRADE, "admin")
    tokens.revoke("taken")
    with pytest.raises(ValueError, match=message):
        tokens.make(name, role, "admin")


def test_only_a_token_that_counts_is_revoked(tokens):
    tokens.make("broker", TRADE, "admin")
    tokens.revoke("broker")
    for name in ("broker", "nobody"):
        with pytest.raises(ValueError, match="allowed: one whose token counts"):
            tokens.revoke(name)
