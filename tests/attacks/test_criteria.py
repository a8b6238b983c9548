"""Criteria by those who have no say in them, by one person alone, and in forms that are none."""

from datetime import timedelta

import pytest

from models.ledger import storage
from tests.attacks.scene import ACCOUNTS
from tests.support.criteria import criterion

ROUTE = "/api/2.0/tidewaiter/criteria"
STEPS = ("confirm", "refuse", "withdraw")


def written(name, **changed):
    today = storage.now().date()
    return criterion(name, begins_on=today, ends_on=today + timedelta(days=7)).model_dump(mode="json") | changed


@pytest.fixture(scope="module")
def proposed(scene):
    """The name of a criterion that pia proposed and nobody has judged."""
    body = {"step": "propose", "reason": "a tip", "criterion": written("attacked")}
    scene.send("pia", "POST", ROUTE, body).raise_for_status()
    return "attacked"


@pytest.mark.parametrize("who", ACCOUNTS)
def test_who_has_not_the_role_proposes_nothing(scene, who):
    with scene.refused(who):
        answer = scene.send(who, "POST", ROUTE, {"step": "propose", "reason": "x", "criterion": written(f"by-{who}")})
    assert answer.status_code == 403


@pytest.mark.parametrize("who", ACCOUNTS)
@pytest.mark.parametrize("step", STEPS)
def test_who_has_not_the_role_judges_nothing(scene, proposed, who, step):
    with scene.refused(who):
        assert scene.send(who, "POST", ROUTE, {"step": step, "reason": "x", "name": proposed}).status_code == 403


@pytest.mark.parametrize("step", ["confirm", "refuse"])
def test_one_person_is_not_two(scene, proposed, step):
    with scene.refused("pia"):
        answer = scene.send("pia", "POST", ROUTE, {"step": step, "reason": "x", "name": proposed})
    assert answer.json()["message"] == f"pia proposed attacked: another person has to {step} it"


FORMS = {
    "another author": {"criterion": written("other"), "actor": "pol", "step": "confirm", "name": "attacked"},
    "without end": {"criterion": written("endless", ends_on="9999-12-31")},
    "too long": {"criterion": written("long", ends_on=str(storage.now().date() + timedelta(days=92)))},
    "its own days": {
        "criterion": written("own-days", ends_on=str(storage.now().date() + timedelta(days=92))),
        "valid_days": 9999,
    },
    "a name again": {"criterion": written("attacked", lane="blue")},
    "no reason": {"criterion": written("unreasoned"), "reason": "  "},
    "of scores": {
        "criterion": written("scores", conditions=[{"column": "score", "operator": "in", "values": ["1"]}]),
    },
    "places without end": {"criterion": written("greedy", places=10**9)},
    "a lane that is none": {"criterion": written("green", lane="green")},
    "a list": {"criterion": [written("listed")]},
    "nothing": {},
}


@pytest.mark.parametrize("form", FORMS)
def test_what_no_criterion_may_say_is_not_taken(scene, proposed, form):
    with scene.refused("pia"):
        answer = scene.send("pia", "POST", ROUTE, {"step": "propose", "reason": "x", **FORMS[form]})
    assert answer.status_code in (400, 403)
