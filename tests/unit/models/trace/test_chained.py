"""A decision stands in its log under the ledger's seals; what was altered breaks the link that it is about."""

import zlib
from contextlib import closing

import msgspec
import pytest
import sqlalchemy as sa

from models.decisions import DecisionLog
from models.decisions.record import linked
from models.decisions.tables import decisions
from models.ledger.book import SERVER
from models.ledger.chain import Entry
from models.trace import Ledger, chained
from tests.support.decided import decision
from tests.support.signing import POLICY, on

MADE = [decision(number) for number in range(1, 10)]


@pytest.fixture
def log(tmp_path):
    with closing(DecisionLog(f"sqlite:///{tmp_path / 'decisions.db'}")) as log:
        log.migrate()
        log.append(list(linked(MADE, 0, log.head().hash)), {})
        yield log


def sealed(log, *numbers):
    """Return a ledger that has sealed the log at these numbers, a day each."""
    hashes = {number: log.verify(until=number).hash for number in numbers}
    return Ledger.of(
        [
            Entry(at=on(day), actor=SERVER, action="decisions", digest=hashes[number], reason=str(number))
            for day, number in enumerate(numbers)
        ],
        POLICY,
    )


def told(log, ledger, number=5):
    return {link.name: (link.state, link.why) for link in chained.links(log, number, MADE[number - 1], ledger)}


def rewrite(log, made, first=1):
    """Write the log anew, as somebody who has the database can: a chain that is whole in itself."""
    before = log.verify(until=first - 1).hash if first > 1 else "0" * 64
    with log._tables.writing() as connection:
        for link in linked(made[first - 1 :], first - 1, before):
            row = decisions.update().where(decisions.c.number == link.number)
            connection.execute(row.values(text=link.text, hash=link.hash))


@pytest.mark.parametrize("numbers", [(3, 5, 9), (4, 7), (5,), (9,), (1, 2, 3, 4, 5, 6)])
def test_between_two_seals_both_links_hold(log, numbers):
    assert told(log, sealed(log, *numbers)) == {"chain": ("held", ""), "seal": ("held", "")}


def test_before_the_next_seal_the_chain_holds_and_the_seal_is_not_checked(log):
    found = told(log, sealed(log, 2, 4))
    assert found == {
        "chain": ("held", ""),
        "seal": ("not checked", "no seal covers the decision yet; one is written each hour"),
    }


def test_without_a_ledger_the_chain_is_followed_from_its_start(log):
    assert told(log, None) == {"chain": ("held", ""), "seal": ("not checked", "the ledger could not be read whole")}


@pytest.mark.parametrize("number", [4, 5, 6])
def test_an_altered_decision_between_the_seals_breaks_the_chain(log, number):
    ledger = sealed(log, 3, 6)
    text = zlib.compress(msgspec.json.encode(msgspec.structs.replace(MADE[number - 1], office="999")))
    with log._tables.writing() as connection:
        connection.execute(decisions.update().where(decisions.c.number == number).values(text=text))
    found = told(log, ledger)
    assert found["chain"] == (
        "broken",
        f"decision {number} does not follow from what is before it: it was altered, or put in",
    )
    assert found["seal"] == ("not checked", "the chain does not reach the seal")


def test_what_is_altered_elsewhere_is_another_trace_s_business(log):
    ledger = sealed(log, 3, 6)
    with log._tables.writing() as connection:
        connection.execute(sa.update(decisions).where(decisions.c.number.in_([2, 8])).values(office="999"))
    assert {state for state, _ in told(log, ledger).values()} == {"held"}


def test_a_history_written_anew_breaks_the_seal(log):
    ledger = sealed(log, 3, 6)
    rewrite(log, [*MADE[:4], msgspec.structs.replace(MADE[4], caller="another"), *MADE[5:]], first=4)
    found = told(log, ledger)
    assert found["chain"] == ("held", "")
    assert found["seal"] == ("broken", "decision 6 is not what was sealed on 2024-03-06 00:00")


def test_a_history_written_anew_from_before_the_last_seal_breaks_the_chain(log):
    ledger = sealed(log, 3, 6)
    rewrite(log, [MADE[0], msgspec.structs.replace(MADE[1], caller="another"), *MADE[2:]])
    assert told(log, ledger)["chain"][0] == "broken"
