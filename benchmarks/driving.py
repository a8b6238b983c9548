"""Requests that come so many a second, whether or not the ones before are answered, from a process of their own."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import httpx
import numpy as np

SECONDS = 20
_TIMEOUT_S = 60


def driven(folder: Path, url: str, bodies: Sequence[object], a_second: int, token: str = "") -> dict[str, float]:
    """Return how long answers took, in ms by quantile, if bodies (sent as JSON, in turn) come so often for SECONDS."""
    sent = [json.dumps(bodies[number % len(bodies)]) for number in range(requests(a_second))]
    (folder / "bodies.json").write_text(json.dumps(sent))
    command = [sys.executable, __file__, str(folder / "bodies.json"), url, str(a_second), token]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def requests(a_second: int) -> int:
    """Return how many requests are sent; those of the first second, which opens connections, are not timed."""
    return a_second * (SECONDS + 1)


async def _drive(bodies: Sequence[str], url: str, a_second: int, token: str) -> dict[str, float]:
    took: list[float] = []
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    # A connection that is idle for five seconds is closed by uvicorn, perhaps just when it is wanted again.
    limits = httpx.Limits(keepalive_expiry=2)
    async with httpx.AsyncClient(headers=headers, timeout=_TIMEOUT_S, limits=limits) as client:

        async def one(number: int, body: str) -> None:
            started = perf_counter()
            answer = await client.post(url, content=body)
            if number >= a_second:
                took.append((perf_counter() - started) * 1000)
            assert answer.status_code == httpx.codes.OK, answer.text

        async with asyncio.TaskGroup() as group:
            for number, body in enumerate(bodies):
                group.create_task(one(number, body))
                await asyncio.sleep(1 / a_second)
    return {name: float(np.quantile(took, part)) for name, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}


if __name__ == "__main__":
    file, url, a_second, token = sys.argv[1:]
    print(json.dumps(asyncio.run(_drive(json.loads(Path(file).read_text()), url, int(a_second), token))))
