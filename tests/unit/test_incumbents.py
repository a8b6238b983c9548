"""Which policy decides about a source, and how nights go on where the challenger cannot be read."""

import shutil
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException

from flows import incumbents
from flows.settings import Settings
from models import policy
from models.signoff.keys import Keys
from tests import candidates

SIGNED = policy.load().model_copy(update={"features": policy.Features(label_delay_days=31)})


@pytest.fixture
def settings(tmp_path):
    return Settings(state_folder=tmp_path)


@pytest.fixture
def in_force(settings, monkeypatch):
    Keys(settings.signoff_folder).make()
    monkeypatch.setattr(incumbents, "Registry", lambda *addresses: None)
    version = SimpleNamespace(source="kcs", policy=SIGNED)
    monkeypatch.setattr(incumbents, "champion", lambda settings, registry, scratch: version)


def test_it_is_the_one_that_was_signed_with_the_version_in_force(settings, in_force, tmp_path):
    assert incumbents.policy_of("kcs", settings, tmp_path) is SIGNED


def test_for_a_source_of_which_none_is_in_force_it_is_the_one_on_the_disk(settings, in_force, tmp_path, monkeypatch):
    assert incumbents.policy_of("files", settings, tmp_path) == policy.load()
    monkeypatch.setattr(incumbents, "champion", lambda settings, registry, scratch: None)
    assert incumbents.policy_of("kcs", settings, tmp_path) == policy.load()


def test_where_nothing_was_ever_signed_no_registry_is_asked(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(incumbents, "Registry", None)
    assert incumbents.policy_of("kcs", settings, tmp_path) == policy.load()


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
def store(registered, tmp_path):
    """A copy of the database, to put junk in as older products took it; artifacts stay where they are."""
    shutil.copy(registered / "mlflow.db", tmp_path)
    return tmp_path, candidates.Registry(f"sqlite:///{tmp_path}/mlflow.db", (registered / "artifacts").as_uri())


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("step", [incumbents.last_registered, incumbents.watched])
def test_a_challenger_that_cannot_be_read_is_told_and_the_night_goes_on(store, settings, junk, step):
    state, registry = store
    told = []
    assert step(settings, registry, state / "sound", told.append).version == "1"
    assert told == []
    junk(state)
    assert step(settings, registry, state / "spoiled", told.append) is None
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


def test_where_mlflow_does_not_answer_the_night_is_not_told_that_all_is_well(store, settings, monkeypatch):
    state, registry = store

    def away(*_):
        raise MlflowException("connection refused")

    monkeypatch.setattr(registry, "fetch_evidence", away)
    monkeypatch.setattr(registry, "_registered_model", iter([registry._registered_model()]).__next__)
    with pytest.raises(StopIteration):  # the second question, whether MLflow answers at all, was asked
        incumbents.watched(settings, registry, state / "away", pytest.fail)
