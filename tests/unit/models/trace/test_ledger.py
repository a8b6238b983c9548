"""The ledger says in its own order which version was in force when, and is read only where it is whole."""

import pytest

from models.ledger import Keys, LedgerError
from models.ledger.book import SERVER
from models.ledger.chain import Entry
from models.ledger.storage import Ledger as Stored
from models.ledger.storage import Table
from models.trace import Ledger, ledger
from tests.support.signing import POLICY, entry, on, promotion


def seal(number, day):
    return Entry(at=on(day), actor=SERVER, action="decisions", digest=f"{number:064x}", reason=str(number))


def back_to(version, day):
    return entry("roll back", "bob", version, day=day)


FOUND = Ledger.of([*promotion(1, 0), seal(10, 1), *promotion(2, 2), seal(20, 3), back_to(1, 4), seal(30, 5)], POLICY)


def test_reigns_follow_promotions_and_rollbacks():
    assert [(each.version, each.since, each.until) for each in FOUND.reigns] == [
        (1, on(0), on(2)),
        (2, on(2), on(4)),
        (1, on(4), None),
    ]
    assert FOUND.told(1) == "from 2024-03-05 00:00 to 2024-03-07 00:00 and from 2024-03-09 00:00 on"


@pytest.mark.parametrize(
    ("number", "around"), [(1, (None, 10)), (10, (None, 10)), (11, (10, 20)), (30, (20, 30)), (31, (30, None))]
)
def test_the_seals_around_a_decision(number, around):
    assert tuple(each and each.number for each in FOUND.around(number)) == around


@pytest.mark.parametrize(
    ("version", "since", "until", "is_so"),
    [
        (1, on(1), on(1), True),
        (2, on(1), on(1.9), False),
        (2, on(1), on(2), True),
        (1, on(2.01), on(3), True),  # it was asked for a while after it was replaced
        (1, on(2.1), on(3), False),
        (1, on(2.1), on(4), True),
        (2, on(4.1), on(5), False),
        (1, on(5), None, True),
        (3, None, None, False),
        (2, None, on(1), False),
    ],
)
def test_whether_a_version_was_in_force_within_a_span(version, since, until, is_so):
    assert FOUND.reigned(version, since, until) is is_so


@pytest.fixture
def kept(tmp_path):
    """Return the address of a stored ledger, and its keys."""
    uri, keys = f"sqlite:///{tmp_path / 'mlflow.db'}", Keys(tmp_path / "signoff")
    keys.make()
    table = Table(uri)
    with Stored(table, keys.private_key, keys.head_file, POLICY).writing() as writer:
        for each in promotion():
            writer.append(each)
    table.close()
    return uri, keys


def test_a_whole_ledger_is_read(kept):
    link, found = ledger.read(*kept, POLICY)
    assert (link.state, found.book.champion) == ("held", 1)


def test_a_ledger_that_was_cut_off_is_broken_and_not_read(kept):
    uri, keys = kept
    keys.head_file.write_text(f'{{"number": 9, "hash": "{"0" * 64}"}}')
    link, found = ledger.read(uri, keys, POLICY)
    assert (link.state, found) == ("broken", None)
    assert "row 9 is missing" in link.why


def test_a_ledger_that_breaks_the_rules_is_broken():
    def entries():
        return promotion()[:-2] + promotion()[-1:]

    link, found = ledger.whole(entries, POLICY)
    assert (link.state, found) == ("broken", None)
    assert "version 1 is awaiting governance, not approved" in link.why


@pytest.mark.parametrize("error", [OSError("the server is away"), ValueError("the keys are not whole")])
def test_what_cannot_be_read_is_not_checked(error):
    def entries():
        raise error

    link, found = ledger.whole(entries, POLICY)
    assert (link.state, link.why, found) == ("not checked", f"the ledger cannot be read: {error}", None)
    with pytest.raises(LedgerError):
        Ledger.of(promotion()[1:], POLICY)


def test_without_keys_nothing_was_ever_signed(tmp_path):
    link, found = ledger.read(f"sqlite:///{tmp_path / 'none.db'}", Keys(tmp_path / "signoff"), POLICY)
    assert (link.state, link.why) == ("not checked", "no sign-off server was ever started here")
    assert found is None
    assert list(tmp_path.iterdir()) == []
