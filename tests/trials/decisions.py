"""The window is killed while clients ask, and ask again: no decision is lost, doubled or changed.

Now and then its database is away, so that decisions are in the spool when the kill comes. Clients ask until they are
answered, amend some declarations, and ask again about what was answered before.
"""

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import msgspec

from models.access.accounts import SYSTEM
from models.decisions import DecisionLog, Spool
from models.window import openapi
from models.window.telling import in_full
from tests.support import window_process
from tests.support.opened import opened
from tests.support.ports import free_port
from tests.support.postgres import Cluster
from tests.trials.running import Trial, Unit

CLIENTS = 4
LONGEST_S = 3.0  # from the first answer of a life to its kill
AT_START = 0.2  # of the kills come before there is an answer
AWAY = 0.3  # of the lives end while the database is away
_AGAIN_S = 0.05
_GIVEN_UP_S = 600.0
_PROJECT = Path(__file__).parents[2]
_Asked = tuple[str, float]  # a declaration, and the value of its item


@dataclass
class _Client:
    """A system that asks about one declaration after another, and again and again until it is answered."""

    name: int
    url: str
    token: str
    ended: threading.Event
    answers: dict[_Asked, list[Mapping[str, Any]]] = field(default_factory=dict)
    failed: list[BaseException] = field(default_factory=list)
    last_at: float = 0.0  # when it was last answered

    def run(self) -> None:
        draw, number = random.Random(self.name), 0
        with httpx.Client(headers={"Authorization": f"Bearer {self.token}"}, timeout=20, trust_env=False) as client:
            try:
                while not self.ended.is_set():
                    number += 1
                    self._ask(client, f"C{self.name}-{number}", 1000.0)
                    if draw.random() < 1 / 3:
                        self._ask(client, f"C{self.name}-{number}", 1000.0 + number)
                    if draw.random() < 1 / 3:
                        self._ask(client, *draw.choice([*self.answers][-20:]))
            except BaseException as error:  # noqa: BLE001  the trial tells of it
                self.failed.append(error)

    def _ask(self, client: httpx.Client, name: str, value: float) -> None:
        """Ask until there is an answer; what was amended since is not asked about as it was, which would amend it."""
        if any(known == name and later > value for known, later in self.answers):
            return
        item = {**openapi.EXAMPLE["items"][0], "item_value": value}
        asked = {**openapi.EXAMPLE, "declaration_id": name, "transport_document_id": name, "items": [item]}
        given_up = time.monotonic() + _GIVEN_UP_S
        while True:
            assert time.monotonic() < given_up, f"nobody answers about {name}"
            try:
                answer = client.post(self.url, json=asked)
            except httpx.TransportError:
                time.sleep(_AGAIN_S)
                continue
            if answer.status_code == httpx.codes.OK:
                break
            assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
            time.sleep(_AGAIN_S)
        (decision,) = answer.json()["decisions"]
        self.answers.setdefault((name, value), []).append(decision)
        self.last_at = time.monotonic()


def killed(number: int, kills: int = 10, world: Path | None = None, server: Cluster | None = None) -> Mapping[str, Any]:
    """Kill a window so many times, and hold what it told against what it kept; AssertionError if they do not agree.

    `number` draws the moments. With `world`, a file that tests.support.window_process kept, its champion is asked. With
    `server`, decisions are in a PostgreSQL, which is killed each time too, as when a machine loses its power.
    """
    draw, ended, port, starts = random.Random(number), threading.Event(), free_port(), []
    with tempfile.TemporaryDirectory(prefix="tidewaiter-killed-") as scratch, _ended(ended):
        folder = Path(scratch)
        if world:
            os.link(world, folder / world.name)
        if server:
            (folder / window_process.DATABASE).write_text(server.url.render_as_string(hide_password=False))
        with closing(window_process.tokens_in(folder)) as tokens:
            token = tokens.make("system", SYSTEM, "trial")
        url = f"http://127.0.0.1:{port}/window/declarations"
        clients = [_Client(each, url, token, ended) for each in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        for life in range(kills + 1):
            began = time.monotonic()
            with _window(folder, port) as process:
                if 0 < life < kills and draw.random() < AT_START:
                    time.sleep(draw.uniform(0, starts[0]))
                else:
                    starts.append(_first_answer(clients, process, began) - began)
                    time.sleep(draw.uniform(0, LONGEST_S))
                if life == kills:  # the last one answers what still waits
                    ended.set()
                    for thread in threads:
                        thread.join()
                is_away = life < kills and draw.random() < AWAY
                with _away(folder, server) if is_away else nullcontext():
                    process.kill()
                if server and not is_away:
                    server.kill()
                    server.start()
        assert not any(client.failed for client in clients), [client.failed for client in clients]
        told = {key: answers for client in clients for key, answers in client.answers.items()}
        with closing(window_process.log_in(folder)) as log:
            Spool(folder / "spool.jsonl").empty_into(log)
            return {"kills": kills, **_compared(log, told), "slowest_start_s": round(max(starts), 1)}


@contextmanager
def _ended(ended: threading.Event) -> Generator[None]:
    """Have clients end, whatever happens."""
    try:
        yield
    finally:
        ended.set()


@contextmanager
def _window(folder: Path, port: int) -> Generator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.support.window_process", str(folder), str(port)]
    with subprocess.Popen(command, cwd=_PROJECT) as process:
        try:
            yield process
        finally:
            process.kill()


def _first_answer(clients: list[_Client], process: subprocess.Popen[bytes], began: float) -> float:
    """Return when somebody was first answered; AssertionError if the window ends by itself, or answers nobody."""
    while not (found := [client.last_at for client in clients if client.last_at > began]):
        assert process.poll() is None, "the window ended by itself"
        assert time.monotonic() < began + _GIVEN_UP_S, "the window answers nobody"
        assert not any(client.failed for client in clients), [client.failed for client in clients]
        time.sleep(0.01)
    return min(found)


def _away(folder: Path, server: Cluster | None) -> AbstractContextManager[None]:
    return _killed(server) if server else _locked(folder)


@contextmanager
def _killed(server: Cluster) -> Generator[None]:
    """Kill the database's server, and wait for as long as it takes that decisions go to the spool."""
    server.kill()
    time.sleep(4 * window_process.WAIT_S)
    yield
    server.start()


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Lock the database, and wait for as long as it takes that decisions go to the spool."""
    with closing(sqlite3.connect(folder / "decisions.db", isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(4 * window_process.WAIT_S)
        yield
        other.execute("ROLLBACK")


def _compared(log: DecisionLog, told: Mapping[_Asked, list[Mapping[str, Any]]]) -> dict[str, int]:
    """Hold the log against what was told of each declaration and value; AssertionError if anything differs."""
    head = log.verify()
    (day,) = {date.fromisoformat(each["decision_id"][:8]) for answers in told.values() for each in answers}
    kept = list(log.of_day(day))
    assert head.number == len(kept) == len(told), f"{len(told)} were answered, {head.number} are kept"
    by_asked = {(each.declaration_id, each.declared[0]["item_value"]): each for each in kept}
    for asked, answers in told.items():
        expected = msgspec.json.decode(msgspec.json.encode(in_full(by_asked[asked])))
        assert all(answer == expected for answer in answers), f"{asked} was told otherwise than it is kept"
    for before, after in pairwise(kept):
        assert after.before == before.after, f"{after.decision_id} does not go on from the one before"
    again = sum(len(answers) - 1 for answers in told.values())
    return {"decisions": len(kept), "amendments": sum(each.version > 1 for each in kept), "asked_again": again}


@contextmanager
def _opened() -> Generator[Unit]:
    with tempfile.TemporaryDirectory(prefix="tidewaiter-world-") as folder:
        world = window_process.keep(opened(Path(folder)), Path(folder))
        yield partial(killed, world=world)


TRIAL = Trial("the window is killed while clients ask: no decision is lost, doubled or changed", 20, _opened)
