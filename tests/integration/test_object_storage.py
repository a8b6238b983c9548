"""Object storage, against an S3 server on loopback."""

import subprocess
import sys
from pathlib import Path

import pytest

from features import versioning
from features.versioning import VersionError
from tests.ingestion import tree
from tests.object_storage import ObjectStorage, object_storage, storage_server

__all__ = ["object_storage", "storage_server"]
pytestmark = pytest.mark.servers


def clone(root: Path, url: str, endpoint: str) -> Path:
    """The data folder of a clone that keeps versions at `url`, set up as docs/operator.md says."""
    root.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    versioning.set_up(root)
    remote(root, "add", "--default", "office", url)
    remote(root, "modify", "office", "endpointurl", endpoint)
    return root / "data"


def remote(root: Path, command: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "remote", command, "--local", *arguments], cwd=root, check=True)


def fill(data: Path, text: str) -> None:
    for name in ("a", "b"):
        path = data / "kcs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} {text}")


def test_another_clone_brings_a_version_back(tmp_path: Path, object_storage: ObjectStorage) -> None:
    url = f"s3://{object_storage.make_bucket()}/versions"
    here = clone(tmp_path / "here", url, object_storage.endpoint)
    fill(here, "first")
    first, before = versioning.snapshot(here), tree(here)
    fill(here, "second")
    versioning.snapshot(here)
    there = clone(tmp_path / "there", url, object_storage.endpoint)
    assert versioning.checkout(there, first) is None
    assert tree(there) == before
    with pytest.raises(VersionError, match=f"version {'0' * 32}.dir is neither in the cache nor in the remote"):
        versioning.checkout(there, "0" * 32)


def test_what_an_unreachable_remote_missed_is_pushed_later(
    tmp_path: Path, object_storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    url = f"s3://{object_storage.make_bucket()}/versions"
    here = clone(tmp_path / "here", url, "http://127.0.0.1:9")
    fill(here, "first")
    before, name = tree(here), f"DVC's remote 'office' \\({url}\\) failed: "
    with pytest.raises(VersionError, match=f"{name}Could not connect to the endpoint URL"):
        versioning.snapshot(here)
    with pytest.raises(VersionError, match=f"{name}Could not connect to the endpoint URL"):
        versioning.checkout(here, "0" * 32)
    assert tree(here) == before
    missed = versioning.current(here)
    assert missed is not None
    remote(here.parent, "modify", "office", "endpointurl", object_storage.endpoint)
    assert versioning.snapshot(here) == missed
    there = clone(tmp_path / "there", url, object_storage.endpoint)
    versioning.checkout(there, missed)
    assert tree(there) == before


def test_wrong_credentials_are_an_error_that_says_so(
    tmp_path: Path, object_storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"s3://{object_storage.make_bucket()}/versions"
    here = clone(tmp_path / "here", url, object_storage.endpoint)
    fill(here, "first")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(VersionError, match=f"DVC's remote 'office' \\({url}\\) failed: Forbidden"):
        versioning.snapshot(here)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(VersionError, match=f"DVC's remote 'office' \\({url}\\) failed: .*credentials"):
        versioning.snapshot(here)
