"""Offices of officers: who may give them to whom, and that the ledger is told."""

import json

import pytest

from models.access.call import Call, Refused
from models.access.offices import Offices
from models.server.given_offices import GivenOffices
from tests.support import requests

ROLES = {
    "ola": ("officer",),
    "sue": ("supervisor",),
    "rea": ("reviewer",),
    "aud": ("auditor",),
    "admin": ("administrator",),
}
NAME = "tidewaiter/offices/accounts"
JSON = {"content-type": "application/json"}


@pytest.fixture
def noted():
    return []


@pytest.fixture
def given(tmp_path, noted):
    kept = Offices(f"sqlite:///{tmp_path}/accounts.db")
    yield GivenOffices(kept, lambda name: ROLES.get(name, ()), noted.append)
    kept.close()


def give(given, who="admin", name=NAME, is_by_token=False, **body):
    request = f"POST /api/2.0/{name}"
    call = Call("POST", name, who, ROLES[who], "10.0.0.7", request, {}, is_by_token=is_by_token)
    return json.loads(given.act(call, requests.post(name, JSON), json.dumps(body).encode()).body)


def listed(given, who):
    call = Call("GET", NAME, who, ROLES[who], "10.0.0.7", "GET", {})
    return json.loads(given.answer(call, requests.get(NAME)).body)["accounts"]


def test_an_officer_has_the_offices_given_last(given, noted):
    give(given, username="ola", offices=["020", "010", "010"])
    assert given.kept.of("ola") == ("010", "020")
    give(given, username="ola", offices=["030"])
    assert given.kept.of("ola") == ("030",)
    give(given, username="ola", offices=[])
    assert given.kept.of("ola") == ()
    assert [json.loads(entry.reason) for entry in noted] == [
        {"username": "ola", "offices": offices} for offices in (["010", "020"], ["030"], [])
    ]
    assert {(entry.action, entry.actor) for entry in noted} == {("account", "admin")}


def test_a_token_gives_no_offices(given, noted):
    with pytest.raises(Refused, match="sign in yourself"):
        give(given, is_by_token=True, username="ola", offices=["010"])
    assert (given.kept.of("ola"), noted) == ((), [])


def test_everybody_sees_their_own_and_auditors_all(given):
    give(given, username="ola", offices=["010"])
    give(given, username="sue", offices=["020", "010"])
    every = {"ola": ["010"], "sue": ["010", "020"]}
    assert listed(given, "admin") == listed(given, "aud") == every
    assert listed(given, "sue") == {"sue": ["010", "020"]}
    assert listed(given, "rea") == {}


@pytest.mark.parametrize(
    ("who", "body", "why"),
    [
        ("ola", {"username": "ola", "offices": ["020"]}, "offices are the administrator's to give, not ola's"),
        ("sue", {"username": "ola", "offices": ["020"]}, "offices are the administrator's to give"),
        ("admin", {"username": "rea", "offices": ["020"]}, "rea is neither officer nor supervisor"),
        ("admin", {"username": "nobody", "offices": ["020"]}, "nobody is neither officer nor supervisor"),
        ("admin", {"username": "ola", "offices": ["0 20"]}, "office is '0 20'; allowed"),
        ("admin", {"username": "ola", "offices": ["x" * 13]}, "office is 'xxxxxxxxxxxxx'; allowed"),
        ("admin", {"username": "ola", "offices": "020"}, "offices is not a list of texts"),
        ("admin", {"username": "ola", "offices": [20]}, "offices is not a list of texts"),
        ("admin", {"username": "ola"}, "not an object with offices and username"),
        ("admin", {"username": 7, "offices": []}, "username is 7"),
    ],
)
def test_what_is_refused_changes_nothing_and_is_not_noted(given, noted, who, body, why):
    give(given, username="ola", offices=["010"])
    with pytest.raises(Refused, match=why):
        give(given, who, **body)
    assert given.kept.every() == {"ola": ("010",)}
    assert len(noted) == 1


def test_other_addresses_are_none(given):
    for name in ("offices", "tidewaiter/offices", "offices/accounts"):
        with pytest.raises(Refused, match="not part of this product"):
            give(given, name=name, username="ola", offices=[])
