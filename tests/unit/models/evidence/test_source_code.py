"""The code in force: what counts as the code, and what git says of it, or a delivered list where there is no git."""

import shutil
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.evidence import digests, source_code


def git(project: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", str(project), *identity, *arguments], check=True, capture_output=True)


def test_source_digest_sees_code_and_policy_only(project: Path) -> None:
    before = source_code.source_digest(project)
    (project / "models" / "__pycache__").mkdir()
    (project / "models" / "__pycache__" / "evidence.pyc").write_text("cache")
    (project / "models" / ".evidence.py.swp").write_text("an editor's")
    (project / "README.md").write_text("not code")
    assert source_code.source_digest(project) == before
    (project / "models" / "policy.toml").write_text("[gates]\n")
    assert source_code.source_digest(project) != before


def test_source_digest_needs_source(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected the packages features, models, flows"):
        source_code.source_digest(tmp_path)


def test_code_outside_git_has_no_commit(project: Path) -> None:
    state = source_code.code_state(project)
    assert (state.commit, state.is_dirty) == ("none", False)


def test_code_in_git_has_its_commit_and_is_dirty_once_changed(project: Path) -> None:
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "first")
    committed = source_code.code_state(project)
    assert len(committed.commit) == 40
    assert not committed.is_dirty

    (project / "data.dvc").write_text("another version of the data")
    assert not source_code.code_state(project).is_dirty

    (project / "features" / "__init__.py").write_text("# changed\n")
    changed = source_code.code_state(project)
    assert changed.is_dirty
    assert changed.commit == committed.commit
    assert changed.source_sha256 != committed.source_sha256


def test_commit_of_another_project_around_the_packages_is_not_taken(project: Path) -> None:
    git(project, "init", "--quiet")
    (project / "theirs.txt").write_text("another project")
    git(project, "add", "theirs.txt")
    git(project, "commit", "--quiet", "--message", "theirs")
    assert source_code.code_state(project).commit == "none"


@pytest.fixture
def repository(project: Path) -> Path:
    (project / "pyproject.toml").write_text("[project]\n")
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "first")
    return project


def test_each_file_that_differs_from_the_commit_is_named_with_one_digest_over_them(repository: Path) -> None:
    assert source_code.uncommitted(repository) == source_code.Uncommitted(files=(), sha256=None)
    (repository / "README.md").write_text("not code")
    (repository / "data.dvc").write_text("not code")
    assert source_code.uncommitted(repository) == source_code.Uncommitted(files=(), sha256=None)
    (repository / "models" / "new").mkdir()
    (repository / "models" / "new" / "é .py").write_text("# not added\n")
    (repository / "features" / "__init__.py").rename(repository / "features" / "moved.py")
    git(repository, "add", "features")  # what is only staged is not committed
    (repository / source_code.LOCK_FILE).write_text("polars==2.2\n")
    (repository / "pyproject.toml").write_text("[tool]\n")
    found = source_code.uncommitted(repository)
    assert found is not None
    names = ("features/__init__.py", "features/moved.py", "models/new/é .py", "pyproject.toml", "requirements.lock")
    assert found.files == names
    expected = {name: digests.file_digest(repository / name) for name in names[1:]} | {names[0]: None}
    assert found.sha256 == digests.json_digest(expected)
    assert source_code.code_state(repository).is_dirty


def test_a_project_within_a_repository_has_its_files_named_from_where_it_is(tmp_path: Path, project: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "theirs.py").touch()
    (project / "models" / "__init__.py").write_text("# changed\n")
    found = source_code.uncommitted(project)
    assert found is not None
    assert found.files == ("models/__init__.py",)


@pytest.mark.parametrize("files", [(), ("a.py",)])
def test_files_without_a_digest_and_a_digest_without_files_are_refused(files: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="allowed: a digest if there are files, and none otherwise"):
        source_code.Uncommitted(files=files, sha256=None if files else "a" * 64)


def test_where_nobody_knows_a_commit_nothing_is_said_of_what_differs(project: Path) -> None:
    assert source_code.uncommitted(project) is None
    git(project, "init", "--quiet")
    git(project, "add", ".")
    assert source_code.uncommitted(project) is None  # there is no commit yet
    assert source_code.code_state(project).commit == "none"


def delivered(repository: Path, folder: Path) -> Path:
    """Copy a project without its git, as an image does, with the list of what was committed."""
    shutil.copytree(repository, folder, ignore=shutil.ignore_patterns(".git"))
    source_code.deliver(folder, source_code.code_state(repository).commit)
    return folder


def test_a_delivered_project_without_git_knows_its_commit_and_what_was_changed(
    repository: Path, tmp_path: Path
) -> None:
    image = delivered(repository, tmp_path / "image")
    assert source_code.code_state(image) == source_code.code_state(repository)
    assert source_code.uncommitted(image) == source_code.Uncommitted(files=(), sha256=None)
    commit = source_code.code_state(repository).commit
    with source_code.committed(commit, image) as folder:
        assert folder == image
    with source_code.committed("0" * 40, image) as folder:
        assert folder is None
    (image / "models" / "more.py").touch()
    (image / "flows" / "__init__.py").unlink()
    (image / "pyproject.toml").write_text("[tool]\n")
    found = source_code.uncommitted(image)
    assert found is not None
    assert found.files == ("flows/__init__.py", "models/more.py", "pyproject.toml")
    assert (source_code.code_state(image).commit, source_code.code_state(image).is_dirty) == (commit, True)
    with source_code.committed(commit, image) as folder:
        assert folder is None


def test_git_is_believed_before_a_delivered_list(repository: Path) -> None:
    source_code.deliver(repository, "0" * 40)
    (repository / "models" / "more.py").touch()
    git(repository, "add", "models")
    git(repository, "commit", "--quiet", "--message", "second")
    assert source_code.uncommitted(repository) == source_code.Uncommitted(files=(), sha256=None)
    with source_code.committed(source_code.code_state(repository).commit, repository) as folder:
        assert folder not in (None, repository)


def test_another_user_than_the_checkouts_is_answered(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert subprocess.run(["git", "-C", str(repository), "rev-parse"], check=False, capture_output=True).returncode
    assert len(source_code.code_state(repository).commit) == 40
