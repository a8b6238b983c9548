"""What the guard costs: the same requests to a server with it and to one with MLflow's own authentication alone.

    python -m benchmarks.guard

It prints medians in milliseconds, from requests sent to the two servers in turn, and the time that a signature takes.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
from starlette.types import ASGIApp

from models.server.app import AppSettings, for_mlflow
from tests.support import signoff_server
from tests.support.signoff_server import API, Server

ROUNDS, WARM_UP = 400, 40
PLAIN = "benchmarks.guard:without_guard"


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="tidewaiter-") as one,
        tempfile.TemporaryDirectory(prefix="tidewaiter-") as two,
    ):
        for folder in (one, two):
            for number in range(3):
                signoff_server.register(Path(folder), f"data-{number}")
        with signoff_server.server(Path(one)) as guarded, signoff_server.server(Path(two), app=PLAIN) as plain:
            signoff_server.add_people(guarded)
            compare(guarded, plain)
            sign(guarded)


def without_guard() -> ASGIApp:
    """Return MLflow with its own authentication alone, started as the guarded server is."""
    settings = AppSettings()
    os.environ |= for_mlflow(settings)
    from mlflow.server import auth, handlers

    handlers.initialize_backend_stores(settings.database_uri, settings.database_uri, settings.artifact_root)
    return auth.create_app()


def compare(guarded: Server, plain: Server) -> None:
    """Time requests to both servers in turn, so that whatever else the machine does affects both alike."""
    with guarded.client("admin") as with_guard, plain.client("admin") as without:
        read, write = zip(*(requests(client) for client in (with_guard, without)), strict=True)
        for name, pair in (("runs/get", read), ("runs/log-metric", write)):
            taken = in_turn(pair)
            first, second = (statistics.median(times) * 1000 for times in taken)
            print(f"{name}: {first:.2f} ms guarded, {second:.2f} ms plain, {first - second:+.2f} ms")


def requests(client: httpx.Client) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return a read and a write of a run of their own."""
    created = client.post(f"{API}/runs/create", json={"experiment_id": "1"}).raise_for_status().json()
    run = created["run"]["info"]["run_id"]
    steps = iter(range(10_000))

    def write() -> None:
        metric = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1, "step": next(steps)}
        client.post(f"{API}/runs/log-metric", json=metric).raise_for_status()

    return lambda: client.get(f"{API}/runs/get", params={"run_id": run}).raise_for_status(), write


def in_turn(calls: Sequence[Callable[[], object]]) -> list[list[float]]:
    taken: list[list[float]] = [[] for _ in calls]
    for number in range(WARM_UP + ROUNDS):
        for call, times in zip(calls, taken, strict=True):
            began = time.perf_counter()
            call()
            if number >= WARM_UP:
                times.append(time.perf_counter() - began)
    return taken


def sign(server: Server) -> None:
    """Give three signatures for each of three versions; each of them has the evidence digest computed again."""
    taken = []
    for version in ("1", "2", "3"):
        for who, step in (("ana", "technical"), ("rea", "governance"), ("rob", "governance")):
            began = time.perf_counter()
            server.sign(who, step, "approved: sound", version).raise_for_status()
            taken.append(time.perf_counter() - began)
    print(
        f"a signature: {statistics.median(taken) * 1000:.0f} ms, {len(taken)} of them, the longest {max(taken):.2f} s"
    )


if __name__ == "__main__":
    main()
