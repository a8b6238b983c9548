"""The manifest: what must be in it, what verification names, what counts as the code."""

import shutil
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.evidence import manifest as evidence

WINDOW = {"train": "2024-01-01/2024-06-30"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    for package in evidence.PACKAGES:
        (project / package).mkdir(parents=True)
        (project / package / "__init__.py").write_text(f"# {package}\n")
    (project / "models" / "evidence").mkdir()
    (project / "models" / "evidence" / "manifest.py").write_text("# this one\n")
    (project / evidence.LOCK_FILE).write_text("polars==2.1\n")
    return project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    (folder / evidence.MODEL_FOLDER).mkdir(parents=True)
    for name in (*evidence.FILES, "model/model.json", "model/illicit.txt"):
        (folder / name).write_text(name)
    return folder


def git(project: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", str(project), *identity, *arguments], check=True, capture_output=True)


def assemble(folder: Path, project: Path) -> evidence.Manifest:
    code = evidence.code_state(project)
    return evidence.assemble(folder, "abc.dir", WINDOW, code, project)


def test_manifest_reads_back_with_the_same_digest(folder: Path, project: Path) -> None:
    manifest = assemble(folder, project)
    manifest.write(folder)
    assert evidence.read((folder / evidence.MANIFEST_FILE).read_bytes()) == manifest
    assert evidence.read((folder / evidence.MANIFEST_FILE).read_bytes()).digest == manifest.digest


@pytest.mark.parametrize("name", evidence.FILES)
def test_the_same_model_may_be_held_against_another_champion_but_nothing_else_may_differ(
    folder: Path, project: Path, name: str
) -> None:
    before = assemble(folder, project)
    (folder / name).write_text("changed")
    after = assemble(folder, project)
    assert after.digest != before.digest
    assert after.is_same_model(before) == (name in ("evaluation.json", "drift.json", "card.md", "description.md"))


def test_another_booster_or_other_source_is_not_the_same_model(folder: Path, project: Path) -> None:
    before = assemble(folder, project)
    (folder / "model/illicit.txt").write_text("another booster")
    assert not assemble(folder, project).is_same_model(before)
    (folder / "model/illicit.txt").write_text("model/illicit.txt")
    assert assemble(folder, project).is_same_model(before)
    (project / "flows" / "__init__.py").write_text("# changed\n")
    assert not assemble(folder, project).is_same_model(before)


def test_unchanged_folder_verifies(folder: Path, project: Path) -> None:
    assert evidence.verify(assemble(folder, project), folder, project) == ()


def test_verification_names_what_differs(folder: Path, project: Path) -> None:
    manifest = assemble(folder, project)
    (folder / "model/illicit.txt").write_text("another booster")
    (folder / "model/extra.txt").write_text("more")
    (folder / "drift.json").unlink()
    (project / "flows" / "__init__.py").write_text("# changed\n")
    (project / evidence.LOCK_FILE).write_text("polars==2.2\n")
    told = evidence.verify(manifest, folder, project)
    assert [sentence.split(" ")[0] for sentence in told] == [
        "drift.json",
        "model/extra.txt",
        "model/illicit.txt",
        "source",
        evidence.LOCK_FILE,
    ]
    assert told[0].startswith("drift.json is missing")
    assert told[1] == "model/extra.txt is not in the evidence"
    assert "model/illicit.txt differs" in told[2]


@pytest.mark.parametrize("name", evidence.FILES)
def test_every_file_is_needed(folder: Path, project: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks {name}"):
        assemble(folder, project)


def test_a_model_is_needed(folder: Path, project: Path) -> None:
    for path in (folder / evidence.MODEL_FOLDER).iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="lacks files in model/"):
        assemble(folder, project)


@pytest.mark.parametrize("name", ["model/../card.md", "model/", "/etc/passwd", "notes.txt"])
def test_manifest_refuses_other_files(folder: Path, project: Path, name: str) -> None:
    values = assemble(folder, project).model_dump()
    values["files"][name] = "2" * 64
    with pytest.raises(ValidationError, match="not allowed"):
        evidence.Manifest.model_validate(values)


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' is there twice"):
        evidence.read('{"a": 1, "a": 2}')


def test_numbers_that_can_be_written_in_two_ways_are_refused(folder: Path, project: Path) -> None:
    values = assemble(folder, project).model_dump() | {"data_version": 1.0}
    with pytest.raises(ValidationError, match="valid string"):
        evidence.Manifest.model_validate(values)


def test_source_digest_sees_code_and_policy_only(project: Path) -> None:
    before = evidence.source_digest(project)
    (project / "models" / "__pycache__").mkdir()
    (project / "models" / "__pycache__" / "evidence.pyc").write_text("cache")
    (project / "models" / ".evidence.py.swp").write_text("an editor's")
    (project / "README.md").write_text("not code")
    assert evidence.source_digest(project) == before
    (project / "models" / "policy.toml").write_text("[gates]\n")
    assert evidence.source_digest(project) != before


def test_source_digest_needs_source(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected the packages features, models, flows"):
        evidence.source_digest(tmp_path)


def test_code_outside_git_has_no_commit(project: Path) -> None:
    state = evidence.code_state(project)
    assert (state.commit, state.is_dirty) == ("none", False)


def test_code_in_git_has_its_commit_and_is_dirty_once_changed(project: Path) -> None:
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "first")
    committed = evidence.code_state(project)
    assert len(committed.commit) == 40
    assert not committed.is_dirty

    (project / "data.dvc").write_text("another version of the data")
    assert not evidence.code_state(project).is_dirty

    (project / "features" / "__init__.py").write_text("# changed\n")
    changed = evidence.code_state(project)
    assert changed.is_dirty
    assert changed.commit == committed.commit
    assert changed.source_sha256 != committed.source_sha256


def test_commit_of_another_project_around_the_packages_is_not_taken(project: Path) -> None:
    git(project, "init", "--quiet")
    (project / "theirs.txt").write_text("another project")
    git(project, "add", "theirs.txt")
    git(project, "commit", "--quiet", "--message", "theirs")
    assert evidence.code_state(project).commit == "none"


@pytest.fixture
def repository(project: Path) -> Path:
    (project / "pyproject.toml").write_text("[project]\n")
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "first")
    return project


def test_each_file_that_differs_from_the_commit_is_named_with_one_digest_over_them(repository: Path) -> None:
    assert evidence.uncommitted(repository) == evidence.Uncommitted(files=(), sha256=None)
    (repository / "README.md").write_text("not code")
    (repository / "data.dvc").write_text("not code")
    assert evidence.uncommitted(repository) == evidence.Uncommitted(files=(), sha256=None)
    (repository / "models" / "new").mkdir()
    (repository / "models" / "new" / "é .py").write_text("# not added\n")
    (repository / "features" / "__init__.py").rename(repository / "features" / "moved.py")
    git(repository, "add", "features")  # what is only staged is not committed
    (repository / evidence.LOCK_FILE).write_text("polars==2.2\n")
    (repository / "pyproject.toml").write_text("[tool]\n")
    found = evidence.uncommitted(repository)
    assert found is not None
    names = ("features/__init__.py", "features/moved.py", "models/new/é .py", "pyproject.toml", "requirements.lock")
    assert found.files == names
    digests = {name: evidence.file_digest(repository / name) for name in names[1:]} | {names[0]: None}
    assert found.sha256 == evidence.json_digest(digests)
    assert evidence.code_state(repository).is_dirty


def test_a_project_within_a_repository_has_its_files_named_from_where_it_is(tmp_path: Path, project: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "theirs.py").touch()
    (project / "models" / "__init__.py").write_text("# changed\n")
    found = evidence.uncommitted(project)
    assert found is not None
    assert found.files == ("models/__init__.py",)


@pytest.mark.parametrize("files", [(), ("a.py",)])
def test_files_without_a_digest_and_a_digest_without_files_are_refused(files: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="allowed: a digest if there are files, and none otherwise"):
        evidence.Uncommitted(files=files, sha256=None if files else "a" * 64)


def test_where_nobody_knows_a_commit_nothing_is_said_of_what_differs(project: Path) -> None:
    assert evidence.uncommitted(project) is None
    git(project, "init", "--quiet")
    git(project, "add", ".")
    assert evidence.uncommitted(project) is None  # there is no commit yet
    assert evidence.code_state(project).commit == "none"


def delivered(repository: Path, folder: Path) -> Path:
    """Copy a project without its git, as an image does, with the list of what was committed."""
    shutil.copytree(repository, folder, ignore=shutil.ignore_patterns(".git"))
    evidence.deliver(folder, evidence.code_state(repository).commit)
    return folder


def test_a_delivered_project_without_git_knows_its_commit_and_what_was_changed(
    repository: Path, tmp_path: Path
) -> None:
    image = delivered(repository, tmp_path / "image")
    assert evidence.code_state(image) == evidence.code_state(repository)
    assert evidence.uncommitted(image) == evidence.Uncommitted(files=(), sha256=None)
    commit = evidence.code_state(repository).commit
    with evidence.committed(commit, image) as folder:
        assert folder == image
    with evidence.committed("0" * 40, image) as folder:
        assert folder is None
    (image / "models" / "more.py").touch()
    (image / "flows" / "__init__.py").unlink()
    (image / "pyproject.toml").write_text("[tool]\n")
    found = evidence.uncommitted(image)
    assert found is not None
    assert found.files == ("flows/__init__.py", "models/more.py", "pyproject.toml")
    assert (evidence.code_state(image).commit, evidence.code_state(image).is_dirty) == (commit, True)
    with evidence.committed(commit, image) as folder:
        assert folder is None


def test_git_is_believed_before_a_delivered_list(repository: Path) -> None:
    evidence.deliver(repository, "0" * 40)
    (repository / "models" / "more.py").touch()
    git(repository, "add", "models")
    git(repository, "commit", "--quiet", "--message", "second")
    assert evidence.uncommitted(repository) == evidence.Uncommitted(files=(), sha256=None)
    with evidence.committed(evidence.code_state(repository).commit, repository) as folder:
        assert folder not in (None, repository)


def test_another_user_than_the_checkouts_is_answered(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert subprocess.run(["git", "-C", str(repository), "rev-parse"], check=False, capture_output=True).returncode
    assert len(evidence.code_state(repository).commit) == 40
