"""What a bundle says of itself: hashes, versions, known weaknesses; and that the lock file alone says what is in it."""

import hashlib
import subprocess
import tarfile

import pytest

from deploy import bundle

LOCK = """# made by uv
one==1.0 ; python_version < '4' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via two
two==2.0 \\
    --hash=sha256:cc
"""


def test_the_sums_are_what_sha256sum_reads(tmp_path):
    for name in ("install.sh", "code/flows/a.py", "wheels/one-1.0-py3-none-any.whl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / bundle.SUMS).write_text("of an earlier bundle")
    (tmp_path / bundle.SUMS).write_text(bundle.sums(tmp_path))
    check = ["sha256sum", "--check", "--strict", bundle.SUMS]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "./code/flows/a.py: OK",
        "./install.sh: OK",
        "./wheels/one-1.0-py3-none-any.whl: OK",
    ]
    (tmp_path / "code/flows/a.py").write_text("other")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_the_requirements_are_the_wheels_with_their_hashes(tmp_path):
    for name in ("Prefect_Extra-3.8-py3-none-any.whl", "a-1.0-cp311-cp311-linux_x86_64.whl"):
        (tmp_path / name).write_text(name)
    hashed = [hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(tmp_path.iterdir())]
    assert bundle.requirements(tmp_path).splitlines() == [
        f"prefect-extra==3.8 --hash=sha256:{hashed[0]}",
        f"a==1.0 --hash=sha256:{hashed[1]}",
    ]


@pytest.mark.parametrize(
    ("part", "added"),
    [
        ("one==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n", None),
        ("one==1.1 \\\n    --hash=sha256:aa\n", "one==1.1"),
        ("one==1.0 \\\n    --hash=sha256:dd\n", "--hash=sha256:dd"),
    ],
)
def test_what_the_lock_file_does_not_name_gets_into_no_bundle(tmp_path, monkeypatch, part, added):
    (tmp_path / "requirements.lock").write_text(LOCK)

    def compile_(command, **options):
        assert command[-1].read_text() == LOCK  # so that uv keeps what is locked
        command[-1].write_text(part)

    monkeypatch.setattr(bundle.subprocess, "run", compile_)
    if added is None:
        assert bundle.runtime_lock(tmp_path, tmp_path).read_text() == part
        return
    with pytest.raises(ValueError, match=f"requirements.lock lacks '{added}'"):
        bundle.runtime_lock(tmp_path, tmp_path)


def known(name, *weaknesses):
    return {"name": name, "version": "1.0", "vulns": list(weaknesses)}


def test_weaknesses_are_told_with_what_mends_them():
    found = [
        known("one", {"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}, {"id": "PYSEC-2", "fix_versions": []}),
        known("two"),
    ]
    assert bundle.audited(found, 2).splitlines() == [
        "Known weaknesses of 2 packages: 2.",
        "one 1.0: PYSEC-1, mended in 1.1, 2.0",
        "one 1.0: PYSEC-2, not mended yet",
    ]


def test_a_package_of_which_nobody_could_say_anything_is_not_called_well():
    found = [known("one"), {"name": "two", "skip_reason": "not found"}]
    assert bundle.audited(found, 2).startswith("NOT AUDITED: of 1 of 2 packages nobody could say anything.")
    assert bundle.audited([{"name": "one", "skip_reason": "no answer"}], 9).startswith("NOT AUDITED: of 9 of 9 ")
    assert bundle.audited([known("one"), known("two")], 2) == "Known weaknesses of 2 packages: 0."


@pytest.mark.parametrize("said", ["", "not JSON", "{}"])
def test_an_audit_that_ends_without_a_word_is_told_as_such(tmp_path, monkeypatch, said):
    (tmp_path / "requirements.txt").write_text("one==1.0\ntwo==2.0\n")
    done = subprocess.CompletedProcess([], 1, said, "no connection\n")
    monkeypatch.setattr(bundle.subprocess, "run", lambda *a, **k: done)
    told = bundle.audit(tmp_path)
    assert told.startswith("NOT AUDITED: of 2 of 2 packages")
    written = (tmp_path / "audit.txt").read_text()
    assert told in written
    assert "no connection" in written


def test_a_bundle_replaces_that_of_the_same_commit(tmp_path):
    dist = tmp_path / "dist"
    for content in ("first", "second"):
        folder = tmp_path / "bundle"
        folder.mkdir()
        (folder / "install.sh").write_text(content)
        packed = bundle.placed(folder, dist, "tidewaiter-1")
    assert (dist / "tidewaiter-1" / "install.sh").read_text() == "second"
    with tarfile.open(packed) as tar:
        assert tar.extractfile("tidewaiter-1/install.sh").read() == b"second"
