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

A_SECOND = 50
SECONDS = 20
REQUESTS = A_SECOND * (SECONDS + 1)  # those of the first second, which opens connections, are not timed
_TIMEOUT_S = 60


def driven(folder: Path, url: str, bodies: Sequence[object], token: str = "") -> dict[str, float]:
    """Return how long answers to these bodies, as JSON, took: milliseconds, by quantile."""
    (folder / "bodies.json").write_text(json.dumps([json.dumps(body) for body in bodies]))
    command = [sys.executable, __file__, str(folder / "bodies.json"), url, token]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


async def _drive(bodies: Sequence[str], url: str, token: str) -> dict[str, float]:
    took: list[float] = []
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    async with httpx.AsyncClient(headers=headers, timeout=_TIMEOUT_S) as client:

        async def one(number: int, body: str) -> None:
            started = perf_counter()
            answer = await client.post(url, content=body)
            if number >= A_SECOND:
                took.append((perf_counter() - started) * 1000)
            assert answer.status_code == httpx.codes.OK, answer.text

        async with asyncio.TaskGroup() as group:
            for number, body in enumerate(bodies):
                group.create_task(one(number, body))
                await asyncio.sleep(1 / A_SECOND)
    return {name: float(np.quantile(took, part)) for name, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}


if __name__ == "__main__":
    file, *where = sys.argv[1:]
    print(json.dumps(asyncio.run(_drive(json.loads(Path(file).read_text()), *where))))
