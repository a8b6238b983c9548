"""Five days are played on the whole installation, with a crash and a promotion, and the books must balance."""

import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from features.simulator import Parameters
from tests.support.playing import played, train
from tests.trials.running import Trial, Unit

DAYS = 5
_SEED = 20240229


def days(number: int) -> Mapping[str, Any]:
    """Play days after a world of its own; AssertionError where a sum differs, no crash or no promotion happened."""
    with tempfile.TemporaryDirectory(prefix="tidewaiter-played-") as scratch:
        world = Parameters(rows=150_000, months=9, seed=_SEED + number)
        train(Path(scratch), world)
        code, books, said = played(Path(scratch), world, DAYS)
    assert code == 0, said
    assert books["window killed"] == 1
    assert len(books["promoted"]) > 1, said
    assert len(books["answered by version"]) > 1
    return {"versions": books["sums"][0]["left"], **books}


@contextmanager
def _opened() -> Generator[Unit]:
    yield days


TRIAL = Trial("days of the whole installation, with a crash and promotions: the books balance", 1, _opened)
