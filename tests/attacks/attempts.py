"""How many attempts of an attacker the tests of this folder make; `python -m tests.attacks.attempts` prints it."""

import contextlib
import io
from pathlib import Path

import pytest


class _Counter:
    """Counts the cases that are collected; a case is one attempt, or as many as its mark says."""

    number = 0

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        marks = [item.get_closest_marker("attempts") for item in items]
        self.number += sum(mark.args[0] if mark else 1 for mark in marks)


def count() -> int:
    """Return the number of attempts in all files; none of them is made."""
    counter = _Counter()
    collecting = ["--collect-only", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", str(Path(__file__).parent)]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        ended = pytest.main(collecting, [counter])
    if ended != pytest.ExitCode.OK:
        raise RuntimeError(f"the attacks cannot be collected:\n{said.getvalue()}")
    return counter.number


if __name__ == "__main__":
    print(count())  # noqa: T201
