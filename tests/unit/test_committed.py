"""The `git` of tests whose code is not committed: it says so of this project, and of no other."""

import shutil
import subprocess

import pytest

from models.evidence import source_code
from tests.support import committed


@pytest.fixture
def project(tmp_path):
    project = tmp_path / "project"
    for package in source_code.PACKAGES:
        (project / package).mkdir(parents=True)
        (project / package / "__init__.py").touch()
    (project / "models" / "evidence").mkdir()
    (project / "models" / "evidence" / "source_code.py").touch()
    for name in (source_code.LOCK_FILE, "pyproject.toml"):
        (project / name).touch()
    return project


def test_a_project_that_git_does_not_know_is_committed_as_it_lies_there(project, tmp_path, monkeypatch):
    assert source_code.uncommitted(project) is None
    (tmp_path / "git").mkdir()
    committed.commit(str(shutil.which("git")), project, tmp_path / "git")
    monkeypatch.setenv("PATH", str(tmp_path / "git"), prepend=":")
    assert source_code.uncommitted(project) == source_code.Uncommitted(files=(), sha256=None)
    with source_code.committed(source_code.code_state(project).commit, project) as folder:
        assert folder is not None
        assert source_code.source(folder) == source_code.source(project)
    (project / "flows" / "more.py").touch()
    assert source_code.code_state(project).is_dirty
    other = shutil.copytree(project, tmp_path / "other")
    assert source_code.uncommitted(other) is None
    assert subprocess.run(["git", "--version"], check=True, capture_output=True).stdout.startswith(b"git version")


def test_the_code_of_the_tests_is_committed():
    assert source_code.uncommitted() == source_code.Uncommitted(files=(), sha256=None)
