"""Window and PostgreSQL are killed together while clients ask: no decision is lost, doubled or changed.

That is what a machine's loss of power is to both, as far as it can be played: what the operating system holds for the
disk is not lost. Now and then the database dies first, so that decisions are in the spool.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support import postgres, window_process
from tests.support.opened import opened
from tests.trials.decisions import killed
from tests.trials.running import Trial, Unit


def unit(programs: Path, world: Path | None, number: int, kills: int = 10) -> Mapping[str, Any]:
    """Kill both so many times, on a server of its own."""
    with postgres.crashing(programs) as server:
        return killed(number, kills, world, server)


@contextmanager
def _opened() -> Generator[Unit]:
    programs = postgres.installed()
    if programs is None:
        raise RuntimeError("PostgreSQL is not there: apt-get install postgresql")
    with TemporaryDirectory(prefix="tidewaiter-world-") as folder:
        yield partial(unit, programs, window_process.keep(opened(Path(folder)), Path(folder)))


TRIAL = Trial("window and PostgreSQL are killed together: no decision is lost, doubled or changed", 5, _opened)
