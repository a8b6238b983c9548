"""From a file, a company or an outcome to the decisions that it touched, of the window and of the night."""

from contextlib import closing
from datetime import datetime

import msgspec
import pytest

from models.decisions import DecisionLog
from models.decisions.record import linked
from models.places import Places
from models.trace import Night, by_company, by_file, by_outcome
from tests.support import desks, stores
from tests.support.decided import decision

LATER = datetime(2024, 5, 4, 9)


@pytest.fixture
def night(tmp_path):
    """Stored declarations, all of which the night has selected; N3 was corrected, and N1 has an outcome."""
    night = Night.of(Places(tmp_path / "data", tmp_path / "state", tmp_path / "signoff", "", ""), "files")
    usual = {"item_number": 1, "accepted_at": datetime(2024, 5, 2, 8), "importer_id": "I1", "seller_id": "S1"}
    other = {"importer_id": "I4", "seller_id": None, "declarant_id": "B4"}
    rows = [
        {**usual, "declaration_id": "N1"},
        {**usual, "declaration_id": "N1", "item_number": 2, "importer_id": "I9"},
        {**usual, "declaration_id": "N2", "accepted_at": LATER, "importer_id": "I2"},
        {**usual, "declaration_id": "N3", "importer_id": "I3", "recorded_at": LATER},
        {**usual, "declaration_id": "W1"},
        {**usual, "declaration_id": "N4", "accepted_at": LATER, **other},
    ]
    stores.put(night.store, "declarations", rows)
    stores.put(night.store, "declarations_superseded", [{**usual, "declaration_id": "N3", "seller_id": "S3"}])
    kept = desks.Night(night.selections, night.store)
    desks.select(kept, ("N1", 1, "red"), ("N1", 2, "green"), ("N3", 1, "blue"), ("W1", 1, "red"))
    desks.select(kept, ("N2", 1, "yellow"), ("N4", 1, "green"), at=desks.NOON.replace(day=4))
    return night


@pytest.fixture
def log(tmp_path):
    """A log with two versions of W1, which the night has been handed, and with W2."""
    with closing(DecisionLog(f"sqlite:///{tmp_path / 'decisions.db'}")) as log:
        log.migrate()
        made = [
            declared(decision(1, declaration_id="W1"), "I1"),
            declared(decision(2, declaration_id="W2"), "I2"),
            declared(decision(3, declaration_id="W1", version=2), "I7"),
        ]
        log.append(list(linked(made, 0, log.head().hash)), {})
        yield log


def declared(made, importer):
    rows = tuple({**row, "importer_id": importer, "declarant_id": "B7"} for row in made.declared)
    return msgspec.structs.replace(made, declared=rows)


def told(found):
    return [(each.declaration_id, each.item_number, each.version, each.by, each.how) for each in found]


def test_a_company_touches_what_names_it_in_the_form_that_was_decided(log, night):
    assert told(by_company(log, night, "I1")) == [
        ("N1", 1, 1, "night", "importer_id"),
        ("N3", 1, 1, "night", "importer_id"),
        ("W1", 1, 1, "window", "importer_id"),
        ("W1", 2, 1, "window", "importer_id"),
    ]
    assert told(by_company(log, night, "I7")) == [("W1", item, 2, "window", "importer_id") for item in (1, 2)]
    assert told(by_company(log, night, "S3")) == [("N3", 1, 1, "night", "seller_id")]
    assert told(by_company(log, night, "I3")) == []  # a correction that came later
    assert len(by_company(log, night, "B7")) == 6
    assert by_company(log, night, "NOBODY") == []


def test_what_was_touched_is_told_with_its_decision_and_when(log, night):
    (found,) = by_company(log, night, "S3")
    assert (found.id, found.lane, found.decided_at) == ("1", "blue", desks.NOON)
    found = by_company(log, night, "I2")
    assert [(each.id, each.lane) for each in found] == [
        ("20240502-0000000000000002", "red"),
        ("20240502-0000000000000002", "green"),
        ("2", "yellow"),
    ]


def test_without_a_window_the_night_alone_is_asked(night):
    assert {each.by for each in by_company(None, night, "I1")} == {"night"}
    assert ("W1", 1, 1, "night", "importer_id") in told(by_company(None, night, "I1"))


def test_a_file_touches_the_declarations_of_which_it_tells(log, night):
    every = {("N1", 1), ("N1", 2), ("N2", 1), ("N3", 1), ("N4", 1), ("W1", 1), ("W1", 2)}
    found = by_file(log, night, "test")
    assert {(each.declaration_id, each.item_number) for each in found} == every
    assert {each.how for each in found} == {"declarations"}
    with pytest.raises(LookupError, match=r"has nothing of a file 'other\.csv'; allowed: the name of a delivered file"):
        by_file(log, night, "other.csv")


def test_an_outcome_touches_its_declaration_and_what_knew_of_it_by_a_company(log, night):
    outcome = {"declaration_id": "N1", "item_number": 1, "accepted_at": datetime(2024, 5, 2, 8), "is_inspected": True}
    stores.put(night.store, "outcomes", [{**outcome, "is_illicit": True, "known_at": datetime(2024, 5, 3, 17)}])
    assert told(by_outcome(log, night, "N1", 30)) == [
        ("N1", 1, 1, "night", "outcome"),
        ("N1", 2, 1, "night", "outcome"),
        ("N2", 1, 1, "night", "seller_id"),
    ]


@pytest.mark.parametrize(("delay", "knew"), [(1, True), (2, False)])
def test_an_outcome_that_does_not_say_when_it_was_known_counts_from_its_delay_on(log, night, delay, knew):
    outcome = {"declaration_id": "N1", "item_number": 1, "accepted_at": datetime(2024, 5, 2, 8), "is_inspected": True}
    stores.put(night.store, "outcomes", [{**outcome, "is_illicit": True}])
    assert (("N2", 1, 1, "night", "seller_id") in told(by_outcome(log, night, "N1", delay))) is knew


def test_without_an_outcome_nothing_is_told(log, night):
    with pytest.raises(LookupError, match="has no outcome of declaration 'N2'"):
        by_outcome(log, night, "N2", 30)
