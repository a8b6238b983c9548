"""Submits of the run form while runs write: on SQLite, where only one writes at a time, none may end in an error.

A unit has 50 submits; tests/integration/models/runs/test_load.py is a small unit.
"""

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import connect

from models.ledger.book import SERVICE
from tests.support import runs_server
from tests.support.runs_server import PASSWORDS, Runs
from tests.trials.running import Trial, Unit

SUBMITS, AT_ONCE, WRITERS = 50, 8, 4
_EVENTS_A_MESSAGE = 20


@dataclass(frozen=True)
class Found:
    """The statuses of the submits and of what the writers wrote, and how long each submit took."""

    submits: Counter[int]
    writes: Counter[int]
    seconds: list[float]

    @property
    def errors(self) -> int:
        return sum(count for found in (self.submits, self.writes) for status, count in found.items() if status >= 400)


async def submit_under_load(runs: Runs, submits: int = SUBMITS, writers: int = WRITERS) -> Found:
    """Submit while `writers` send states, logs and events as fast as they can, as the tasks of a retraining do."""
    found = Found(Counter(), Counter(), [])
    stopping = asyncio.Event()
    async with (
        httpx.AsyncClient(
            base_url=runs.url, auth=(SERVICE, PASSWORDS[SERVICE]), timeout=120, trust_env=False
        ) as service,
        httpx.AsyncClient(base_url=runs.url, auth=("dan", PASSWORDS["dan"]), timeout=120, trust_env=False) as dan,
    ):
        tasks = [asyncio.create_task(_write(service, runs, stopping, found.writes)) for _ in range(writers)]
        tasks.append(asyncio.create_task(_tell(runs, stopping)))
        turns = asyncio.Semaphore(AT_ONCE)
        path = f"/api/deployments/{runs.deployments['retrain/adhoc']}/create_flow_run"

        async def submit() -> None:
            async with turns:
                begun = time.perf_counter()
                answer = await dan.post(path, json={"parameters": {"parameters": {"rows": 2000}}})
                found.seconds.append(time.perf_counter() - begun)
                found.submits[answer.status_code] += 1

        await asyncio.gather(*(submit() for _ in range(submits)))
        stopping.set()
        await asyncio.gather(*tasks)
    return found


def _client(runs: Runs, who: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=runs.url, auth=(who, PASSWORDS[who]), timeout=120, trust_env=False)


async def _write(client: httpx.AsyncClient, runs: Runs, stopping: asyncio.Event, statuses: Counter[int]) -> None:
    """Write one run after another, each with its states, logs and an artifact."""

    async def told(method: str, path: str, body: object) -> dict[str, str]:
        answer = await client.request(method, path, json=body)
        statuses[answer.status_code] += 1
        return answer.json() if answer.is_success and answer.content else {}

    flow = (await told("POST", "/api/flows/", {"name": "retrain"}))["id"]
    while not stopping.is_set():
        run = (await told("POST", "/api/flow_runs/", {"flow_id": flow, "state": {"type": "PENDING"}})).get("id")
        if run is None:
            continue
        log = {"name": "x", "level": 20, "message": "x" * 200, "flow_run_id": run, "timestamp": "2024-02-29T13:05:00Z"}
        await told("POST", f"/api/flow_runs/{run}/set_state", {"state": {"type": "RUNNING"}})
        await told("POST", "/api/logs/", [log] * 50)
        await told(
            "POST", "/api/artifacts/", {"key": "card", "type": "markdown", "data": "x" * 5000, "flow_run_id": run}
        )
        await told("POST", f"/api/flow_runs/{run}/set_state", {"state": {"type": "COMPLETED"}})


async def _tell(runs: Runs, stopping: asyncio.Event) -> None:
    """Send events of task runs, which Prefect writes outside of its API."""
    url = runs.url.replace("http", "ws", 1) + "/api/events/in"
    async with connect(url, subprotocols=["prefect"]) as socket:
        await socket.send(json.dumps({"type": "auth", "token": f"{SERVICE}:{PASSWORDS[SERVICE]}"}))
        await socket.recv()
        while not stopping.is_set():
            for _ in range(_EVENTS_A_MESSAGE):
                event = {
                    "id": str(uuid4()),
                    "event": "tidewaiter.load",
                    "occurred": "2024-02-29T13:05:00Z",
                    "resource": {"prefect.resource.id": "tidewaiter.load"},
                }
                await socket.send(json.dumps(event))
            await asyncio.sleep(0.1)


@contextmanager
def _opened() -> Generator[Unit]:
    with tempfile.TemporaryDirectory(prefix="tidewaiter-submits-") as folder, runs_server.running(Path(folder)) as runs:

        def submitted(number: int) -> Mapping[str, Any]:
            found = asyncio.run(submit_under_load(runs, SUBMITS))
            assert found.errors == 0, (found.submits, found.writes)
            seconds = sorted(found.seconds)
            return {
                "submits": found.submits.total(),
                "writes": found.writes.total(),
                "errors": found.errors,
                "median_s": round(seconds[len(seconds) // 2], 2),
                "slowest_s": round(seconds[-1], 2),
            }

        yield submitted


TRIAL = Trial("people press Run while runs write: no submit ends in an error", 4, _opened)
