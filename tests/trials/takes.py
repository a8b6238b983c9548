"""Fifty officers who take 20,000 cases as fast as they can: none twice, and how many a second, at the store itself.

A unit plays it on SQLite in one process (as the server does, with a thread for each officer), on SQLite in two, and on
PostgreSQL, which is left out where it is not installed. By turns an officer takes the next case and asks for one by its
number, which others may have. Nobody gives a case back, so in the end each was taken once.
tests/integration/models/desk/test_takes.py is a small unit.
"""

import multiprocessing
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from models import policy
from models.decisions import DecisionLog, record
from models.desk import Desk, Officer, Refused
from models.desk.tables import cases, events
from tests.support import postgres
from tests.support.desks import SECRET, placed
from tests.trials.running import Trial, Unit

OFFICERS, CASES, PROCESSES, OFFICES = 50, 20_000, 2, 10
_PAGE, _SHOWN = 500, 50


@dataclass(frozen=True)
class Taken:
    """What officers took, in how many seconds, and how often somebody else was faster."""

    numbers: tuple[int, ...]
    refused: int


def desk_at(uri: str) -> Desk:
    return Desk(uri, policy.load().desk, SECRET, Path("/nowhere"), lambda: datetime.now(UTC))


def fill(uri: str, count: int) -> dict[str, float]:
    """Have the window decide `count` declarations, and the desk open their cases; return the cases a second."""
    log, desk = DecisionLog(uri), desk_at(uri)
    log.migrate()
    desk.migrate()
    for begin in range(0, count, _PAGE):
        made = [
            placed(begin + place, ("red", "yellow", "blue")[place % 3], office=f"{place % OFFICES:03}")
            for place in range(1, min(_PAGE, count - begin) + 1)
        ]
        head = log.head()
        log.append(list(record.linked(made, head.number, head.hash)), {})
    begin = time.perf_counter()
    assert desk.cases.follow(log) == count
    seconds = time.perf_counter() - begin
    desk.close()
    log.close()
    return {"opened_a_second": round(count / seconds)}


def work(desk: Desk, officer: Officer, count: int, seed: int) -> Taken:
    """Take cases until there are none: by turns the next one, and one of `count` that others may have taken."""
    chance = random.Random(seed)
    numbers: list[int] = []
    refused = 0
    while True:
        case = desk.queue.take_next(officer)
        if case is None:
            return Taken(tuple(numbers), refused)
        numbers.append(case.number)
        try:
            wanted = desk.queue.take(officer, chance.randint(1, count))
            numbers += [wanted.number] if wanted.number not in numbers else []  # or the officer's lease is renewed
        except Refused:
            refused += 1


def team(uri: str, first: int, officers: int, count: int) -> list[Taken]:
    """Have officers work on `count` cases in threads of this process."""
    desk = desk_at(uri)
    offices = tuple(f"{n:03}" for n in range(OFFICES))

    def play(number: int) -> Taken:
        return work(desk, Officer(f"officer-{number}", offices), count, number)

    with ThreadPoolExecutor(officers) as pool:
        found = list(pool.map(play, range(first, first + officers)))
    desk.close()
    return found


def take_all(uri: str, count: int, officers: int, processes: int) -> Mapping[str, float]:
    """Have everything taken, and return the takes a second; AssertionError if a case was taken twice or not at all."""
    told = fill(uri, count)
    share = officers // processes
    spawned = multiprocessing.get_context("spawn")
    jobs = [(uri, place * share, share, count) for place in range(processes)]
    if processes == 1:
        begin, cpu = time.perf_counter(), time.process_time()
        taken = team(*jobs[0])
        seconds = time.perf_counter() - begin
        told |= {"cpu_ms_a_question": round((time.process_time() - cpu) * 1000 / _asked(taken), 2)}
    else:
        with spawned.Pool(processes) as pool:
            pool.map(abs, range(processes))  # until they have started
            begin = time.perf_counter()
            taken = [each for found in pool.starmap(team, jobs, chunksize=1) for each in found]
            seconds = time.perf_counter() - begin
    every = [number for each in taken for number in each.numbers]
    desk = desk_at(uri)
    with desk.shared.tables.reading() as connection:
        held = connection.execute(sa.select(sa.func.count()).where(cases.c.holder.is_not(None))).scalar()
        noted = connection.execute(sa.select(sa.func.count()).where(events.c.action == "took")).scalar()
    head = Officer("head", tuple(f"{n:03}" for n in range(OFFICES)), is_supervisor=True)
    begin = time.perf_counter()
    counts = desk.queue.counts(head)
    counting = time.perf_counter() - begin
    begin = time.perf_counter()
    shown = desk.queue.page(head, office="000", lane="red", most=_SHOWN)
    paging = time.perf_counter() - begin
    assert len(shown) == min(_SHOWN, sum(each.waiting for each in counts if (each.office, each.lane) == ("000", "red")))
    assert sum(each.waiting for each in counts) == count
    desk.close()
    twice = sum(times > 1 for times in Counter(every).values())
    assert (twice, len(every), held, noted) == (0, count, count, count)
    return told | {
        "takes_a_second": round(count / seconds),
        "questions_a_second": round(_asked(taken) / seconds),
        "taken_twice": twice,
        "refused": sum(each.refused for each in taken),
        "counts_ms": round(counting * 1000, 1),
        "page_ms": round(paging * 1000, 1),
    }


def _asked(taken: list[Taken]) -> int:
    """Return how often officers asked for a case, whether they got it or not."""
    return sum(len(each.numbers) + each.refused for each in taken)


def unit_of(count: int, officers: int, server: sa.URL | None) -> Mapping[str, Any]:
    told: dict[str, Any] = {"officers": officers, "cases": count, "load_before": round(os.getloadavg()[0], 1)}
    with tempfile.TemporaryDirectory(prefix="tidewaiter-takes-") as folder:
        for name, processes in (("sqlite", 1), ("sqlite, processes", PROCESSES)):
            uri = f"sqlite:///{folder}/{processes}.db"
            told |= {f"{key}, {name}": value for key, value in take_all(uri, count, officers, processes).items()}
    if server is not None:
        with postgres.database(server) as url:
            uri = url.render_as_string(hide_password=False)
            told |= {f"{key}, postgresql": value for key, value in take_all(uri, count, officers, PROCESSES).items()}
    return told


@contextmanager
def _opened() -> Generator[Unit]:
    programs = postgres.installed()
    with postgres.cluster(programs) if programs else nullcontext() as server:
        yield lambda number: unit_of(CASES, OFFICERS, server)


TRIAL = Trial("officers who take cases as fast as they can: none twice, and how many a second", 1, _opened)
