"""Every example is collected, and in continuous integration no test is skipped silently."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import memory

ROOT = Path(__file__).parents[2]
FILE = """
import pytest

def test_that_runs():
    pass

@pytest.mark.skipif(True, reason="nginx is not there")
def test_of_the_proxy():
    pass

@pytest.fixture
def postgres():
    pytest.skip("initdb is not there")

def test_of_the_database(postgres):
    pass

@pytest.mark.xfail
def test_that_is_known_to_fail():
    assert False
"""


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_some.py").write_text(FILE)
    outside = {name: value for name, value in os.environ.items() if name != "CI"}
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "tests.conftest", "test_some.py"]
    return subprocess.run(
        command,
        cwd=folder,
        env=outside | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "text", "is_passed_over"),
    [("sums.py", 'x = 1\n"""\n>>> x\n1\n"""\n', False), ("sums.py", "x = 1\n", True), ("sums.txt", "x = 1\n", False)],
)
def test_of_modules_outside_the_tests_those_without_an_example_are_passed_over(
    tmp_path: Path, pytestconfig: pytest.Config, name: str, text: str, is_passed_over: bool
) -> None:
    file = tmp_path / name
    file.write_text(text)
    assert bool(pytestconfig.hook.pytest_ignore_collect(collection_path=file, config=pytestconfig)) == is_passed_over


def test_the_tests_themselves_need_no_example(pytestconfig: pytest.Config) -> None:
    assert ">>>" not in (file := Path(memory.__file__)).read_text()
    assert not pytestconfig.hook.pytest_ignore_collect(collection_path=file, config=pytestconfig)


def test_there_a_skipped_test_has_failed_and_is_named_with_its_reason(tmp_path: Path) -> None:
    done = run(tmp_path, CI="true")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "test_of_the_proxy is skipped where nothing may be (CI is set): Skipped: nginx is not there" in done.stdout
    assert "test_of_the_database is skipped" in done.stdout
    assert "initdb is not there" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 passed, 1 xfailed, 2 errors in")


def test_elsewhere_it_is_skipped(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == pytest.ExitCode.OK
    assert done.stdout.splitlines()[-1].startswith("1 passed, 2 skipped, 1 xfailed in")
