"""A version made again, up to the first stage that differs; the training itself is a few lines here.

tests/integration/flows/test_retrain.py makes a whole one again.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow.exceptions import RESOURCE_DOES_NOT_EXIST, TEMPORARILY_UNAVAILABLE, MlflowException

from features.store import versioning
from models.evidence import manifest, source_code
from models.evidence.source_code import Code
from models.places import Places
from models.reproduction import NotTried, Purged, alone, libraries, reproduce
from models.reproduction.reproducing import PROGRAM
from models.retention import TOMBSTONES, Tombstones
from tests.support import candidates

STAGES = ["code", "lock", "data", "feature code", "rows", "encodings", "rounds", "trees", "model"]
# It gives back the model of the evidence, with what the data ask for changed in it.
TRAINING = """
import json, sys
from pathlib import Path

evidence, data, source, out = sys.argv[1:]
assert source == "simulator"
model = json.loads(Path(evidence, "model", "model.json").read_text())
for place, value in json.loads(Path(data, "simulator", "changes.json").read_text()).items():
    *way, last = place.split(".")
    holder = model
    for name in way:
        holder = holder[name]
    holder[last] = value
Path(out, "model").mkdir(parents=True)
Path(out, "model", "model.json").write_text(json.dumps(model, indent=1) + "\\n")
"""


@dataclass
class World:
    """A project with one commit, one version of the data, and a version that was made of both."""

    folder: Path
    manifest: manifest.Manifest
    number: str = "1"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def data(self) -> Path:
        return self.folder / "lake" / "data"

    def change(self, **fields):
        """Have the evidence say something else."""
        return replace(self, manifest=self.manifest.model_copy(update=fields))

    def of_data(self, **changes):
        """Return the same world, in which the version was made from data that ask for changes of the model."""
        (self.data / "simulator" / "changes.json").write_text(
            json.dumps({key.replace("__", "."): value for key, value in changes.items()})
        )
        return self.change(data_version=versioning.snapshot(self.data, self.folder / "state"))

    # As the registry:

    def version(self, number):
        if number != self.number:
            raise MlflowException("not there", error_code=RESOURCE_DOES_NOT_EXIST)
        return number

    def fetch_evidence(self, version, folder):
        shutil.copytree(self.folder / "evidence", folder)
        return self.manifest

    def run(self, version):
        return SimpleNamespace(data=SimpleNamespace(params={"source": "simulator"}))

    def made_again(self, number="1"):
        places = Places(self.data, self.folder / "state", self.folder, "", "")
        with alone(places.state) as scratch:
            found = list(reproduce(self, places, number, scratch))
        assert list(scratch.folder.iterdir()) == []
        return found


def git(project: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=dan", "-c", "user.email=dan@example.org")
    done = subprocess.run(
        ["git", "-C", str(project), *identity, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def world(tmp_path, monkeypatch) -> World:
    project = tmp_path / "project"
    (project / PROGRAM).parent.mkdir(parents=True)
    for package in source_code.PACKAGES:
        (project / package).mkdir(exist_ok=True)
        (project / package / "__init__.py").touch()
    (project / PROGRAM.with_name("__init__.py")).touch()
    (project / PROGRAM).write_text(TRAINING)
    (project / source_code.LOCK_FILE).write_text("# nothing is installed\n")
    for arguments in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message", "first")):
        git(project, *arguments)
    monkeypatch.setattr(source_code, "PROJECT", project)
    made = candidates.dossier()
    (tmp_path / "evidence").mkdir()
    code = Code(
        commit=git(project, "rev-parse", "HEAD"), is_dirty=False, source_sha256=source_code.source_digest(project)
    )
    made.write(tmp_path / "evidence", "abc.dir", code.commit)
    stated = manifest.assemble(tmp_path / "evidence", "abc.dir", made.windows(), code, project)
    (tmp_path / "lake" / "data" / "simulator").mkdir(parents=True)
    return World(tmp_path, stated).of_data()


def test_data_that_a_rule_has_purged_are_said_to_be_purged(world):
    tombstones = Tombstones(world.folder / "state" / TOMBSTONES)
    version, last = world.manifest.data_version, world.manifest.last_day
    tombstones.add("versions", {version: last - timedelta(days=1)}, 30, last + timedelta(days=60))
    assert named(world.made_again()) == STAGES  # they are still there, or came again
    for name in ("dvc-cache", "dvc-remote"):
        shutil.rmtree(world.folder / "state" / name)
    with pytest.raises(NotTried, match="neither in the cache nor in the remote"):
        world.made_again()  # the tombstone is of data from before there were these
    tombstones.add("versions", {version: last}, 30, last + timedelta(days=60))
    with pytest.raises(Purged, match=r"its data were purged by rule versions \(30 days\) on "):
        world.made_again()
    tombstones.file.write_bytes(b"{}\n")
    with pytest.raises(NotTried, match=r"purged\.jsonl, line 1: it is no tombstone") as raised:
        world.made_again()
    assert not isinstance(raised.value, Purged)


def named(stages):
    return [stage.name for stage in stages]


def test_the_same_code_libraries_and_data_give_the_same_model(world):
    found = world.made_again()
    assert named(found) == STAGES
    assert all(stage.is_same for stage in found)
    assert found[0].found == world.manifest.code.source_sha256
    assert found[2].found == world.manifest.data_version
    assert found[-1].stated == candidates.dossier().model.digest


def test_code_and_data_that_have_changed_since_are_left_alone_and_those_of_the_version_are_taken(world):
    (world.project / "flows" / "more.py").write_text("changed = True\n")
    (world.project / PROGRAM).write_text("raise SystemExit(1)\n")
    changes = world.data / "simulator" / "changes.json"
    changes.write_text('{"hit_value": -1}')
    assert all(stage.is_same for stage in world.made_again())
    assert changes.read_text() == '{"hit_value": -1}'
    assert git(world.project, "status", "--porcelain") == f"M {PROGRAM}\n?? flows/more.py"


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"training__feature_code": "other", "hit_value": -1}, "feature code"),
        ({"training__parts": {}, "encoder": {}}, "rows"),
        ({"encoder": {}, "files": {}}, "encodings"),
        ({"training__rounds": 1}, "rounds"),
        ({"training__further_rounds": [1], "files": {}}, "rounds"),
        ({"training__learning_curve": {}, "files": {}}, "rounds"),
        ({"files": {}, "hit_value": -1}, "trees"),
        ({"hit_value": -1}, "model"),
    ],
)
def test_the_first_stage_that_differs_is_the_last_one_told(world, changes, first):
    found = world.of_data(**changes).made_again()
    assert named(found) == STAGES[: STAGES.index(first) + 1]
    assert [stage.is_same for stage in found] == [*([True] * (len(found) - 1)), False]
    assert found[-1].stated != found[-1].found


def test_a_commit_with_other_code_differs_in_the_code(world):
    code = world.manifest.code.model_copy(update={"source_sha256": "1" * 64, "is_dirty": True})
    (found,) = world.change(code=code).made_again()
    assert (found.name, found.stated, found.found) == ("code", "1" * 64, world.manifest.code.source_sha256)


def test_a_commit_with_other_libraries_differs_in_the_lock(world):
    found = world.change(lock_sha256="2" * 64).made_again()
    assert named(found) == ["code", "lock"]
    (world.project / source_code.LOCK_FILE).unlink()
    assert world.made_again()[-1].found == "none"


def unknown_commit(world):
    return world.change(code=Code(commit="f" * 40, is_dirty=False, source_sha256="1" * 64))


def without_lock(world):
    return world.change(lock_sha256=None)


def without_data(world):
    return world.change(data_version=candidates.version_of_data("lost"))


def of_old_code(world):
    (world.project / PROGRAM).unlink()
    return world.change(
        code=world.manifest.code.model_copy(update={"source_sha256": source_code.source_digest(world.project)})
    )


def failing(world):
    return world.of_data(training__no__such__place=1)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (unknown_commit, f"git knows no commit {'f' * 40} here: fetch it into "),
        (without_lock, "it was made without requirements.lock, so nobody knows its libraries"),
        (without_data, "is neither in the cache nor in the remote; kept here: "),
        (of_old_code, "is older than this command"),
        (failing, "training it again failed: KeyError: 'no'"),
    ],
)
def test_what_cannot_be_tried_says_why(world, made, why):
    with pytest.raises(NotTried, match=why):
        made(world).made_again()
    assert list((world.folder / "state" / "reproduction").iterdir()) == []


def test_a_version_that_there_is_not_or_that_is_not_given_is_no_difference(world, monkeypatch):
    with pytest.raises(LookupError, match="there is no version 7; `tidewaiter data list` shows which there are"):
        world.made_again("7")

    def away(version, folder):
        raise MlflowException("MLflow is away\nfor now", error_code=TEMPORARILY_UNAVAILABLE)

    monkeypatch.setattr(world, "fetch_evidence", away)
    with pytest.raises(NotTried, match=r"MLflow did not give the version: .*MLflow is away$"):
        world.made_again()

    def forged(version, folder):
        raise ValueError("version 1 is not as it was sealed: drift.html was changed")

    monkeypatch.setattr(world, "fetch_evidence", forged)
    with pytest.raises(NotTried, match="not as it was sealed"):
        world.made_again()


def test_libraries_of_another_lock_are_asked_for_before_anything_is_trained(world, monkeypatch):
    """The commit has its own lock file, and the one here is another."""
    (world.project / source_code.LOCK_FILE).write_text("# other libraries\n")
    (world.project / "flows" / "more.py").write_text("changed = True\n")  # so that the commit is checked out
    asked = []

    def python(code, folder):
        asked.append((code / source_code.LOCK_FILE).read_text())
        raise NotTried("there is no index")

    monkeypatch.setattr(libraries, "python", python)
    with pytest.raises(NotTried, match="there is no index"):
        world.made_again()
    assert asked == ["# nothing is installed\n"]
