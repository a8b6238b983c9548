"""What the audit tells of a ledger, a registry and stored evidence that were tampered with, each in its own way."""

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from models.evidence import digests, seal
from models.ledger.book import SERVICE, Case
from models.ledger.chain import Entry, LedgerError
from models.ledger.keys import Keys
from models.ledger.storage import Ledger, Table, now
from models.names import CHAMPION, MODEL, SIGNOFF
from models.signoff import audit, champion
from tests.support import candidates
from tests.support.signing import AUTHOR, POLICY, ROLES

SIGNERS = (("ann", "technical"), ("bob", "governance"), ("cid", "governance"))


@pytest.fixture(scope="module")
def promoted(tmp_path_factory):
    """A state folder with one champion, as the server and the flow `promote` leave it."""
    state = tmp_path_factory.mktemp("state")
    registry = candidates.open_registry(state)
    folder = candidates.evidence_folder(tmp_path_factory.mktemp("evidence"))
    digest = registry.register(candidates.candidate(folder)).digest
    keys = Keys(state / "signoff")
    keys.make()
    table = Table(registry.tracking_uri)
    ledger = Ledger(table, keys.private_key, keys.head_file, POLICY)
    with ledger.writing() as writer:
        (sealed,) = (state / "artifacts").rglob(seal.SEAL_FILE)
        writer.append(ledger.book.opening(1, digest, (AUTHOR,), now(), seal.read(sealed.parent).digest))
        refused = {"refusal": "the author may not sign", "reason": "mine"}
        for name, step, said in (("eve", "technical", refused), *((*each, {"reason": "sound"}) for each in SIGNERS)):
            person = {"actor": name, "roles": ROLES[name], "version": 1, "digest": digest}
            writer.append(Entry(at=now(), action="approve", step=step, **person, **said))
        writer.append(Entry(at=now(), actor=SERVICE, action="promote", version=1, digest=digest))
    for step in POLICY.steps:
        registry.client.set_model_version_tag(MODEL, "1", SIGNOFF + step.name, ledger.book.cases[1].tally(step, now()))
    registry.client.set_registered_model_alias(MODEL, CHAMPION, "1")
    table.close()
    return state


@pytest.fixture
def state(promoted, tmp_path):
    """A copy to tamper with. Artifacts stay where MLflow's database says they are, and are put back."""
    shutil.copy(promoted / "mlflow.db", tmp_path)
    shutil.copytree(promoted / "signoff", tmp_path / "signoff")
    shutil.copytree(promoted / "artifacts", tmp_path / "untouched")
    yield tmp_path
    shutil.rmtree(promoted / "artifacts")
    shutil.copytree(tmp_path / "untouched", promoted / "artifacts")


@pytest.fixture
def registry(promoted, state):
    return candidates.Registry(f"sqlite:///{state}/mlflow.db", (promoted / "artifacts").as_uri())


def faults(registry, state, head=None):
    return audit.verify(registry, Keys(state / "signoff"), POLICY, head).faults


def change(state, statement):
    with closing(sqlite3.connect(state / "mlflow.db")) as connection, connection:
        assert connection.execute(statement).rowcount == 1


def test_where_everything_holds_nothing_is_told(registry, state):
    found = audit.verify(registry, Keys(state / "signoff"), POLICY)
    assert found.faults == ()
    assert (found.entries, found.champion) == (6, 1)
    assert found.head == audit.head(registry.tracking_uri, Keys(state / "signoff"))
    assert [entry.is_accepted for entry in audit.entries(registry.tracking_uri, Keys(state / "signoff"))].count(
        False
    ) == 1


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE tidewaiter_ledger SET entry = replace(entry, 'bob', 'dee') WHERE number = 4", "row 4 does not follow"),
        ("DELETE FROM tidewaiter_ledger WHERE number = 3", "row 3 is missing"),
        ("DELETE FROM tidewaiter_ledger WHERE number = 6", "rows were cut off"),
        ("UPDATE registered_model_aliases SET version = 2 WHERE alias = 'champion'", "alias champion is version 2"),
        (
            "DELETE FROM registered_model_aliases WHERE alias = 'champion'",
            "alias champion is nowhere, by the ledger it is ver",
        ),
        (
            "UPDATE model_version_tags SET value = 'approved by root: all is well' WHERE key = 'signoff.technical'",
            "tag signoff.technical of version 1 is 'approved by root: all is well', by the ledger it is 'approved by",
        ),
        ("UPDATE model_version_tags SET value = 'f' WHERE key = 'evidence_digest'", "evidence of version 1: "),
        (
            "UPDATE model_versions SET description = 'ROC-AUC 0.99'",
            "evidence of version 1: version 1 is not what its evidence says: the version's description",
        ),
        ("DELETE FROM model_versions", "version 1 is in the ledger and not in MLflow: it was deleted"),
    ],
)
def test_an_edited_database_is_told(registry, state, statement, told):
    change(state, statement)
    assert told in "\n".join(faults(registry, state))


@pytest.mark.parametrize(
    "pattern",
    [
        "**/model/*.txt",
        "**/card.md",
        "**/evaluation.json",
        "**/drift.html",
        "**/gain.png",
        "**/serving.py",
        "**/MLmodel",
    ],
)
def test_altered_evidence_is_told(registry, state, promoted, pattern):
    file = next((promoted / "artifacts").glob(pattern))
    file.write_bytes(file.read_bytes() + b" ")
    (fault,) = faults(registry, state)
    assert fault.startswith("evidence of version 1: ")
    assert file.name in fault


def test_another_seal_than_that_of_the_ledger_is_told(registry, state, promoted):
    (file,) = (promoted / "artifacts").rglob(seal.SEAL_FILE)
    page = file.with_name("drift.html")
    page.write_text("<p>all is well</p>")
    stated = seal.read(file.parent)
    stated.model_copy(update={"run": stated.run | {"drift.html": digests.file_digest(page)}}).write(file.parent)
    (fault,) = faults(registry, state)
    assert fault.startswith("evidence of version 1: version 1 was opened under seal ")
    file.unlink()
    (fault,) = faults(registry, state)
    assert fault.endswith("and what is stored is none")


def test_versions_of_the_first_layout_are_held_to_their_manifest(registry, promoted, tmp_path):
    (file,) = (promoted / "artifacts").rglob(seal.SEAL_FILE)
    digest = registry.version("1").tags["evidence_digest"]
    file.unlink()
    file.with_name("drift.html").write_text("<p>was never signed</p>")
    case = Case(1, digest, (AUTHOR,), POLICY.steps, timedelta(days=30))
    assert champion.fetch_signed(registry, case, tmp_path / "fetched").version == "1"
    file.with_name("card.md").write_text("was signed")
    with pytest.raises(ValueError, match=r"card\.md differs"):
        champion.fetch_signed(registry, case, tmp_path / "altered")


def test_deleted_evidence_is_told(registry, state, promoted):
    next((promoted / "artifacts").glob("**/card.md")).unlink()
    (fault,) = faults(registry, state)
    assert fault.startswith("evidence of version 1: ")


def test_a_ledger_cut_back_together_with_its_head_is_told_by_a_head_kept_elsewhere(registry, state):
    keys = Keys(state / "signoff")
    kept = audit.head(registry.tracking_uri, keys)
    change(state, "DELETE FROM tidewaiter_ledger WHERE number = 6")
    keys.head_file.write_text(audit.head(registry.tracking_uri, keys).model_dump_json())
    (fault,) = faults(registry, state, kept)
    assert fault.startswith("row 6 is missing: it was there when the head was taken")
    assert "alias champion is version 1, by the ledger it is nowhere" in faults(registry, state)  # without that head


def test_an_unopened_version_that_is_shown_as_signed_is_told(registry, state, promoted, tmp_path):
    (tmp_path / "next").mkdir()
    folder = candidates.evidence_folder(tmp_path / "next")
    assert registry.register(candidates.candidate(folder, "def")).version == "2"
    assert faults(registry, state) == ()
    registry.client.set_model_version_tag(MODEL, "2", f"{SIGNOFF}governance", "approved by bob: fine")
    (fault,) = faults(registry, state)
    assert fault.endswith("'approved by bob: fine', by the ledger it is 'pending'")


def test_time_that_ran_backwards_is_told(registry, state):
    """The server itself does it, with its key: a clock that was turned back lets signatures last longer."""
    keys = Keys(state / "signoff")
    table = Table(registry.tracking_uri)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.ledger.chain.BACKWARDS", timedelta.max)
        with Ledger(table, keys.private_key, keys.head_file, POLICY).writing() as writer:
            writer.append(Entry(at=now() - timedelta(hours=1), actor="root", action="account"))
    table.close()
    (fault,) = faults(registry, state)
    assert fault.startswith("row 7 goes back in time: it is of ")


def test_entries_of_a_broken_ledger_are_not_shown(registry, state):
    change(state, "UPDATE tidewaiter_ledger SET entry = replace(entry, 'bob', 'dee') WHERE number = 4")
    with pytest.raises(LedgerError, match="row 4 does not follow"):
        audit.entries(registry.tracking_uri, Keys(state / "signoff"))
