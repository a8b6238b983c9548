"""Guesses at passwords, as the ledger has them."""

from models.access import Guesses


def test_those_for_an_account_are_noted_and_made_up_names_fill_no_ledger():
    noted = []
    tell = Guesses(lambda: {"rea"}, noted.append)
    tell("nobody", "10.1.1.1", 5)
    tell("rea", "10.1.1.1", 5)
    (entry,) = noted
    assert (entry.actor, entry.address) == ("mlflow-server", "10.1.1.1")
    assert entry.refusal == "5 wrong passwords in a row for rea"
