"""Decisions that are sealed into the ledger cannot be rewritten, not even by whoever makes the whole chain anew."""

import sqlite3
from contextlib import closing

import msgspec
import pytest

from models.decisions import BrokenChain, Head
from models.decisions.record import linked
from models.ledger import Entry, Keys, LedgerError, storage
from models.names import SERVER
from models.policy import load
from models.window.sealing import seal, verified
from tests.support.decided import decision


@pytest.fixture
def ledger(tmp_path):
    keys = Keys(tmp_path / "signoff")
    keys.make()
    table = storage.Table(f"sqlite:///{tmp_path / 'mlflow.db'}")
    yield storage.Ledger(table, keys.private_key, keys.head_file, load().signoff)
    table.close()


def add(log, *decisions):
    head = log.head()
    log.append(list(linked(decisions, head.number, head.hash)), {})


def entries(ledger):
    return [Entry.model_validate_json(row.entry) for row in ledger._table.rows()]


def test_what_was_decided_is_sealed_once_and_verifies(log, ledger):
    add(log, decision(1), decision(2))
    first = seal(log, ledger, Head())
    assert seal(log, ledger, first) == first
    add(log, decision(3))
    second = seal(log, ledger, first)
    add(log, decision(4))
    sealed = [(int(each.reason), each.digest, each.actor) for each in entries(ledger)]
    assert sealed == [(2, first.hash, SERVER), (3, second.hash, SERVER)]
    assert verified(log, entries(ledger)) == log.head()


def test_a_chain_that_was_made_anew_does_not_fit_the_seal(log, ledger, tmp_path):
    kept = [decision(number) for number in (1, 2, 3)]
    add(log, *kept)
    seal(log, ledger, Head())
    with closing(sqlite3.connect(tmp_path / "decisions.db")) as other, other:
        other.execute("DELETE FROM decisions")
    add(log, kept[0], msgspec.structs.replace(kept[1], caller="somebody else"), kept[2])
    assert log.verify().number == 3
    with pytest.raises(BrokenChain, match="decision 3 is not what was sealed on"):
        verified(log, entries(ledger))


def test_decisions_that_were_cut_off_are_missed(log, ledger, tmp_path):
    add(log, decision(1), decision(2))
    seal(log, ledger, Head())
    with closing(sqlite3.connect(tmp_path / "decisions.db")) as other, other:
        other.execute("DELETE FROM decisions WHERE number = 2")
    with pytest.raises(BrokenChain, match="decision 2 is missing"):
        verified(log, entries(ledger))


def test_neither_what_else_people_did_nor_a_seal_that_was_refused_says_anything_of_the_log(log, ledger):
    add(log, decision(1))
    seal(log, ledger, Head())
    (sealed,) = entries(ledger)
    refused = sealed.model_copy(update={"digest": "f" * 64, "refusal": "only the window seals"})
    other = sealed.model_copy(update={"action": "comment", "reason": "it looks sound", "digest": None})
    assert verified(log, [other, refused, sealed, other]) == log.head()


@pytest.mark.parametrize("changed", [{"actor": "ann"}, {"digest": None}, {"reason": "all of them"}])
def test_nobody_else_seals_and_nothing_but_a_number_and_a_hash(ledger, changed):
    entry = {"at": storage.now(), "actor": SERVER, "action": "decisions", "digest": "a" * 64, "reason": "3"}
    with ledger.writing() as writer:
        writer.append(Entry(**entry))
    with (
        pytest.raises(LedgerError, match=r"only the window seals|sealed by number and hash"),
        ledger.writing() as writer,
    ):
        writer.append(Entry(**{**entry, **changed}))
