"""What the server does about criteria: each attempt goes into the ledger, and what cannot be is refused before."""

from dataclasses import replace
from datetime import timedelta

import pytest

from models.access import Call, Refused
from models.ledger import storage
from tests.support.criteria import criterion
from tests.support.rules import NUMBERS, ROLES, entries, grants, last, numbers, rules, store, table, told

__all__ = ["grants", "numbers", "rules", "store", "table", "told"]

TODAY = storage.now().date()
OURS = criterion(begins_on=TODAY, ends_on=TODAY + timedelta(days=14))


def take(by, who, step, **body):
    held = {name: NUMBERS[name] for name in ROLES[who] if name in NUMBERS}
    body = {"step": step, "reason": "sound", **body}
    return by.take_step(Call("POST", "tidewaiter/criteria", who, ROLES[who], "10.1.1.1", "POST /x", body, held))


def propose(by, who="pia", **changed):
    return take(by, who, "propose", criterion=OURS.model_dump(mode="json") | changed)


def test_two_people_put_a_criterion_in_force_and_one_ends_it(rules, table):
    shown = {"criterion": OURS.model_dump(mode="json")}
    assert propose(rules) == shown
    assert take(rules, "pol", "confirm", name="watched") == shown
    assert rules.ledger.book.criteria.in_force(TODAY).criteria == (OURS,)
    take(rules, "pol", "withdraw", name="watched", reason="nothing was found")
    assert rules.ledger.book.criteria.in_force(TODAY).criteria == ()
    proposed, confirmed, withdrawn = entries(table)
    assert (proposed.action, proposed.step, proposed.actor, proposed.criterion) == ("criterion", "propose", "pia", OURS)
    assert (proposed.valid_days, confirmed.valid_days) == (90, None)
    assert (withdrawn.reason, withdrawn.roles, withdrawn.address) == ("nothing was found", ("analyst",), "10.1.1.1")


def test_beside_one_sign_on_nobody_confirms_what_somebody_unknown_proposed(rules):
    propose(rules)
    rules = replace(rules, linked=lambda: {"pol"})
    with pytest.raises(Refused, match="criterion watched bears the name of pia"):
        take(rules, "pol", "confirm", name="watched")
    assert take(replace(rules, linked=lambda: {"pia", "pol"}), "pol", "confirm", name="watched")


@pytest.mark.parametrize(
    ("who", "step", "told_so"),
    [
        ("pia", "confirm", "pia proposed watched: another person has to confirm it"),
        ("rea", "confirm", "criteria take the role analyst; rea has reviewer"),
        ("root", "withdraw", "root administers or serves, and so has no say in criteria"),
        ("pol", "amend", "there is no step 'amend'; the steps are propose, confirm, refuse, withdraw"),
    ],
)
def test_what_the_ledger_refuses_is_noted_once(rules, table, who, step, told_so):
    propose(rules)
    with pytest.raises(Refused, match=told_so):
        take(rules, who, step, name="watched")
    assert len(entries(table)) == 2
    assert last(table).refusal == told_so
    assert [each.confirmed for each in rules.ledger.book.criteria] == [None]


@pytest.mark.parametrize(
    ("changed", "told_so"),
    [
        ({"lane": "green"}, "lane is 'green'"),
        ({"conditions": []}, "conditions is "),
        ({"places": None}, "places is None"),
        ({"conditions": [{"column": "score", "operator": "in", "values": ["x"]}]}, "column 'score' is none"),
    ],
)
def test_what_cannot_be_a_criterion_is_refused_before_the_ledger_judges(rules, table, changed, told_so):
    with pytest.raises(Refused, match=told_so) as refused:
        propose(rules, **changed)
    assert refused.value.status == 400
    assert last(table).action == "write"
    for body in ({}, {"criterion": "tobacco"}, {"criterion": None}):
        with pytest.raises(Refused, match="a criterion is "):
            take(rules, "pia", "propose", **body)
    with pytest.raises(Refused, match="name is None; allowed: text"):
        take(rules, "pol", "confirm")
    with pytest.raises(Refused, match="no criterion is named nobody"):
        take(rules, "pol", "confirm", name="nobody")
    assert list(rules.ledger.book.criteria) == []


def test_it_lives_no_longer_than_the_policy_says(rules):
    with pytest.raises(Refused, match=r"ends_on is .*, 90 days from now"):
        propose(rules, ends_on=str(TODAY + timedelta(days=91)))
