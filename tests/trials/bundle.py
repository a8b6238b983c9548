"""The bundle is installed and run where there is no network: set-up, `up` with a user for runs, a retraining, status.

A unit is one whole installation, as root, in namespaces of its own (closed.py): there is no network but loopback, and
users, units and folders are made in copies of the machine's folders that are gone afterwards.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy import bundle
from tests.trials.running import Trial, Unit

ROOT = Path(__file__).parents[2]
CLOSED = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def unit(packed: Path, scratch: Path, number: int) -> Mapping[str, Any]:
    """Unpack the bundle and install and run it where there is no network."""
    place = scratch / str(number)
    place.mkdir()
    subprocess.run(["tar", "-xf", packed, "-C", place, "--strip-components", "1"], check=True)
    done = subprocess.run(
        [*CLOSED, sys.executable, "-m", "tests.trials.closed", place, scratch / f"{number}-written"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {"bundle_mb": round(packed.stat().st_size / 1e6), **json.loads(done.stdout.splitlines()[-1])}


def hindered() -> str | None:
    """Return why this machine cannot try it; None if it can."""
    if os.geteuid() != 0:
        return "the trial makes users and mounts, in namespaces of its own: run it as root"
    if absent := [name for name in ("unshare", "ip", "setpriv", "useradd") if shutil.which(name) is None]:
        return f"{', '.join(absent)} is missing: apt-get install util-linux iproute2 passwd"
    tried = subprocess.run([*CLOSED, "true"], capture_output=True, text=True, check=False)
    return f"namespaces are not allowed here: {tried.stderr.strip()}" if tried.returncode else None


@contextmanager
def _opened() -> Generator[Unit]:
    if why := hindered():
        raise RuntimeError(f"NOT TRIED: {why}")
    with tempfile.TemporaryDirectory(prefix="tidewaiter-closed-") as folder:
        packed = bundle.make(Path(folder) / "dist", print)
        yield lambda number: unit(packed, Path(folder), number)


TRIAL = Trial("the bundle is installed and run in a network namespace without a network", 1, _opened)
