"""The `git` of tests whose code is not committed: it says so of this project, and of no other."""

import shutil
import subprocess

import pytest

from models.evidence import manifest
from tests.support import committed


@pytest.fixture
def project(tmp_path):
    project = tmp_path / "project"
    for package in manifest.PACKAGES:
        (project / package).mkdir(parents=True)
        (project / package / "__init__.py").touch()
    (project / "models" / "evidence").mkdir()
    (project / "models" / "evidence" / "manifest.py").touch()
    for name in (manifest.LOCK_FILE, "pyproject.toml"):
        (project / name).touch()
    return project


def test_a_project_that_git_does_not_know_is_committed_as_it_lies_there(project, tmp_path, monkeypatch):
    assert manifest.uncommitted(project) is None
    (tmp_path / "git").mkdir()
    committed.commit(str(shutil.which("git")), project, tmp_path / "git")
    monkeypatch.setenv("PATH", str(tmp_path / "git"), prepend=":")
    assert manifest.uncommitted(project) == manifest.Uncommitted(files=(), sha256=None)
    with manifest.committed(manifest.code_state(project).commit, project) as folder:
        assert folder is not None
        assert manifest.source(folder) == manifest.source(project)
    (project / "flows" / "more.py").touch()
    assert manifest.code_state(project).is_dirty
    other = shutil.copytree(project, tmp_path / "other")
    assert manifest.uncommitted(other) is None
    assert subprocess.run(["git", "--version"], check=True, capture_output=True).stdout.startswith(b"git version")


def test_the_code_of_the_tests_is_committed():
    assert manifest.uncommitted() == manifest.Uncommitted(files=(), sha256=None)
