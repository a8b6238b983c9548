"""A newcomer's first ten minutes: from a clone over `make demo` to a signature in a browser, then Ctrl-C and once more.

The packages come from the index that the machine uses. With an empty cache of uv, they are all fetched anew.
"""

import os
import re
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.demo import FOLDER, PEOPLE
from flows.processes import children
from flows.settings import PREFIX
from tests.browser.started import ROOT, free_ports
from tests.support import newcomer
from tests.trials.running import Trial, Unit

WITHIN_S = 600
_PATIENCE_S = 3600
_STOP_S = 120
_OF_THIS_PROJECT = ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")


def walk(number: int) -> Mapping[str, Any]:
    """Walk a newcomer's way; AssertionError if a step does not come, takes too long, or leaves something running."""
    with tempfile.TemporaryDirectory(prefix="tidewaiter-newcomer-") as scratch:
        folder, began = Path(scratch), time.monotonic()
        clone = folder / "tidewaiter"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        with _demo(folder, clone) as said:
            ready_s = time.monotonic() - began
            url, passwords = _told(said)
            newcomer.sign(url, "ana", passwords["ana"], "it finds more at the same effort")
            signed_s = time.monotonic() - began
            newcomer.take_a_case(url, "ola", passwords["ola"])
            newcomer.look_at(re.findall(r"http\S+/network\S+", said)[0], "sue", passwords["sue"])
        began = time.monotonic()
        with _demo(folder, clone) as said:
            again_s = time.monotonic() - began
            assert _told(said) == (url, passwords)
            newcomer.sign(url, "rea", passwords["rea"], "no group is judged worse")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {"ready_s": ready_s, "signed_s": signed_s, "again_s": again_s, "processor_s": used.ru_utime + used.ru_stime}
    assert signed_s < WITHIN_S, found
    return {name: round(value) for name, value in found.items()}


@contextmanager
def _demo(folder: Path, clone: Path) -> Generator[str]:
    """Run `make demo`, and end it as Ctrl-C does; yield what it said until it was ready."""
    ports = dict(zip(("MLFLOW_PORT", "PREFECT_PORT", "WINDOW_PORT"), map(str, _ports(folder)), strict=True))
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_THIS_PROJECT}
    log = folder / "demo.out"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["make", "demo"],
            cwd=clone,
            env=inherited | {PREFIX + name: port for name, port in ports.items()},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while "after the start)" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        yield log.read_text()
    finally:
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to make and to what make runs
        process.wait(_STOP_S)
        left = children.marked(clone / FOLDER)
        children.end(left)
    assert left == []
    assert "Stopped. Nothing is left running" in log.read_text()


def _ports(folder: Path) -> list[int]:
    """Return three free ports, the same each time: addresses are to stay as they are."""
    kept = folder / "ports"
    if not kept.exists():
        kept.write_text(" ".join(map(str, free_ports())))
    return [int(port) for port in kept.read_text().split()]


def _told(said: str) -> tuple[str, dict[str, str]]:
    """Return the address and the passwords that a welcome tells."""
    (url,) = re.findall(r"^Ready: (\S+)$", said, re.MULTILINE)
    found = re.findall(r"^  (\w+) +[\w-]+ +(\S+)$", said, re.MULTILINE)
    return url, {name: password for name, password in found if name in PEOPLE}


@contextmanager
def _opened() -> Generator[Unit]:
    yield walk


TRIAL = Trial("a newcomer's first ten minutes, from a clone to a signature, and the second start", 1, _opened)
