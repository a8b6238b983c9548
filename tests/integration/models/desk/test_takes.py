"""The trial of takes on a small scale: officers in threads and in processes, and no case is taken twice."""

import pytest

from tests.support.postgres import postgres, postgres_uri  # noqa: F401  fixtures
from tests.trials import takes


@pytest.mark.parametrize("processes", [1, 2])
def test_on_sqlite_no_case_is_taken_twice(tmp_path, processes):
    found = takes.take_all(f"sqlite:///{tmp_path / 'decisions.db'}", count=300, officers=8, processes=processes)
    assert (found["taken_twice"], found["refused"] > 0) == (0, True)


def test_on_postgresql_no_case_is_taken_twice(postgres_uri):  # noqa: F811
    found = takes.take_all(postgres_uri, count=300, officers=8, processes=1)
    assert (found["taken_twice"], found["refused"] > 0) == (0, True)
