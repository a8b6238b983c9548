"""What a ledger tells, entry by entry."""

import pytest

from models.ledger import LedgerError
from models.ledger.chain import Chain
from models.ledger.keys import Keys
from models.ledger.storage import Table, _rows
from models.names import SERVICE
from models.notices import Versions
from tests.support.ledgers import open_ledger, write
from tests.support.noticed import PAGES
from tests.support.signing import AUTHOR, POLICY, entry, on, opening, promotion, signing

VALID = POLICY.valid_days


class Told:
    """A ledger, and what is told of it."""

    def __init__(self, folder):
        self.uri, self.keys = f"sqlite:///{folder / 'mlflow.db'}", Keys(folder / "signoff")
        self.keys.make()
        self.ledger = open_ledger(self.uri, self.keys)
        self.versions, self.cursor, self.known = self.opened(), "0", set()

    def opened(self):
        return Versions(Table(self.uri), self.keys.public_key, POLICY)

    def write(self, *entries, day=0.0):
        """Write entries, and return what is told of at a day and was not before."""
        write(self.ledger, *entries)
        return self.look(day)

    def look(self, day=0.0):
        found = self.versions.look(PAGES, self.cursor, on(day))
        self.cursor = found.cursor
        fresh = [event for event in found.events if event.key not in self.known]
        self.known |= {event.key for event in found.events}
        return fresh


@pytest.fixture
def told(tmp_path):
    return Told(tmp_path)


def kinds(events):
    return [(event.kind, event.role) for event in events]


def test_each_step_is_waited_for_in_turn_by_those_who_have_not_signed(told):
    (waits,) = told.write(opening())
    assert kinds([waits]) == [("waits", "risk-analyst")]
    assert waits.link == "https://own.example/signoff/versions/1"
    assert waits.facts == {
        "version": "1",
        "authors": AUTHOR,
        "step": "technical",
        "role": "risk-analyst",
        "missing": "1",
        "signed": "-",
        "ends": "-",
    }
    ann, bob, cid = signing()
    (waits,) = told.write(ann)
    assert kinds([waits]) == [("waits", "reviewer")]
    assert (waits.facts["missing"], waits.facts["signed"], waits.but) == ("2", "ann", (AUTHOR, "ann"))
    assert waits.facts["ends"] == "2024-04-04 00:00 UTC"  # thirty days after the signature
    assert told.write(bob) == []  # the other reviewer knows of it already
    assert told.write(cid) == []


def test_a_signature_that_is_taken_back_is_waited_for_again(told):
    told.write(opening(), *signing())
    (waits,) = told.write(entry("revoke", "cid", step="governance"))
    assert (waits.kind, waits.facts["missing"], waits.facts["signed"]) == ("waits", "1", "ann, bob")
    (again,) = told.write(entry("revoke", "bob", step="governance"))  # of the step that is waited for already
    assert (again.kind, again.facts["missing"], again.facts["signed"]) == ("waits", "2", "ann")


def test_signatures_are_told_before_they_run_out_and_when_they_have(told):
    told.write(opening(), signing()[0])
    assert told.look(VALID - 3.1) == []
    (soon,) = told.look(VALID - 3)
    assert kinds([soon]) == [("runs-out", "reviewer")]
    assert told.look(VALID - 1) == []
    (out,) = told.look(VALID + 0.1)
    assert kinds([out]) == [("ran-out", "risk-analyst")]
    assert (out.at, out.facts["missing"], out.facts["signed"]) == (on(VALID), "1", "-")
    assert told.look(VALID + 5) == []
    (waits,) = told.write(entry("approve", "ann", step="technical", day=VALID + 6), day=VALID + 6)
    assert kinds([waits]) == [("waits", "reviewer")]


def test_authors_learn_what_became_of_their_version(told):
    told.write(opening())
    (refused,) = told.write(entry("reject", "ann", step="technical", reason="<b>misses</b> office 40"))
    assert (refused.kind, refused.accounts, refused.role) == ("refused", (AUTHOR,), "data-scientist")
    assert (refused.facts["by"], refused.facts["why"]) == ("ann", "(b)misses(/b) office 40")
    assert kinds(told.write(*promotion(2))) == [("promoted", "data-scientist")]
    assert [event.facts["version"] for event in told.write(*promotion(3, 1), *promotion(4, 2), day=2)] == ["3", "4"]
    back = entry("roll back", "bob", version=3, day=3)
    (taken,) = told.write(back, day=3)
    assert (taken.kind, taken.facts["version"], taken.facts["now"], taken.facts["by"]) == (
        "taken-back",
        "4",
        "3",
        "bob",
    )
    void = told.write(entry("void", "mlflow-server", version=2, digest="0" * 64, day=3), day=3)
    assert [(event.kind, event.facts["version"]) for event in void] == [("void", "2")]


def test_refused_attempts_and_other_entries_tell_nothing(told):
    told.write(opening())
    assert told.write(entry("approve", "root", step="technical", refusal="administers"), entry("account", "root")) == []


def test_the_first_look_tells_what_waits_and_no_history(told):
    write(told.ledger, *promotion(), opening(2))
    found = told.versions.look(PAGES, None, on(0))
    assert (kinds(found.events), found.cursor) == ([("waits", "risk-analyst")], "6")


def test_a_restart_finds_the_same_under_the_same_keys(told):
    write(told.ledger, opening(), entry("reject", "ann", step="technical"), opening(2), signing(2)[0])
    first = told.versions.look(PAGES, "0", on(0))
    assert kinds(first.events) == [("refused", "data-scientist"), ("waits", "reviewer")]
    assert told.opened().look(PAGES, "0", on(0)) == first
    assert kinds(told.opened().look(PAGES, "2", on(0)).events) == [("waits", "reviewer")]
    # A look whose result was lost is made again from the same place.
    assert told.versions.look(PAGES, "0", on(0)) == first


def test_a_ledger_that_is_broken_is_read_anew_once_it_is_whole(told):
    told.write(opening())
    write(told.ledger, entry("promote", SERVICE, refusal="not approved"))
    engine = told.ledger._table._engine
    with engine.begin() as connection:
        (text,) = connection.exec_driver_sql("SELECT entry FROM tidewaiter_ledger WHERE number = 2").one()
        connection.exec_driver_sql("UPDATE tidewaiter_ledger SET entry = '{}' WHERE number = 2")
    with pytest.raises(LedgerError):
        told.look()
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE tidewaiter_ledger SET entry = ? WHERE number = 2", (text,))
    assert [event.kind for event in told.write(signing()[0])] == ["waits"]
    assert told.cursor == "3"


def test_a_row_against_the_rules_is_told_at_every_look(told):
    """As somebody with the key can write it."""
    told.write(opening())
    key, rows = told.keys.private_key, told.ledger._table.rows()
    chain = Chain(key.public_key())
    chain.extend(rows)
    forged = chain.follow(entry("promote", SERVICE), key)
    with told.ledger._table._engine.begin() as connection:
        connection.execute(_rows.insert().values(forged.model_dump()))
    for _ in range(2):
        with pytest.raises(LedgerError, match="promote of version 1"):
            told.look()


def test_a_policy_of_a_few_days_warns_in_the_last_quarter(told, tmp_path):
    short = POLICY.model_copy(update={"valid_days": 4})
    told.write(opening(policy=short), signing()[0])
    assert told.look(2.9) == []
    assert [event.kind for event in told.look(3)] == ["runs-out"]


def test_who_cannot_sign_yet_is_told_once_they_can(told):
    told.write(opening(1))
    told.write(signing(1)[0])
    assert told.write(opening(2)) == []
    (waits,) = [event for event in told.write(entry("withdraw", AUTHOR, 1, "technical")) if event.kind == "waits"]
    assert waits.facts["version"] == "2"
