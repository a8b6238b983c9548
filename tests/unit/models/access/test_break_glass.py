"""The local administrator's password is told of once an hour for each address, and again if it could not be noted."""

import pytest

from models.access import BreakGlass


@pytest.fixture
def now():
    return [0.0]


def test_each_address_is_told_once_an_hour(now):
    alarms, notes = [], []
    past = BreakGlass("the window", alarms.append, notes.append, lambda: now[0])
    for now[0], address in ((0.0, "10.0.0.7"), (1.0, "10.0.0.8"), (3599.0, "10.0.0.7"), (3600.0, "10.0.0.7")):
        past(address)
    said = "admin signed in at the window by a password, past the identity provider, from"
    assert alarms == [f"{said} 10.0.0.7", f"{said} 10.0.0.8", f"{said} 10.0.0.7"]
    assert [(entry.action, entry.actor, entry.address) for entry in notes] == [
        ("account", "admin", address) for address in ("10.0.0.7", "10.0.0.8", "10.0.0.7")
    ]


def test_what_the_ledger_takes_no_entry_of_is_alarmed_and_lets_nobody_past_until_it_does(now):
    alarms, notes, is_away = [], [], True

    def note(entry):
        if is_away:
            raise OSError("the ledger is away")
        notes.append(entry)

    past = BreakGlass("MLflow", alarms.append, note, lambda: now[0])
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            past("10.0.0.7")
    is_away = False
    past("10.0.0.7")
    past("10.0.0.7")
    assert (len(alarms), len(notes)) == (3, 1)
