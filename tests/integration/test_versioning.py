"""Versions of a data folder in a repository of its own: taken, brought back, the same in every clone."""

import subprocess
import sys
from pathlib import Path

import pytest

from features import versioning
from features.versioning import VersionError
from tests.ingestion import tree


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout


def fill(data: Path, **files: str) -> None:
    for name, text in files.items():
        path = data / "kcs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "--quiet")
    git(root, "config", "user.email", "somebody@example.org")
    git(root, "config", "user.name", "Somebody")
    (root / ".gitignore").write_text("/.tidewaiter/\n/data\n")
    return root


def test_an_older_version_comes_back_byte_for_byte(root: Path) -> None:
    data = root / "data"
    fill(data, a="one", b="two")
    first, before = versioning.snapshot(data), tree(data)
    pointer = (root / "data.dvc").read_bytes()
    fill(data, a="changed", c="three")
    (data / "kcs" / "b").unlink()
    second, after = versioning.snapshot(data), tree(data)
    assert versioning.current(data) == second != first
    assert versioning.checkout(data, first.removesuffix(".dir")) == second
    assert tree(data) == before
    assert versioning.current(data) == first
    assert (root / "data.dvc").read_bytes() == pointer
    assert versioning.checkout(data, second) == first
    assert tree(data) == after


def test_what_was_not_versioned_yet_is_not_lost_by_a_checkout(root: Path) -> None:
    data = root / "data"
    fill(data, a="one")
    first = versioning.snapshot(data)
    fill(data, a="not versioned")
    unsaved = versioning.checkout(data, first)
    assert unsaved is not None
    versioning.checkout(data, unsaved)
    assert (data / "kcs" / "a").read_text() == "not versioned"


def test_a_fresh_clone_that_makes_the_same_data_stays_clean(root: Path, tmp_path: Path) -> None:
    fill(root / "data", a="one", b="two")
    version = versioning.snapshot(root / "data")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "data")
    assert sorted(git(root, "ls-files").split()) == [
        ".dvc/.gitignore",
        ".dvc/config",
        ".dvcignore",
        ".gitignore",
        "data.dvc",
    ]
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(root), str(clone))
    assert versioning.current(clone / "data") == version
    fill(clone / "data", b="two", a="one")
    assert versioning.snapshot(clone / "data") == version
    assert versioning.snapshot(clone / "data") == version
    assert git(clone, "status", "--porcelain") == ""


def test_a_clone_brings_back_what_the_remote_has(root: Path, tmp_path: Path) -> None:
    fill(root / "data", a="one")
    first, before = versioning.snapshot(root / "data"), tree(root / "data")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "data")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(root), str(clone))
    (clone / ".tidewaiter").mkdir()
    (root / ".tidewaiter" / "dvc-remote").rename(clone / ".tidewaiter" / "dvc-remote")
    assert versioning.checkout(clone / "data", first) is None
    assert tree(clone / "data") == before


def test_an_unknown_version_says_which_there_are_and_changes_nothing(root: Path) -> None:
    fill(root / "data", a="one")
    version = versioning.snapshot(root / "data")
    with pytest.raises(VersionError, match=f"version {'0' * 32}.dir is neither in .* kept here: {version}"):
        versioning.checkout(root / "data", "0" * 32)
    with pytest.raises(VersionError, match="'latest' is not a version; one has 32 hexadecimal digits"):
        versioning.checkout(root / "data", "latest")
    assert versioning.current(root / "data") == version


def test_nothing_is_no_version(root: Path) -> None:
    assert versioning.current(root / "data") is None
    with pytest.raises(VersionError, match="no data to take a version of"):
        versioning.snapshot(root / "data")


def test_a_pointer_cut_short_by_a_crash_is_written_anew(root: Path) -> None:
    fill(root / "data", a="one")
    version = versioning.snapshot(root / "data")
    (root / "data.dvc").write_text("outs:\n- md5: 97")
    assert versioning.current(root / "data") is None
    assert versioning.snapshot(root / "data") == version


def test_it_works_without_git_and_left_overs_are_no_part_of_a_version(tmp_path: Path) -> None:
    fill(tmp_path / "data", a="one")
    version = versioning.snapshot(tmp_path / "data")
    (tmp_path / "data" / "kcs" / ".staging").mkdir()
    (tmp_path / "data" / "kcs" / ".staging" / "x").touch()
    (tmp_path / "data" / "kcs" / "manifest.json.partial").touch()
    assert versioning.snapshot(tmp_path / "data") == version


def test_two_at_once_wait_for_each_other(root: Path) -> None:
    fill(root / "data", **{f"f{number}": str(number) for number in range(50)})
    versioning.set_up(root)
    script = "import sys; from pathlib import Path; from features import versioning; "
    script += "print(versioning.snapshot(Path(sys.argv[1])))"
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(root / "data")], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert said[0] == said[1] == versioning.current(root / "data")
