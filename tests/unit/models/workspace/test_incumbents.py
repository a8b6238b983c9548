"""Which policy decides about a source, and how nights go on where the challenger cannot be read."""

import dataclasses
import shutil
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException

from models import policy
from models.evidence.origins import NO_CHAMPION, Earlier
from models.ledger import reading
from models.ledger.keys import Keys
from models.ledger.lifecycle import State
from models.names import MODEL, REGISTRATION
from models.places import Places
from models.workspace import incumbents
from tests.support import candidates

SIGNED = policy.load().model_copy(update={"features": policy.Features(label_delay_days=31)})


@pytest.fixture
def places(tmp_path):
    return Places(
        tmp_path / "data",
        tmp_path,
        tmp_path / "signoff",
        f"sqlite:///{tmp_path}/mlflow.db",
        f"file://{tmp_path}/artifacts",
    )


@pytest.fixture
def in_force(places, monkeypatch):
    Keys(places.signoff).make()
    monkeypatch.setattr(incumbents, "registry_of", lambda places: None)
    version = SimpleNamespace(source="kcs", policy=SIGNED)
    monkeypatch.setattr(incumbents, "champion", lambda places, scratch: version)


def test_it_is_the_one_that_was_signed_with_the_version_in_force(places, in_force, tmp_path):
    assert incumbents.policy_of("kcs", places, tmp_path) is SIGNED


def test_for_a_source_of_which_none_is_in_force_it_is_the_one_on_the_disk(places, in_force, tmp_path, monkeypatch):
    assert incumbents.policy_of("files", places, tmp_path) == policy.load()
    monkeypatch.setattr(incumbents, "champion", lambda places, scratch: None)
    assert incumbents.policy_of("kcs", places, tmp_path) == policy.load()


def test_where_nothing_was_ever_signed_no_registry_is_asked(places, tmp_path, monkeypatch):
    monkeypatch.setattr(incumbents, "registry_of", None)
    assert incumbents.policy_of("kcs", places, tmp_path) == policy.load()


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A state folder with a version that can be read, and was never signed."""
    state = tmp_path_factory.mktemp("registered")
    candidates.open_registry(state).register(
        candidates.candidate(candidates.evidence_folder(tmp_path_factory.mktemp("evidence")))
    )
    return state


def spoiled_number(state) -> None:
    """The alias at a version that there is not."""
    change(state, "UPDATE registered_model_aliases SET version = 9 WHERE alias = 'challenger'")


def spoiled_run(state) -> None:
    change(state, "UPDATE model_versions SET run_id = '00000000000000000000000000000000'")


def no_run(state) -> None:
    change(state, "UPDATE model_versions SET run_id = NULL")


def spoiled_source(state) -> None:
    change(state, "UPDATE model_versions SET source = 'models:/m-nothing'")


def made_up_digest(state) -> None:
    change(state, "UPDATE model_version_tags SET value = 'made up' WHERE key = 'evidence_digest'")


def no_source(state) -> None:
    change(state, "DELETE FROM params WHERE key = 'source'")


def change(state, statement) -> None:
    with closing(sqlite3.connect(state / "mlflow.db")) as database, database:
        database.execute("PRAGMA foreign_keys = OFF")
        assert database.execute(statement).rowcount == 1


JUNK = (spoiled_number, spoiled_run, no_run, spoiled_source, made_up_digest, no_source)


@pytest.fixture
def store(registered, tmp_path, monkeypatch):
    """A copy of the database, to put junk in as older products took it; artifacts stay where they are."""
    shutil.copy(registered / "mlflow.db", tmp_path)
    registry = candidates.Registry(f"sqlite:///{tmp_path}/mlflow.db", (registered / "artifacts").as_uri())
    monkeypatch.setattr(incumbents, "registry_of", lambda places: registry)
    return tmp_path, registry


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("step", [incumbents.last_registered, incumbents.watched])
def test_a_challenger_that_cannot_be_read_is_told_and_the_night_goes_on(store, places, junk, step):
    state, _ = store
    told = []
    assert step(places, state / "sound", told.append).version == "1"
    assert told == []
    junk(state)
    assert step(places, state / "spoiled", told.append) is None
    (sentence,) = told
    assert "the challenger, cannot be read, so this goes on without it: " in sentence


@pytest.mark.parametrize("junk", [*JUNK, None])
def test_the_next_version_takes_its_place(store, tmp_path_factory, junk):
    state, registry = store
    if junk:
        junk(state)
    evidence = candidates.evidence_folder(tmp_path_factory.mktemp("next"))
    assert registry.register(candidates.candidate(evidence, "next")).version == "2"
    assert registry.challenger_number() == "2"


def test_junk_with_the_digest_of_what_is_to_come_does_not_stand_for_it(store, tmp_path_factory):
    state, registry = store
    candidate = candidates.candidate(candidates.evidence_folder(tmp_path_factory.mktemp("next")), "next")
    spoiled_run(state)
    with closing(sqlite3.connect(state / "mlflow.db")) as database, database:
        statement = "UPDATE model_version_tags SET value = ? WHERE key = 'evidence_digest'"
        database.execute(statement, (candidate.manifest.digest,))
    assert registry.register(candidate).version == "2"


def test_where_mlflow_does_not_answer_the_night_is_not_told_that_all_is_well(store, places, monkeypatch):
    state, registry = store

    def away(*_):
        raise MlflowException("connection refused")

    monkeypatch.setattr(registry, "fetch_evidence", away)
    monkeypatch.setattr(registry, "_registered_model", iter([registry._registered_model()]).__next__)
    with pytest.raises(StopIteration):  # the second question, whether MLflow answers at all, was asked
        incumbents.watched(places, state / "away", pytest.fail)


ANOTHER = "c" * 64  # the evidence digest of a champion


@pytest.fixture(scope="module")
def candidate(tmp_path_factory):
    made = candidates.candidate(candidates.evidence_folder(tmp_path_factory.mktemp("evidence")))
    return dataclasses.replace(made, made_from="a" * 64, held_against=NO_CHAMPION)


@pytest.fixture
def registry(tmp_path):
    return candidates.open_registry(tmp_path)


@pytest.fixture
def the_same(places, registry, monkeypatch):
    """What counts as made from the same, where the ledger says so of version 1 and of the champion."""

    def find(champion=None, digest="", state=State.AWAITING, made_from="a" * 64):
        Keys(places.signoff).make()
        book = SimpleNamespace(
            champion=champion, cases={champion: SimpleNamespace(digest=digest)}, state=lambda version, at: state
        )
        monkeypatch.setattr(reading, "signed_book", lambda *asked: book)
        return incumbents.of_the_same(places, made_from)

    return find


def test_what_was_made_from_the_same_is_found(places, registry, candidate, the_same):
    assert incumbents.of_the_same(places, "a" * 64) is None
    registration = registry.register(candidate)
    assert incumbents.of_the_same(places, "a" * 64) == Earlier(registration.run_id, "1")
    assert the_same() == Earlier(registration.run_id, "1")
    assert the_same(made_from="b" * 64) is None


def test_held_against_another_champion_it_is_another_outcome(registry, candidate, the_same):
    registry.register(dataclasses.replace(candidate, held_against=ANOTHER))
    assert the_same() is None
    assert the_same(champion=7, digest="d" * 64) is None
    assert the_same(champion=7, digest=ANOTHER).version == "1"


def test_the_champion_is_what_would_be_made_anew(registry, candidate, the_same):
    registry.register(candidate)
    assert the_same(champion=1, digest=candidate.manifest.digest, state=State.CHAMPION).version == "1"


@pytest.mark.parametrize("state", [State.REJECTED, State.EXPIRED, State.SUPERSEDED, State.VOID])
def test_a_version_that_stands_no_more_is_none(registry, candidate, the_same, state):
    registry.register(candidate)
    assert the_same(state=state) is None


def test_what_gates_refused_would_be_refused_again(registry, candidate, the_same):
    registration = registry.register(dataclasses.replace(candidate, failures=("too few rows",)))
    assert the_same() == Earlier(registration.run_id, None, "- too few rows")
    assert the_same(champion=7, digest=ANOTHER) is None


def test_a_version_that_was_not_registered_whole_or_was_taken_away_is_none(registry, candidate, the_same):
    registry.register(candidate)
    registry.client.delete_model_version_tag(MODEL, "1", REGISTRATION)
    assert the_same() is None
    registry.register(candidate)
    assert the_same().version == "1"
    registry.client.delete_model_version(MODEL, "1")
    assert the_same() is None


def test_a_run_that_did_not_end_is_none(registry, candidate, the_same):
    registration = registry.register(dataclasses.replace(candidate, failures=("too few rows",)))
    registry.client.set_terminated(registration.run_id, "FAILED")
    assert the_same() is None


def test_a_search_that_its_minutes_ended_is_never_the_same(registry, candidate, the_same):
    registry.register(dataclasses.replace(candidate, made_from=None))
    assert the_same() is None
