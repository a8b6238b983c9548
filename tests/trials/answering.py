"""A year under each way of looking, in worlds that answer and in worlds that do not: see benchmarks/answering.py."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks import answering
from tests.trials.running import Trial, Unit


def unit(number: int) -> Mapping[str, Any]:
    """Replay one; what benchmarks/answering.py has kept of it is not replayed again."""
    return answering.found(answering.UNITS[number], answering.FOLDER, answering.ROWS)


@contextmanager
def _opened() -> Generator[Unit]:
    yield unit
    if all((answering.FOLDER / each.file).exists() for each in answering.UNITS):
        answering.save(answering.FOLDER, answering.ROWS)


TRIAL = Trial("each way of looking, in worlds that answer and in others, a year long", len(answering.UNITS), _opened)
