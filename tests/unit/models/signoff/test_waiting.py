"""What the page of the registered model says."""

import pytest

from models.ledger.book import SERVER
from models.signoff import waiting
from tests.support.signing import AUTHOR, book_of, entry, on, opening, promotion, signing

LINK = "[version {0}](#/models/customs-risk/versions/{0})"


def lines(book, versions, day=1.0):
    return waiting.describe(book, versions, on(day)).splitlines()


def test_what_waits_is_named_with_what_is_missing_the_newest_first():
    book = book_of(opening(1), opening(2), entry("approve", "ann", 2, "technical", day=0.5))
    told = lines(book, [1, 2])
    assert "**No version decides yet**: none has all its signatures." in told
    assert [line for line in told if line.startswith("- ")] == [
        f"- {LINK.format(2)}, made by eve: governance still needs 2 signatures (reviewer); "
        "what was signed runs out from 2024-04-04 12:00 UTC",
        f"- {LINK.format(1)}, made by eve: technical still needs 1 signature (risk-analyst); "
        f"governance still needs 2 signatures (reviewer); it waits while people are signing {LINK.format(2)}",
    ]


def test_a_signature_that_ran_out_is_missing_again():
    book = book_of(opening(1), *signing(1)[:2])
    assert "technical still needs 1 signature" not in "".join(lines(book, [1], day=29))
    assert "technical still needs 1 signature" in "".join(lines(book, [1], day=31))


def test_what_decides_is_named_with_the_one_before():
    told = lines(book_of(*promotion(1), *promotion(2, day=1)), [1, 2], day=2)
    assert told[2] == (
        f"**The champion, {LINK.format(2)}, decides**, since 2024-03-06 00:00 UTC; before it, {LINK.format(1)} did."
    )
    assert any(line.startswith("**No version waits") for line in told)


@pytest.mark.parametrize("action", ["reject", "withdraw", "void"])
def test_what_has_ended_does_not_wait(action):
    ends = {"reject": entry("reject", "ann", 1, "technical"), "void": entry("void", SERVER, 1, digest="0" * 64)}
    ends["withdraw"] = entry("withdraw", AUTHOR, 1, "technical")
    assert not any(line.startswith("- ") for line in lines(book_of(opening(1), ends[action]), [1]))


def test_what_the_server_has_not_opened_is_told_with_where_to_look():
    (told,) = [line for line in lines(book_of(opening(1)), [1, 2]) if line.startswith("Not opened")]
    assert LINK.format(2) in told
    assert LINK.format(1) not in told


def test_however_many_wait_mlflow_can_keep_it():
    book = book_of(*(opening(number) for number in range(1, 400)))
    text = waiting.describe(book, range(1, 500), on(1))
    assert len(text) < 5000
    assert "- and 389 earlier ones" in text
