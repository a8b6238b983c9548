"""MLflow's tables and files are edited past the server: `audit verify`, the loader and the server find out."""

import itertools
import shutil

import mlflow
import pytest

from models.ledger import reading
from models.ledger.book import SERVICE, Book
from models.signoff import champion
from tests.attacks.scene import (
    ALIAS,
    ALTERED,
    EXCHANGED,
    OLD,
    POLICY,
    REIGNING,
    RETOLD,
    VOID,
    WAITING,
    edited,
    faults,
    model_file,
    run_file,
    tag,
)
from tests.support.signoff_server import API

STORE = {
    "champion moved": (
        "registered_model_aliases",
        "UPDATE registered_model_aliases SET version = 3 WHERE alias = 'champion'",
        "alias champion is version 3, by the ledger it is version 2",
    ),
    "champion removed": (
        "registered_model_aliases",
        "DELETE FROM registered_model_aliases WHERE alias = 'champion'",
        "alias champion is nowhere, by the ledger it is version 2",
    ),
    "previous moved": (
        "registered_model_aliases",
        "UPDATE registered_model_aliases SET version = 5 WHERE alias = 'previous'",
        "alias previous is version 5, by the ledger it is version 1",
    ),
    "a signature written": (
        "model_version_tags",
        "UPDATE model_version_tags SET value = '2 of 2: approved by rea, rob' "
        "WHERE version = 3 AND key = 'signoff.governance'",
        "tag signoff.governance of version 3",
    ),
    "a rejection taken out": (
        "model_version_tags",
        "UPDATE model_version_tags SET value = 'pending' WHERE version = 4 AND key = 'signoff.technical'",
        "tag signoff.technical of version 4",
    ),
    "the champion's digest": (
        "model_version_tags",
        "UPDATE model_version_tags SET value = 'abc' WHERE version = 2 AND key = 'evidence_digest'",
        "evidence of version 2",
    ),
    "the champion's run": (
        "model_versions",
        "UPDATE model_versions SET run_id = (SELECT run_id FROM model_versions WHERE version = 3) WHERE version = 2",
        "evidence of version 2",
    ),
    "the champion's logged model": (
        "model_versions",
        "UPDATE model_versions SET source = (SELECT source FROM model_versions WHERE version = 5) WHERE version = 2",
        "evidence of version 2",
    ),
    "the place of the champion's run": (
        "runs",
        "UPDATE runs SET artifact_uri = 'file:///nowhere' "
        "WHERE run_uuid = (SELECT run_id FROM model_versions WHERE version = 2)",
        "evidence of version 2",
    ),
    "the card of the champion, as its page shows it": (
        "model_versions",
        "UPDATE model_versions SET description = replace(description, 'officers', 'it') WHERE version = 2",
        "evidence of version 2",
    ),
    "the champion's version deleted": (
        "model_versions",
        "DELETE FROM model_versions WHERE version = 2",
        "version 2 is in the ledger and not in MLflow",
    ),
}


@pytest.mark.parametrize("attack", STORE)
def test_an_edited_store_is_found_out(scene, registry, tmp_path, attack):
    table, statement, sentence = STORE[attack]
    with edited(scene, statement, table=table):
        assert any(sentence in fault for fault in faults(scene, registry))
        if sentence.startswith(("evidence", "version")):
            with pytest.raises((ValueError, OSError, mlflow.exceptions.MlflowException)):
                champion.fetch(registry, scene.server.keys, POLICY, tmp_path)
        else:  # the loader goes by the ledger
            assert champion.fetch(registry, scene.server.keys, POLICY, tmp_path).version == REIGNING


@pytest.mark.parametrize(
    ("file", "how"),
    [
        *itertools.product(("the model", "evaluation.json", "evidence.json", "card.md"), ("changed", "deleted")),
        # The other files are the same in every version here.
        *itertools.product(("the model", "evidence.json"), ("taken from another version",)),
    ],
)
def test_edited_evidence_is_not_loaded(scene, registry, tmp_path, file, how):
    if file == "the model":
        found, other = model_file(scene, REIGNING), model_file(scene, VOID)
    else:
        found, other = run_file(scene, REIGNING, file), run_file(scene, WAITING, file)
    content = found.read_bytes()
    if how == "changed":
        found.write_bytes(content[:-3] + b"x")
    elif how == "deleted":
        found.unlink()
    else:
        shutil.copy(other, found)
    try:
        assert any("evidence of version 2" in fault for fault in faults(scene, registry))
        with pytest.raises((ValueError, OSError)):
            champion.fetch(registry, scene.server.keys, POLICY, tmp_path)
    finally:
        found.write_bytes(content)
    assert faults(scene, registry) == ()


def test_a_file_put_into_the_model_is_not_loaded(scene, registry, tmp_path):
    extra = model_file(scene, REIGNING).with_name("extra.pkl")
    extra.write_bytes(b"\x80\x04.")
    try:
        with pytest.raises(ValueError, match=r"extra\.pkl is not among what was sealed"):
            champion.fetch(registry, scene.server.keys, POLICY, tmp_path)
    finally:
        extra.unlink()


def test_evidence_exchanged_whole_voids_what_was_signed(scene, registry):
    """Manifest and tag of another version together are whole in themselves, and not what was signed."""
    run, other = run_file(scene, EXCHANGED, "evidence.json"), run_file(scene, OLD, "evidence.json")
    content = run.read_bytes()
    statement = (
        "UPDATE model_version_tags SET value = (SELECT value FROM model_version_tags WHERE version = 1 AND "
        "key = 'evidence_digest') WHERE version = 7 AND key = 'evidence_digest'"
    )
    with edited(scene, statement, table="model_version_tags"):
        shutil.copy(other, run)
        try:
            answer = scene.send(
                "rea", "POST", f"{API}/model-versions/set-tag", tag("signoff.governance", "approved: x", EXCHANGED)
            )
        finally:
            run.write_bytes(content)
    assert answer.status_code == 403
    assert f"the evidence of version {EXCHANGED} was altered" in answer.json()["message"]
    assert scene.show(EXCHANGED) == "void"  # and stays so
    assert faults(scene, registry) == ()


def test_nobody_signs_a_card_that_is_not_in_the_evidence(scene, registry):
    """Who registers a version may send any description along; people sign what they read there."""
    statement = f"UPDATE model_versions SET description = 'ROC-AUC 0.99' WHERE version = {RETOLD}"
    with edited(scene, statement, table="model_versions"):
        signature = tag("signoff.technical", "approved: x", RETOLD)
        answer = scene.send("ana", "POST", f"{API}/model-versions/set-tag", signature)
    assert answer.status_code == 403
    assert f"the evidence of version {RETOLD} was altered" in answer.json()["message"]
    assert scene.show(RETOLD) == "void"
    assert faults(scene, registry) == ()


def test_what_was_approved_and_then_altered_is_not_promoted(scene, registry):
    file = run_file(scene, ALTERED)
    content = file.read_bytes()
    file.write_bytes(b"better")
    try:
        answer = scene.send(SERVICE, "POST", f"{API}/registered-models/alias", {**ALIAS, "version": ALTERED})
    finally:
        file.write_bytes(content)
    assert answer.status_code == 403
    assert "was altered" in answer.json()["message"]
    again = scene.send(SERVICE, "POST", f"{API}/registered-models/alias", {**ALIAS, "version": ALTERED})
    assert again.status_code == 403  # void, whatever was put back
    assert scene.server.aliases()["champion"] == REIGNING
    assert scene.show(ALTERED) == "void"
    assert faults(scene, registry) == ()


@pytest.mark.attempts(0)
def test_no_champion_but_by_the_ledger(scene):
    """After all of it: what decides is what three people signed, over the evidence that lies there."""
    book: Book = reading.signed_book(scene.server.database_uri, scene.server.keys, POLICY)
    assert str(book.champion) == REIGNING
    assert {signature.user for signature in book.cases[int(REIGNING)].approvals} == {"ana", "rea", "rob"}
