"""A process whose output nobody reads any more."""

import os
import subprocess
import sys

from flows import outliving

PRINTING = """
import sys, time
import flows
print("begun", flush=True)
sys.stdin.read()
time.sleep(0.2)
for _ in range(3):
    print("to nobody", flush=True)
    print("to nobody", file=sys.stderr, flush=True)
open(sys.argv[1], "w").write("done")
"""


def ended(tmp_path, more):
    """The code of a process whose output is closed when it has begun, and what it has done."""
    done = tmp_path / "done"
    done.unlink(missing_ok=True)
    run = subprocess.Popen(
        [sys.executable, "-c", PRINTING, str(done)],
        env=os.environ | more,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert run.stdout.readline() == b"begun\n"
    run.stdout.close()
    run.stderr.close()
    run.stdin.close()
    return run.wait(60), done.exists()


def test_a_run_goes_on_where_its_worker_is_gone(tmp_path):
    assert ended(tmp_path, {outliving.RUN_VARIABLE: "x"}) == (0, True)
    assert ended(tmp_path, {})[1] is False  # a command, whose reader has closed what it reads


def test_what_is_read_stays_as_it_is():
    reading, writing = os.pipe()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        assert outliving.watch((nowhere,)) is None
        thread = outliving.watch((writing, nowhere))
        os.write(writing, b"x")
        assert os.read(reading, 1) == b"x"
        os.close(reading)
        thread.join(10)
        assert not thread.is_alive()
        assert os.write(writing, b"x") == 1
    finally:
        os.close(writing)
        os.close(nowhere)
