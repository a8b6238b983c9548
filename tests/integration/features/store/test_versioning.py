"""Versions of a data folder in a repository of its own: they are taken, brought back, and the same in every clone."""

import hashlib
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from dvc_objects.fs.base import FileSystem

from features.store import versioning
from features.store.versioning import VersionError
from tests.support.ingestion import tree
from tests.support.spoiling import HOW, spoil


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
    fill(data, a="changed", c="three")
    (data / "kcs" / "b").unlink()
    second, after = versioning.snapshot(data), tree(data)
    assert versioning.current(data) == second != first
    assert versioning.checkout(data, first.removesuffix(".dir")) == second
    assert tree(data) == before
    assert versioning.current(data) == first
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


def test_a_version_is_copied_elsewhere_and_the_data_stay_as_they_are(root: Path, tmp_path: Path) -> None:
    data = root / "data"
    fill(data, a="one", b="two")
    first, before = versioning.snapshot(data), tree(data)
    fill(data, a="not versioned")
    versioning.copy(data, first, tmp_path / "copied")
    assert tree(tmp_path / "copied") == before
    assert (data / "kcs" / "a").read_text() == "not versioned"
    assert versioning.current(data) == first
    with pytest.raises(VersionError, match=f"is neither in the cache nor in the remote; kept here: {first}"):
        versioning.copy(data, f"{'0' * 32}.dir", tmp_path / "other")
    with pytest.raises(VersionError, match="kept here: none"):
        versioning.copy(tmp_path / "nowhere" / "data", first, tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert not (tmp_path / "nowhere").exists()


def test_the_files_of_a_version_are_listed_with_their_md5_also_once_it_is_not_current(root: Path) -> None:
    data = root / "data"
    fill(data, a="one", b="two")
    first = versioning.snapshot(data)
    fill(data, a="changed")
    versioning.snapshot(data)
    assert versioning.listed(data, first) == {
        f"kcs/{name}": hashlib.md5(text.encode()).hexdigest() for name, text in (("a", "one"), ("b", "two"))
    }
    assert (data / "kcs" / "a").read_text() == "changed"


def commit(root: Path, version: str) -> None:
    """Have git say that `version` is the one a clone begins with."""
    (root / "data.dvc").write_text(f"outs:\n- md5: {version}\n  size: 6\n  nfiles: 2\n  hash: md5\n  path: data\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "data")


def test_a_clone_begins_with_the_committed_version_and_is_never_rewritten(root: Path, tmp_path: Path) -> None:
    fill(root / "data", a="one", b="two")
    version = versioning.snapshot(root / "data")
    commit(root, version)
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
    fill(clone / "data", c="of the user")
    other = versioning.snapshot(clone / "data")
    assert versioning.current(clone / "data") == other != version
    assert git(clone, "status", "--porcelain") == ""
    assert versioning.checkout(clone / "data", version) == other
    assert versioning.current(clone / "data") == version
    assert git(clone, "status", "--porcelain") == ""


def test_a_conflict_that_git_left_names_both_versions_and_the_way_out(root: Path) -> None:
    fill(root / "data", a="one")
    ours = versioning.snapshot(root / "data")
    commit(root, ours)
    git(root, "checkout", "--quiet", "-b", "other")
    fill(root / "data", a="two")
    theirs = versioning.snapshot(root / "data")
    commit(root, theirs)
    git(root, "checkout", "--quiet", "-")
    fill(root / "data", a="three")
    mine = versioning.snapshot(root / "data")
    commit(root, mine)
    subprocess.run(["git", "merge", "--quiet", "other"], cwd=root, check=False, capture_output=True)
    said = f"data.dvc has the marks of a conflict.*between {mine} and {theirs}: .*git checkout --ours data.dvc"
    for use in (versioning.current, versioning.snapshot):
        with pytest.raises(VersionError, match=said):
            use(root / "data")
    git(root, "checkout", "--theirs", "data.dvc")
    assert versioning.snapshot(root / "data") == mine  # what lies in the folder


@pytest.mark.parametrize("text", ["", "{"])
def test_a_lock_that_a_crash_left_torn_is_named(root: Path, text: str) -> None:
    fill(root / "data", a="one")
    version = versioning.snapshot(root / "data")
    lock = root / ".dvc" / "tmp" / "rwlock"
    lock.write_text(text)
    with pytest.raises(VersionError, match=f"rwlock: .* left its lock empty or torn: .*`rm {lock}`"):
        versioning.snapshot(root / "data")
    lock.unlink()
    assert versioning.snapshot(root / "data") == version


def cached(root: Path, name: str) -> Path:
    """DVC's copy of a file of the data."""
    md5 = hashlib.md5((root / "data" / "kcs" / name).read_bytes()).hexdigest()
    return root / ".tidewaiter" / "dvc-cache" / "files" / "md5" / md5[:2] / md5[2:]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_spoilt_file_of_the_cache_is_taken_from_the_remote(root: Path, how: str, is_there: bool) -> None:
    data = root / "data"
    fill(data, a="D000021", b="two")
    version, before, spoilt = versioning.snapshot(data), tree(data), cached(root, "a")
    fill(data, a="another")
    versioning.snapshot(data)
    spoil(spoilt, how)
    if not is_there:
        shutil.rmtree(data)
    versioning.checkout(data, version)
    assert tree(data) == before
    assert spoilt.read_text() == "D000021"


@pytest.mark.parametrize("listed", [True, False])
def test_a_version_of_which_no_whole_copy_is_left_is_refused_by_the_file_s_name(root: Path, listed: bool) -> None:
    data = root / "data"
    fill(data, a="D000021", b="two")
    version, spoilt = versioning.snapshot(data), cached(root, "a")
    if listed:
        spoilt = root / ".tidewaiter" / "dvc-cache" / "files" / "md5" / version[:2] / version[2:]
    fill(data, a="another")
    now, before = versioning.snapshot(data), tree(data)
    spoil(spoilt, "flipped")
    spoil(Path(str(spoilt).replace("dvc-cache", "dvc-remote")), "cut")
    name = "the list of its files" if listed else "kcs/a"
    with pytest.raises(VersionError, match=rf"version {version} is spoilt or not whole: {name} \(.*from a backup"):
        versioning.checkout(data, version)
    assert tree(data) == before
    assert versioning.current(data) == now


def test_bytes_that_changed_in_the_data_folder_without_a_word_are_made_good(root: Path) -> None:
    data = root / "data"
    fill(data, a="D000021", b="two")
    version, before = versioning.snapshot(data), tree(data)
    spoil(data / "kcs" / "a", "flipped")
    versioning.checkout(data, version)
    assert tree(data) == before


def test_with_every_folder_elsewhere_nothing_is_kept_beside_the_data_but_dvc_s_settings(tmp_path: Path) -> None:
    data, state = tmp_path / "lake" / "data", tmp_path / "state"
    fill(data, a="one")
    version, before = versioning.snapshot(data, state), tree(data)
    assert versioning.current(data, state) == version
    assert versioning.kept(data, state) == [version]
    assert versioning.exists(data, version, state)
    assert not versioning.exists(data, version)
    assert {path.name for path in data.parent.iterdir()} == {"data", ".dvc", ".dvcignore"}
    shutil.rmtree(data)
    versioning.checkout(data, version, state)
    assert tree(data) == before
    other = tmp_path / "other" / "data"  # of the same state
    fill(other, a="two")
    assert versioning.snapshot(other, state) != versioning.current(data, state) == version


def test_versions_are_spare_and_purged_where_the_state_is_elsewhere(tmp_path: Path) -> None:
    data, state = tmp_path / "lake" / "data", tmp_path / "state"
    versions = []
    for text in ("one", "two"):
        fill(data, a=text)
        versions.append(versioning.snapshot(data, state))
    shutil.rmtree(state / "dvc-cache")  # as after a restore
    assert versioning.spare(data, state) == {versions[0]: date.today()}
    assert versioning.purge(data, versions[:1], state) == 1
    assert versioning.spare(data, state) == {}
    assert (versioning.exists(data, versions[0], state), versioning.exists(data, versions[1], state)) == (False, True)


def test_versions_that_were_kept_beside_the_data_are_found_where_the_state_is_elsewhere(root: Path) -> None:
    data, state = root / "data", root.parent / "state"
    fill(data, a="one", b="two")
    version, before = versioning.snapshot(data), tree(data)
    fill(data, a="changed")
    now = versioning.snapshot(data, state)
    assert versioning.kept(data, state) == sorted([version, now])
    assert versioning.checkout(data, version, state) == now
    assert tree(data) == before
    assert versioning.exists(data, version, state)


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
    (noted,) = (root / ".tidewaiter" / "versions").iterdir()
    noted.write_text("outs:\n- md5: 97")
    assert versioning.current(root / "data") is None
    assert versioning.snapshot(root / "data") == versioning.current(root / "data") == version


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
    script = "import sys; from pathlib import Path; from features.store import versioning; "
    script += "print(versioning.snapshot(Path(sys.argv[1])))"
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(root / "data")], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert said[0] == said[1] == versioning.current(root / "data")


def test_a_purged_version_is_gone_everywhere_and_what_others_need_stays(root: Path) -> None:
    data = root / "data"
    fill(data, a="one", b="two")
    first = versioning.snapshot(data)
    fill(data, a="three")
    second, as_second = versioning.snapshot(data), tree(data)
    fill(data, a="four", b="five")
    third, as_third = versioning.snapshot(data), tree(data)
    assert versioning.spare(data).keys() == {first, second}
    with pytest.raises(VersionError, match=f"version {third} is in use"):
        versioning.purge(data, [first, third])
    assert versioning.purge(data, [first]) == 1  # the first a alone: b is the second version's too
    assert not versioning.exists(data, first)
    assert versioning.kept(data) == sorted([second, third])
    assert not list((root / ".tidewaiter").rglob(hashlib.md5(b"one").hexdigest()[2:]))
    shutil.rmtree(root / ".tidewaiter" / "dvc-cache")
    versioning.checkout(data, second)
    assert tree(data) == as_second
    versioning.checkout(data, third)
    assert tree(data) == as_third
    assert versioning.purge(data, [first]) == 0


def test_versions_of_the_remote_alone_are_spare_and_the_list_here_goes_last(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = root / "data"
    fill(data, a="one")
    first = versioning.snapshot(data)
    fill(data, a="two")
    versioning.snapshot(data)
    today = versioning.spare(data)
    shutil.rmtree(root / ".tidewaiter" / "dvc-cache")  # backups leave it out
    (remote,) = (root / ".tidewaiter" / "dvc-remote").rglob(first[2:])
    assert versioning.spare(data) == today == {first: date.today()}
    os.utime(remote, (0, 0))
    assert versioning.spare(data) == {first: date.fromtimestamp(0)}
    gone, real = [], FileSystem.remove

    def remove(files: FileSystem, path: str) -> None:
        gone.append(Path(path))
        real(files, path)

    monkeypatch.setattr(FileSystem, "remove", remove)
    assert versioning.purge(data, [first]) == 1
    lists = [path.parent.parent.parent.parent.name for path in gone if path.suffix == ".dir"]
    assert lists == ["dvc-remote", "dvc-cache"]
    assert versioning.spare(data) == {}


def test_a_purge_that_was_killed_goes_on_and_one_that_cannot_read_a_list_deletes_nothing(root: Path) -> None:
    data = root / "data"
    fill(data, a="one", b="two")
    first = versioning.snapshot(data)
    fill(data, a="three")
    second = versioning.snapshot(data)
    fill(data, a="four")
    versioning.snapshot(data)
    copies = list((root / ".tidewaiter").rglob(second[2:]))
    kept = copies[0].read_bytes()
    for copy in copies:
        copy.chmod(0o644)
        copy.write_text("spoilt")
    with pytest.raises(VersionError, match="spoilt or not whole"):
        versioning.purge(data, [first])
    assert list((root / ".tidewaiter" / "dvc-remote").rglob(hashlib.md5(b"one").hexdigest()[2:]))
    for copy in copies:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(kept)
    # As a purge that was killed leaves it.
    for path in (root / ".tidewaiter").rglob(hashlib.md5(b"one").hexdigest()[2:]):
        path.chmod(0o644)
        path.unlink()
    assert versioning.purge(data, [first]) == 1
    assert not versioning.exists(data, first)
