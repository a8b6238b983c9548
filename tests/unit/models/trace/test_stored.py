"""What is stored of a version is looked at: files, data, code; of what cannot be looked at, it is said so."""

import shutil
import subprocess
from datetime import timedelta
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException

from features.store import versioning
from models.evidence import manifest, seal, source_code
from models.ledger.book import Case
from models.places import Places
from models.retention import TOMBSTONES, Tombstones
from models.trace import stored
from tests.support import candidates

VERSION = candidates.version_of_data("abc")


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A state folder with a version."""
    state = tmp_path_factory.mktemp("state")
    folder = candidates.evidence_folder(tmp_path_factory.mktemp("evidence"))
    candidates.open_registry(state).register(candidates.candidate(folder))
    return state


@pytest.fixture
def state(registered):
    """Put the artifacts back that a test has altered."""
    shutil.copytree(registered / "artifacts", registered / "untouched")
    yield registered
    shutil.rmtree(registered / "artifacts")
    (registered / "untouched").rename(registered / "artifacts")


@pytest.fixture
def registry(state):
    return candidates.open_registry(state)


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "data", tmp_path / "state", tmp_path / "signoff", "", "")


def _away(number):
    raise MlflowException("the server is away")


AWAY = SimpleNamespace(version=_away)


def run_folder(state):
    (sealed,) = (state / "artifacts").rglob(seal.SEAL_FILE)
    return sealed.parent


def signed(state):
    """Return the case and the manifest of the version as it was registered."""
    folder = run_folder(state)
    stated = manifest.read((folder / manifest.MANIFEST_FILE).read_bytes())
    return Case(1, stated.digest, (), (), None, seal.read(folder).digest), stated


def told(registry, places, case, evidence):
    return {link.name: (link.state, link.why) for link in stored.links(lambda: registry, places, case, evidence)}


def test_the_manifest_is_read_and_what_is_not_there_is_named(registry, state):
    assert stored.read(lambda: registry, 1) == (run_folder(state) / manifest.MANIFEST_FILE).read_bytes()
    with pytest.raises(FileNotFoundError, match="MLflow has no version 7 any more"):
        stored.read(lambda: registry, 7)
    (run_folder(state) / manifest.MANIFEST_FILE).unlink()
    with pytest.raises(FileNotFoundError, match=r"version 1 has no file evidence\.json"):
        stored.read(lambda: registry, 1)
    shutil.rmtree(run_folder(state))
    with pytest.raises(OSError, match="nothing of version 1 is at "):
        stored.read(lambda: registry, 1)


def test_files_as_they_were_sealed_hold_and_others_do_not(registry, state, places):
    case, evidence = signed(state)
    assert told(registry, places, case, evidence)["files"] == ("held", "")
    (run_folder(state) / "drift.html").write_text("<p>other</p>")
    state_of, why = told(registry, places, case, evidence)["files"]
    assert (state_of, why) == ("broken", "version 1 is not as it was sealed: file drift.html is not what was sealed")
    case.is_void = True
    assert told(registry, places, case, evidence)["files"][0] == "broken"


def test_a_store_that_does_not_answer_says_nothing_of_the_files(registered, places):
    case, evidence = signed(registered)
    assert told(AWAY, places, case, evidence)["files"] == ("not checked", "they could not be read: the server is away")


def test_data_are_kept_or_gone_or_nobody_can_say(registered, places, monkeypatch):
    case, evidence = signed(registered)
    assert told(AWAY, places, case, evidence)["data"][0] == "not checked"
    candidates.keep_version(places.data, candidates.version_of_data("other"))
    gone = f"neither DVC's cache nor its remote has version {VERSION}"
    assert told(AWAY, places, case, evidence)["data"] == ("broken", gone)
    tombstones, last = Tombstones(places.state / TOMBSTONES), evidence.last_day
    tombstones.add("versions", {VERSION: last - timedelta(days=1)}, 30, last + timedelta(days=60))
    assert told(AWAY, places, case, evidence)["data"] == ("broken", gone)  # there were no such data yet
    tombstones.add("versions", {VERSION: last}, 30, last + timedelta(days=60))
    assert told(AWAY, places, case, evidence)["data"] == ("purged", tombstones.read()[-1].sentence)
    candidates.keep_version(places.data, VERSION)
    assert told(AWAY, places, case, evidence)["data"] == ("held", "")

    def away(*arguments):
        raise versioning.VersionError("DVC's remote 'local' failed")

    monkeypatch.setattr(versioning, "exists", away)
    assert told(AWAY, places, case, evidence)["data"] == ("not checked", "DVC's remote 'local' failed")


def test_code_is_in_its_commit_or_not_or_nobody_can_say(registered, places, tmp_path, monkeypatch):
    for package in source_code.PACKAGES:
        (tmp_path / "project" / package).mkdir(parents=True)
        (tmp_path / "project" / package / "code.py").write_text(f"# {package}\n")
    git = ["git", "-C", str(tmp_path / "project"), "-c", "user.name=dan", "-c", "user.email=dan@example.org"]
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        subprocess.run([*git, *arguments], check=True, capture_output=True)
    told_by_git = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    commit, digest = told_by_git.stdout.strip(), source_code.source_digest(tmp_path / "project")
    monkeypatch.setattr(source_code, "PROJECT", tmp_path / "project")
    case, evidence = signed(registered)

    def of(**code):
        made = source_code.Code(**{"commit": commit, "is_dirty": False, "source_sha256": digest} | code)
        return told(AWAY, places, case, evidence.model_copy(update={"code": made}))["code"]

    assert of() == ("held", "")
    assert of(source_sha256="f" * 64) == (
        "broken",
        f"the commit's code has the digest {digest}, and the evidence names {'f' * 64}",
    )
    assert of(commit="f" * 40) == ("not checked", f"git knows no commit {'f' * 40} here")
    assert of(commit="none") == ("not checked", "git knows no commit none here")
    dirty = ("not checked", "some of the code was not committed when the model was trained")
    assert of(is_dirty=True) == of(is_dirty=True, source_sha256="f" * 64) == dirty


def test_of_a_version_of_which_nothing_is_known_nothing_is_checked(places):
    found = told(AWAY, places, None, None)
    assert {state for state, _ in found.values()} == {"not checked"}
    assert all(why for _, why in found.values())
