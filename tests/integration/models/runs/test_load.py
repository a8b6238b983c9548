"""The small version of tests/trials/submits.py."""

import asyncio

from tests.support import runs_server
from tests.trials.submits import submit_under_load


def test_submits_while_runs_write_have_no_error(tmp_path):
    with runs_server.running(tmp_path) as runs:
        found = asyncio.run(submit_under_load(runs, submits=40, writers=3))
    assert found.errors == 0, (found.submits, found.writes)
    assert found.submits == {201: 40}
    assert found.writes.total() > 10
