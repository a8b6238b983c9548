"""How criteria stand by the steps that people took, and which steps are refused."""

from datetime import date, timedelta

import pytest

from models.criteria import InForce
from models.ledger.book import Book
from models.ledger.chain import Entry, LedgerError
from tests.support.criteria import FIRST, LAST, condition, confirmed, criterion, step
from tests.support.signing import POLICY, START, book_of, entry

OURS = criterion()
DURING = FIRST + timedelta(days=3)


def refused(book, attempt):
    with pytest.raises(LedgerError, match=f"^criterion by {attempt.actor} at 2024-03-"):
        book.apply(attempt)
    return book.refusal(attempt)


def words(book, day=DURING):
    return {each.criterion.name: each.words(day) for each in book.criteria}


def test_a_criterion_holds_once_another_person_has_confirmed_it_and_until_its_last_day():
    book = book_of(step("propose", "pia", OURS))
    assert book.criteria.in_force(DURING) == InForce()
    book.apply(step("confirm", "pol", OURS))
    days = [FIRST - timedelta(days=1), FIRST, LAST, LAST + timedelta(days=1)]
    assert [bool(book.criteria.in_force(day).criteria) for day in days] == [False, True, True, False]
    standings = [words(book, day)["watched"] for day in days]
    assert standings == ["confirmed", "in force", "in force", "expired"]
    standing = book.criteria.named("watched")
    assert (standing.proposed.actor, standing.confirmed.actor, standing.ended) == ("pia", "pol", None)


def test_what_was_refused_or_withdrawn_holds_no_more():
    book = book_of(step("propose", "pia", OURS), step("refuse", "pol", OURS, reason="too wide"))
    assert (words(book), book.criteria.in_force(DURING)) == ({"watched": "refused"}, InForce())
    assert book.criteria.named("watched").ended.reason == "too wide"
    for actor in ("pia", "pol"):
        book = book_of(*confirmed(OURS), step("withdraw", actor, OURS, day=2))
        assert (words(book), book.criteria.in_force(DURING)) == ({"watched": "withdrawn"}, InForce())
    assert words(book_of(step("propose", "pia", OURS), step("withdraw", "pia", OURS))) == {"watched": "withdrawn"}


@pytest.mark.parametrize("what", ["confirm", "refuse"])
def test_nobody_judges_a_criterion_of_their_own(what):
    book = book_of(step("propose", "pia", OURS))
    assert refused(book, step(what, "pia", OURS)) == f"pia proposed watched: another person has to {what} it"
    impersonated = step(what, "pia", OURS).model_copy(update={"actor": "PIA"})
    assert "another person has to" in refused(book, impersonated)
    assert words(book) == {"watched": "proposed"}


@pytest.mark.parametrize("what", ["propose", "confirm", "refuse", "withdraw"])
def test_each_step_takes_the_role_and_a_reason(what):
    before = [] if what == "propose" else [step("propose", "pia", OURS)]
    if what == "withdraw":
        before = confirmed(OURS)
    book = book_of(*before)
    assert book.refusal(step(what, "pol", OURS)) is None
    assert refused(book, step(what, "ann", OURS)) == "criteria take the role analyst; ann has risk-analyst"
    assert "administers or serves" in refused(book, step(what, "root", OURS))
    for reason in ("", "  ", "x" * 1001):
        assert "needs a reason" in refused(book, step(what, "pol", OURS, reason=reason))
    for reason in ("x", "x" * 1000):
        assert book.refusal(step(what, "pol", OURS, reason=reason)) is None


def test_a_role_of_the_same_name_and_another_number_does_not_count():
    noted = entry("account", "mlflow-server", version=None, digest=None, role_numbers={"analyst": 7})
    book = book_of(noted)
    assert refused(book, step("propose", "pia", OURS, role_numbers={"analyst": 8})) == (
        "the role analyst is number 7; what pia has under this name is number 8"
    )
    book.apply(step("propose", "pia", OURS, role_numbers={"analyst": 7}))


def test_a_life_has_an_end_that_the_policy_bounds():
    day = START.date()
    for days, told in ((90, None), (91, "ends_on is 2024-06-04; allowed: 2024-03-05 to 2024-06-03, 90 days from now")):
        late = criterion("late", ends_on=day + timedelta(days=days))
        assert book_of().refusal(step("propose", "pia", late)) == told
    past = criterion("past", begins_on=date(2024, 1, 1), ends_on=day - timedelta(days=1))
    assert refused(book_of(), step("propose", "pia", past)).startswith("ends_on is 2024-03-04; allowed: 2024-03-05")
    today = criterion("today", begins_on=day, ends_on=day)
    assert book_of().refusal(step("propose", "pia", today)) is None
    assert "criterion_days in its" in refused(book_of(), step("propose", "pia", today, valid_days=0))
    backwards = criterion("backwards", begins_on=LAST, ends_on=FIRST)
    assert (
        refused(book_of(), step("propose", "pia", backwards)) == "ends_on is 2024-03-06, before begins_on, 2024-03-20"
    )
    assert Book(POLICY).criterion_days == 90


def test_a_name_and_a_digest_stand_for_one_criterion():
    book = book_of(*confirmed(OURS), step("withdraw", "pia", OURS))
    again = criterion("watched", condition("office", "in", "010"))
    assert "a criterion named watched was proposed before" in refused(book, step("propose", "pia", again))
    other = criterion("other")
    wrong = step("propose", "pia", other, digest=OURS.digest)
    assert refused(book, wrong) == "a proposal needs a criterion and its digest"
    assert refused(book, step("propose", "pia", other, criterion=None)) == "a proposal needs a criterion and its digest"
    told = refused(book, step("confirm", "pol", other))
    assert told == f"no criterion with the digest {other.digest[:12]} was proposed"
    assert refused(book, step("amend", "pol", OURS)).startswith("there is no step 'amend'")


def test_what_is_over_stays_as_it_is():
    for ended, told in (
        ([*confirmed(OURS), step("withdraw", "pia", OURS)], "watched is withdrawn"),
        ([step("propose", "pia", OURS), step("refuse", "pol", OURS)], "watched is refused"),
    ):
        for what in ("confirm", "refuse", "withdraw"):
            assert told in refused(book_of(*ended), step(what, "pol", OURS))
    proposed = step("propose", "pia", OURS)
    assert "watched is expired" in refused(book_of(proposed), step("confirm", "pol", OURS, day=16))
    assert (
        refused(book_of(*confirmed(OURS)), step("refuse", "pol", OURS)) == "watched is confirmed: it can be withdrawn"
    )
    assert (
        refused(book_of(*confirmed(OURS)), step("confirm", "pol", OURS)) == "watched is confirmed: it can be withdrawn"
    )
    told = refused(book_of(proposed), step("withdraw", "pol", OURS))
    assert told == "watched is not confirmed: who does not agree refuses it, and pol did not propose it"


def test_registers_are_equal_by_what_people_did():
    ours = book_of(*confirmed(OURS)).criteria
    assert ours == book_of(*confirmed(OURS)).criteria
    assert ours != book_of(step("propose", "pia", OURS)).criteria
    assert ours != list(ours)


def test_criteria_are_asked_from_red_on_and_then_by_name():
    ours = [criterion("b", lane="blue"), criterion("z", lane="red"), criterion("a", lane="yellow"), criterion("c")]
    book = book_of(*(each for one in ours for each in confirmed(one)))
    found = book.criteria.in_force(DURING)
    assert [each.name for each in found.criteria] == ["c", "z", "a", "b"]
    assert InForce.from_json(found.as_json()) == found
    assert InForce.of(reversed(found.criteria)).digest == found.digest
    assert len({found.digest, InForce.of(ours[:2]).digest, InForce().digest}) == 3
    assert InForce().digest == ""


def test_an_entry_says_nothing_of_criteria_where_it_is_about_something_else():
    assert "criterion" not in entry("write", "ann").model_dump(mode="json")
    told = step("propose", "pia", OURS)
    assert Entry.model_validate_json(told.model_dump_json()).criterion == OURS
    assert "criterion" not in step("confirm", "pol", OURS).model_dump(mode="json")
