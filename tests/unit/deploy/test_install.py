"""install.sh of a bundle, with a stand-in for uv: what it refuses, what it lays, and what of an operator's it keeps.

With real packages, as root and with users, it runs in the trial `bundle`.
"""

import platform
import subprocess
import sys
import zipfile

import pytest

from deploy import bundle, source

UV = """#!/bin/sh
case "$1" in
venv)
    for last; do :; done
    mkdir -p "$last/bin"
    printf '#!/bin/sh\\n' >"$last/bin/python"
    chmod +x "$last/bin/python"
    ;;
pip) [ "$UV_OFFLINE" = 1 ] || exit 1 ;;
esac
"""
DELIVERED = {
    "prefect.yaml": "nights: 1\n",
    "models/policy.toml": "places = 1\n",
    "flows/old.py": "",
    "committed.json": "",
}


def packed(folder, files=DELIVERED):
    """Return a bundle of a few files of code, by their names."""
    for name, content in files.items():
        (folder / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "code" / name).write_text(content)
    for part in ("features", "flows", "models"):
        (folder / "code" / part).mkdir(exist_ok=True)
    (folder / "wheels").mkdir()
    with zipfile.ZipFile(folder / "wheels" / "uv-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("uv-1.0.data/scripts/uv", UV)
    (folder / "requirements.txt").write_text(bundle.requirements(folder / "wheels"))
    (folder / "PYTHON").write_text(f"{sys.version_info.major}.{sys.version_info.minor} {platform.machine()}\n")
    (folder / "install.sh").write_bytes((source.ROOT / "deploy" / "install.sh").read_bytes())
    (folder / bundle.SUMS).write_text(bundle.sums(folder))
    return folder


def install(folder, *arguments):
    return subprocess.run(
        ["sh", folder / "install.sh", *arguments],
        env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def first(tmp_path):
    return packed(tmp_path / "first")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "a place"


def test_it_lays_the_code_and_says_what_it_did(first, place):
    for _ in range(2):  # a second time changes nothing
        done = install(first, place)
        assert done.returncode == 0, done.stderr
        assert "packages are in" in done.stdout
        assert "was edited" not in done.stdout
        laid = {p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file()}
        delivered = {".delivered/prefect.yaml", ".delivered/policy.toml"}
        assert laid == {*DELIVERED, *delivered, ".made-by-install.sh", ".venv/bin/python"}


def test_a_newer_bundle_takes_the_place_of_what_was_delivered_and_keeps_what_was_edited(first, place, tmp_path):
    install(first, place)
    (place / "models" / "policy.toml").write_text("places = 7\n")
    (place / "tidewaiter.toml").write_text("mlflow_port = 5001\n")
    files = {"prefect.yaml": "nights: 2\n", "models/policy.toml": "places = 2\n", "committed.json": ""}
    newer = packed(tmp_path / "newer", files)
    for _ in range(2):
        done = install(newer, place)
        assert done.returncode == 0, done.stderr
        assert f"{place}/models/policy.toml was edited here and stays" in done.stdout
        assert f"{place}/prefect.yaml was edited" not in done.stdout
        assert (place / "models" / "policy.toml").read_text() == "places = 7\n"
        assert (place / "prefect.yaml").read_text() == "nights: 2\n"
        assert (place / "tidewaiter.toml").read_text() == "mlflow_port = 5001\n"
        assert not (place / "flows" / "old.py").exists()


def test_what_was_edited_outlives_an_installation_that_was_killed(first, place):
    install(first, place)
    (place / ".kept").mkdir()  # as it is left where the code was being laid
    (place / ".kept" / "policy.toml").write_text("places = 7\n")
    (place / "models" / "policy.toml").unlink()
    (place / "committed.json").unlink()
    done = install(first, place)
    assert done.returncode == 0, done.stderr
    assert (place / "models" / "policy.toml").read_text() == "places = 7\n"
    assert not (place / ".kept").exists()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "code/flows/old.py").write_text("evil"), "the bundle is not as it was made"),
        (lambda folder: (folder / "code/flows/evil.py").touch(), "other files than SHA256SUMS names"),
        (lambda folder: (folder / "code/flows/evil.py").symlink_to("/etc/passwd"), "other files than SHA256SUMS names"),
        (lambda folder: (folder / "wheels/uv-1.0-py3-none-any.whl").unlink(), "other files than SHA256SUMS names"),
        (lambda folder: (folder / "PYTHON").write_text("2.7 vax\n"), "allowed: 2.7 vax"),
    ],
)
def test_a_bundle_that_is_not_right_is_refused_before_anything_is_written(first, place, spoil, told):
    spoil(first)
    done = install(first, place)
    assert done.returncode == 1
    assert told in done.stderr
    assert list(place.iterdir()) == []


def test_a_folder_with_other_things_is_left_alone(first, place):
    (place / "docs").mkdir(parents=True)
    (place / ".scratch").mkdir()  # of that name there is one in others' projects too
    done = install(first, place)
    assert done.returncode == 1
    assert "has other things in it; allowed: an empty folder, or one that install.sh has made" in done.stderr
    assert {each.name for each in place.iterdir()} == {"docs", ".scratch"}


def test_more_than_one_folder_is_refused(first, place, tmp_path):
    done = install(first, place, tmp_path / "other")
    assert (done.returncode, done.stderr.strip()) == (1, "install.sh: 2 folders are given; allowed: one, or none")
