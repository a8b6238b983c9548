"""The commands that make the demo, as a person would type them: each a process that ends with this one.

They have sessions of their own: Ctrl-C reaches this process alone, which then ends them in order.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from flows.processes import ChildError, running

_TIDEWAITER = (sys.executable, "-c", "from flows.commands.cli import app; app()")
_TICK_S = 0.3
_STOP_S = 120.0
_SHOWN_LINES = 8


def run(log: Path, words: tuple[str, ...], environment: Mapping[str, str]) -> None:
    """Run a command to its end, with its results in a log and its progress on the terminal; ChildError if it fails."""
    with log.open("ab") as out:
        process = _start(words, environment, stdout=out, stderr=None)
    try:
        code = process.wait()
    finally:
        _stop(process)
    if code:
        raise ChildError(f"`tidewaiter {' '.join(words)}` ended with code {code}{_tail(log)}")


@contextmanager
def up(log: Path, state_folder: Path, environment: Mapping[str, str]) -> Generator[subprocess.Popen[bytes]]:
    """Run `tidewaiter up` until the block ends, which begins when all is ready. What it says is in `log` alone."""
    log.touch(0o600)  # the first start tells the administrator's password
    with log.open("wb") as out:
        process = _start(("up",), environment, stdout=out, stderr=out)
    try:
        while not ((found := running.find(state_folder)) and found.is_ready):
            if process.poll() is not None:
                raise ChildError(f"`tidewaiter up` ended with code {process.returncode}{_tail(log)}")
            time.sleep(_TICK_S)
        yield process
    finally:
        _stop(process)


def _start(
    words: tuple[str, ...], environment: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes] | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (*_TIDEWAITER, *words),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a command as Ctrl-C would, and wait until it has ended what it started."""
    if process.poll() is None:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever presses Ctrl-C twice would leave servers behind
        try:
            process.send_signal(signal.SIGINT)
            process.wait(_STOP_S)
        finally:
            process.kill()
            signal.signal(signal.SIGINT, before)


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:]
    return "".join(f"\n    {line}" for line in lines) + f"\n  whole log: {log}"
